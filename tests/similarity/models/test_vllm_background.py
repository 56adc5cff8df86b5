"""The loop of a model on servers ends with the model, however the model goes."""

import gc
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from types import SimpleNamespace

import pytest

from similarity.models.base import OnProgress
from similarity.models.vllm_server.background import Background

pytestmark = pytest.mark.longer

# Seconds after which a test fails that would else never end.
LONG = 60.0


class Loop:
    """A background loop whose thread is held in the midst of work, and what it did at its end."""

    def __init__(self) -> None:
        self.free = threading.Event()
        self.before_free: Callable[[], object] = lambda: None
        self.cleaned: list[threading.Thread] = []
        self.owner = SimpleNamespace(background=Background(self._clean_up))
        self.thread = self._hold(self.owner.background)

    async def _clean_up(self) -> None:
        self.cleaned.append(threading.current_thread())

    def _hold(self, background: Background) -> threading.Thread:
        """Return the loop's thread once it waits for `free`; the call is given up."""
        threads: list[threading.Thread] = []

        async def work(count: OnProgress) -> None:
            threads.append(threading.current_thread())
            count(1)
            self.free.wait(LONG)
            self.before_free()

        def give_up(count: int) -> None:
            if count:
                raise LookupError

        with pytest.raises(LookupError):
            background.run(work, give_up)
        return threads[0]

    def ended(self) -> bool:
        """Let the thread go on, and return whether it has ended after it cleaned up."""
        self.free.set()
        self.thread.join(LONG)
        return not self.thread.is_alive() and self.cleaned == [self.thread]


@pytest.fixture
def loop() -> Iterator[Loop]:
    loop = Loop()
    yield loop
    loop.free.set()


def returns(call: Callable[[], object]) -> bool:
    """Return whether a call comes back, which a thread of its own makes."""
    done = threading.Event()

    def run() -> None:
        call()
        done.set()

    threading.Thread(target=run, daemon=True).start()
    return done.wait(LONG / 6)


def test_collecting_does_not_wait_for_the_loop(loop: Loop) -> None:
    assert returns(partial(delattr, loop.owner, "background"))
    assert loop.thread.is_alive()
    assert loop.ended()


def test_the_loops_own_thread_may_collect(loop: Loop) -> None:
    loop.owner.itself = loop.owner
    loop.before_free = gc.collect
    del loop.owner
    assert loop.ended()


def test_close_waits_for_the_loop(loop: Loop) -> None:
    closing = threading.Thread(target=loop.owner.background.close)
    closing.start()
    assert closing.is_alive()
    loop.free.set()
    closing.join(LONG)
    assert not loop.thread.is_alive()
    loop.owner.background.close()
    assert loop.cleaned == [loop.thread]


RELOADING = Path(__file__).with_name("reloading.py")


@pytest.mark.parametrize("how", ["import", "often", "kept", "localhost"])
def test_a_program_that_loads_anew_after_errors_ends(how: str) -> None:
    """In a process of its own, as a deadlock would hold the lock of an import for ever."""
    command = [sys.executable, "-W", "always::ResourceWarning", str(RELOADING), how]
    ran = subprocess.run(command, capture_output=True, text=True, timeout=LONG, check=False)
    assert (ran.returncode, ran.stdout, ran.stderr) == (0, "done\n", "")
