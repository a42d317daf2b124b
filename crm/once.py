"""What many ask for at the same moment: worked out once in this process, given to all of them."""

import threading
import time
from collections import OrderedDict
from collections.abc import Callable, Hashable
from dataclasses import dataclass, field
from typing import Any, TypeVar

KEPT = 64
SECONDS = 2.0

Result = TypeVar("Result")


@dataclass
class _Answer:
    lock: threading.Lock = field(default_factory=threading.Lock)
    until: float = 0.0
    result: Any = None


_answers: OrderedDict[Hashable, _Answer] = OrderedDict()
_door = threading.Lock()


def once(key: Hashable, work: Callable[[], Result]) -> Result:
    """Return what `work` gives; whoever brings the same key meanwhile, or right after, gets the same.

    The key must say everything that the result depends on: the organization, what of it one may see,
    how new it is, the language. Work that raises is done again by the next who asks.
    """
    with _door:
        answer = _answers.setdefault(key, _Answer())
        while len(_answers) > KEPT:
            _answers.popitem(last=False)
    with answer.lock:
        if time.monotonic() >= answer.until:
            answer.result = work()
            answer.until = time.monotonic() + SECONDS
        result: Result = answer.result
        return result
