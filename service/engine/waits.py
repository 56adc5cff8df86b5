"""Who took the time of a request: its own thread, the model, or others beside it."""

import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from threading import Lock


class Crowd:
    """How many requests work in threads of their own at once, and what each loses by that.

    They read and write texts and token ids, and compute what needs no model.
    """

    processors = os.cpu_count() or 1

    def __init__(self) -> None:
        self._lock = Lock()
        self._working, self._since, self._lost = 0, time.monotonic(), 0.0

    def change(self, by: int) -> float:
        """Count more or fewer that work.

        Returns the seconds that one which works all the time has lost to others until now.
        """
        with self._lock:
            now = time.monotonic()
            share = min(1.0, self.processors / max(1, self._working))
            self._lost += (1 - share) * (now - self._since)
            self._working, self._since = self._working + by, now
            return self._lost


class Waits:
    """The waits of a request's thread for the scheduler, and what others cost it beside them."""

    def __init__(self, crowd: Crowd) -> None:
        self._crowd = crowd
        # When each wait began, and ended unless it waits still.
        self._marks: list[float] = []
        self._counts = False
        # What the crowd had cost when the thread went on; None while it waits or has not begun.
        self._at: float | None = None
        self._lost = 0.0

    @property
    def seconds(self) -> float:
        """Return the seconds of all waits so far."""
        marks = [*self._marks, time.monotonic()]
        return sum(end - begin for begin, end in zip(marks[::2], marks[1::2], strict=False))

    @property
    def lost(self) -> float:
        """Return the seconds that others had the processors while the thread could work."""
        lost, at = self._lost, self._at
        return lost if at is None else lost + self._crowd.change(0) - at

    @contextmanager
    def working(self) -> Iterator[None]:
        """Count the thread among those that work, but for its waits."""
        self._counts = True
        self._go_on()
        try:
            yield
        finally:
            self._stop()
            self._counts = False

    def mark(self) -> float:
        """Begin a wait, or end the one that was begun; return the time."""
        if len(self._marks) % 2:
            self._go_on()
        else:
            self._stop()
        self._marks.append(time.monotonic())
        return self._marks[-1]

    def _go_on(self) -> None:
        if self._counts:
            self._at = self._crowd.change(1)

    def _stop(self) -> None:
        if self._at is not None:
            lost = self._crowd.change(-1) - self._at
            self._at = None
            self._lost += lost
