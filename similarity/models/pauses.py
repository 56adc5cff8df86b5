"""Calls a function in the middle of a long reading of a network.

A text of some thousand tokens takes a processor many seconds in one forward call. The caller's
function is called between two parts of the network, such as a layer's product and its attention. It
may have the network read something else, or end the reading. The numbers of the reading stay the
same bits: the forward call itself is not cut, and what it has computed so far is its own.
"""

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from torch import nn

from similarity.errors import Portable
from similarity.models.base import OnProgress, ignore_progress

# A reading of fewer tokens, of all rows together, is not worth a pause.
LEAST_TOKENS = 256

Pause = Callable[[], None]


class _EndedError(Portable):
    """Carries an error of a pause past code that takes exceptions for a network's refusal.

    `pause` is the one that raised it: only where that one was set does the error end its way.
    """

    def __init__(self, pause: Pause, error: Exception) -> None:
        super().__init__()
        self.pause = pause
        self.error = error


class Pauses:
    """Calls a function between the parts of a network, in the thread that set it.

    Attributes
    ----------
    work
        Whether the network may read something else at a pause; False until that was tried.
    """

    def __init__(self, module: nn.Module) -> None:
        self._module = module
        self.work = False
        self._least = LEAST_TOKENS
        # Of each thread: `pause` is called in its readings, and `at_part` in the one under way.
        self._of_thread = threading.local()

    @property
    def count(self) -> int:
        """Return the number of parts."""
        return sum(1 for _ in self._parts())

    @contextmanager
    def calling(self, pause: Pause) -> Iterator[None]:
        """Have long readings call a function, which may make other readings.

        What it raises ends the reading, and is raised here.
        """
        try:
            with self._set(pause):
                yield
        except _EndedError as ended:
            if ended.pause is not pause:
                raise
            raise ended.error from None

    @contextmanager
    def reporting(self, on_progress: OnProgress) -> Iterator[OnProgress]:
        """Have long readings call `on_progress(0)` between their parts too.

        Gives the function to report by between readings. What `on_progress` itself has the network
        read is the work of somebody else: it has no pauses of this call.
        """

        def report(finished: int) -> None:
            with self._set(None):
                on_progress(finished)

        if on_progress is ignore_progress:
            with self._set(None):
                yield on_progress
        else:
            with self.calling(lambda: on_progress(0)):
                yield report

    @contextmanager
    def tried(self) -> Iterator[None]:
        """Have pauses in short readings too, to see whether they work."""
        self.work, self._least = True, 0
        try:
            yield
        finally:
            self.work, self._least = False, LEAST_TOKENS

    @contextmanager
    def within(self, tokens: int) -> Iterator[None]:
        """Call the thread's function between the parts of a reading of so many tokens, if long.

        A reading that is made at a pause has pauses of its own, or none.
        """
        pause: Pause | None = getattr(self._of_thread, "pause", None)
        # Of the reading around this one, whose parts are the same modules.
        around = getattr(self._of_thread, "at_part", None)
        self._of_thread.at_part = None
        hooks = []
        if pause is not None and self.work and tokens >= self._least:
            self._of_thread.at_part = pause
            hooks = [part.register_forward_pre_hook(self._at_part) for part in self._parts()]
        try:
            yield
        finally:
            for hook in hooks:
                hook.remove()
            self._of_thread.at_part = around

    def _parts(self) -> Iterator[nn.Module]:
        return (part for part in self._module.modules() if not any(True for _ in part.children()))

    def _at_part(self, _part: nn.Module, _given: object) -> None:
        pause: Pause | None = getattr(self._of_thread, "at_part", None)
        if pause is None:
            return
        self._of_thread.at_part = None
        try:
            with self._set(None):
                pause()
        except Exception as error:
            raise _EndedError(pause, error) from error
        finally:
            self._of_thread.at_part = pause

    @contextmanager
    def _set(self, pause: Pause | None) -> Iterator[None]:
        """Have this thread's readings call a function, or none."""
        before = getattr(self._of_thread, "pause", None)
        self._of_thread.pause = pause
        try:
            yield
        finally:
            self._of_thread.pause = before
