"""A forked process says at once that it cannot compute; without that it hung."""

import os
import subprocess
import sys

import pytest

# Forks after `before`, and prints what the child has of the same comparison. A child that hangs
# is ended by the alarm.
FORKS = """
import os, signal, torch, similarity
from similarity.errors import ModelError

torch.set_num_threads({threads})
kept = []

def compare():
    if not kept:
        kept.append(similarity.load_model("embedded"))
    return similarity.compare(kept[0], "A dog runs.", "It rains.", preset="fast").distance

{before}
if (child := os.fork()) == 0:
    signal.alarm(300)
    try:
        {after}
        print(compare(), flush=True)
    except ModelError as error:
        print(error, flush=True)
    os._exit(0)
os.waitpid(child, 0)
print(compare())
"""


def forked(threads: int, before: str, after: str = "pass") -> list[str]:
    """Return the lines of the child, then of its parent."""
    code = FORKS.format(threads=threads, before=before, after=after)
    environment = {name: value for name, value in os.environ.items() if name != "OMP_NUM_THREADS"}
    done = subprocess.run(
        [sys.executable, "-c", code],
        env=environment,
        capture_output=True,
        text=True,
        check=True,
    )
    return done.stdout.splitlines()


@pytest.mark.longer
@pytest.mark.parametrize("after", ["pass", "kept.clear()"], ids=["scores", "loads"])
def test_a_fork_of_a_process_that_computed_is_refused(after: str) -> None:
    said, found = forked(2, "compare()", after)
    assert said.startswith("this process was forked from one that had computed with a model in")
    assert "spawn" in said
    assert float(found) > 0


@pytest.mark.longer
@pytest.mark.parametrize(
    ("threads", "before", "after"),
    [
        (1, "compare()", "pass"),
        (2, "pass", "pass"),
        (2, "compare()", "torch.set_num_threads(1)"),
    ],
    ids=["one thread", "before anything", "one thread in the child"],
)
def test_other_forks_compute(threads: int, before: str, after: str) -> None:
    child, parent = forked(threads, before, after)
    assert float(child) == pytest.approx(float(parent), abs=1e-5)
