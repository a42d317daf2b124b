"""Keys keep their order whatever is put between them, and stay short."""

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from crm.positions import REBALANCE_LENGTH, key_between, keys_between


def ascending(keys: list[str]) -> bool:
    encoded = [key.encode() for key in keys]
    return all(left < right for left, right in pairwise(encoded))


def test_the_first_key_is_short() -> None:
    assert key_between(None, None) == "a0"


def test_upper_case_comes_before_lower_case() -> None:
    first = key_between(None, "a0")
    assert first == "Zz"
    assert first < "a0"


@given(st.lists(st.tuples(st.integers(0, 10_000), st.integers(1, 5)), max_size=60))
def test_any_sequence_of_inserts_keeps_the_order(inserts: list[tuple[int, int]]) -> None:
    column: list[str] = []
    for place, count in inserts:
        index = place % (len(column) + 1)
        before = column[index - 1] if index else None
        after = column[index] if index < len(column) else None
        column[index:index] = keys_between(before, after, count)
        assert ascending(column)


@given(st.lists(st.booleans(), min_size=1, max_size=200))
def test_two_neighbours_always_have_room(choices: list[bool]) -> None:
    before, after = keys_between(None, None, 2)
    for is_lower in choices:
        middle = key_between(before, after)
        assert before < middle < after
        assert not middle.endswith("0") or len(middle) == 2
        before, after = (before, middle) if is_lower else (middle, after)
    assert len(before) <= 4 + len(choices) // 5


@pytest.mark.parametrize("always", ["front", "back", "below", "above"])
def test_the_worst_case_grows_by_one_letter_in_five_inserts(always: str) -> None:
    before, after = keys_between(None, None, 2)
    longest = 0
    for count in range(1, 301):
        if always == "front":
            before = key_between(None, before)
            longest = max(longest, len(before))
            assert longest <= 3
        elif always == "back":
            after = key_between(after, None)
            longest = max(longest, len(after))
            assert longest <= 3
        else:
            middle = key_between(before, after)
            before, after = (before, middle) if always == "below" else (middle, after)
            longest = max(longest, len(middle))
            assert longest <= 3 + count / 5
    if always in {"below", "above"}:
        assert longest > REBALANCE_LENGTH, "so a column does get long enough to be rebalanced"


@pytest.mark.parametrize(
    ("before", "after", "longest"),
    [
        (None, None, 4),
        ("a0", None, 4),
        (None, "a0", 4),
        ("a5V", None, 4),
        (None, "a5V", 4),
        ("a0", "a1", 5),
        ("a0", "a0V", 5),
    ],
)
def test_a_hundred_thousand_keys_are_short(before: str | None, after: str | None, longest: int) -> None:
    keys = keys_between(before, after, 100_000)
    assert len(keys) == 100_000
    assert ascending([*([before] if before else []), *keys, *([after] if after else [])])
    assert max(map(len, keys)) <= longest


def test_keys_between_two_neighbours_are_evenly_spread() -> None:
    assert keys_between("a0", "a1", 3) == ["a0F", "a0V", "a0k"]
    assert keys_between("a0", "b00", 1) == ["aV"]


def test_no_keys_are_asked_for() -> None:
    assert keys_between("a0", "a1", 0) == []
    with pytest.raises(ValueError, match="negative"):
        keys_between("a0", "a1", -1)


@pytest.mark.parametrize(("before", "after"), [("a1", "a0"), ("a0", "a0"), ("a0", "Zz")])
def test_neighbours_in_the_wrong_order_are_refused(before: str, after: str) -> None:
    with pytest.raises(ValueError, match="come before"):
        key_between(before, after)


@pytest.mark.parametrize("broken", ["", "a", "b0", "a00", "a0V0", "0", "a-", "a0ç", "é0", "a0 "])
def test_what_is_not_a_key_is_refused(broken: str) -> None:
    with pytest.raises(ValueError, match="not a position"):
        key_between(broken, None)
    with pytest.raises(ValueError, match="not a position"):
        key_between(None, broken)


def test_a_column_is_rebalanced_to_short_keys() -> None:
    before, after = keys_between(None, None, 2)
    column = [before, after]
    while len(column[-2]) <= REBALANCE_LENGTH:
        column.insert(-1, key_between(column[-2], after))
    assert ascending(column)
    assert max(map(len, keys_between(None, None, len(column)))) <= 3
