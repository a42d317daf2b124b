"""CPU time and memory of a process tree are read from /proc."""

import os
import subprocess
import sys

import pytest

from bench.meter import TICKS, NoMeter, cpu_seconds, megabytes, processes, read_stat, tree

STAT = "7 (a (strange) name) S 3 7 7 0 -1 0 0 0 0 0 {} {} {} {} 20 0 1 0 100 0 0"


@pytest.fixture
def proc(tmp_path):
    """A /proc with three processes: 3 started 7 and 8; 7 started 9. 5 belongs to nobody."""
    parents = {3: 1, 7: 3, 8: 3, 9: 7, 5: 1}
    for pid, parent in parents.items():
        folder = tmp_path / str(pid)
        folder.mkdir()
        times = [TICKS, TICKS, 0, TICKS]
        (folder / "stat").write_text(STAT.format(*times).replace(" S 3 ", f" S {parent} "))
        (folder / "smaps_rollup").write_text("Rss:  9999 kB\nPss:  1024 kB\nPss_Anon: 7 kB\n")
    (tmp_path / "version").write_text("not a process")
    return tmp_path


def test_a_line_with_brackets_in_the_name_is_read():
    assert read_stat(STAT.format(TICKS, 2 * TICKS, 3 * TICKS, 4 * TICKS)) == (
        found := read_stat(STAT.format(0, 0, 0, TICKS * 10))
    )
    assert (found.parent, found.seconds) == (3, 10.0)


def test_a_tree_is_a_process_with_all_its_descendants(proc):
    assert tree(3, processes(proc)) == {3, 7, 8, 9}
    assert tree(4, processes(proc)) == set()
    assert cpu_seconds(3, proc) == 12.0
    assert megabytes(3, proc) == 4.0


def test_a_system_without_proc_is_told_so(tmp_path):
    with pytest.raises(NoMeter, match="Linux only"):
        processes(tmp_path)


@pytest.mark.skipif(not os.path.exists("/proc/self/stat"), reason="needs Linux")
def test_work_of_a_child_that_has_ended_still_counts():
    before = cpu_seconds(os.getpid())
    burn = "import time\nend = time.process_time() + 0.2\nwhile time.process_time() < end: pass"
    subprocess.run([sys.executable, "-c", burn], check=True)
    assert cpu_seconds(os.getpid()) - before >= 0.15
    assert megabytes(os.getpid()) > 5
