"""What another process has not of a loaded model: its weights, and torch's threads.

A forked process has no thread but its own, and torch waits for those of its parent for ever.
"""

import os

import torch

from similarity.errors import ModelError

# The message where a loaded model is pickled.
NOT_SENT = (
    "no other process can take a loaded model; start processes by spawn or forkserver, and call "
    "load_model there"
)


class Threads:
    """Remembers the process in which networks computed in several threads."""

    def __init__(self) -> None:
        self._process: int | None = None

    def check(self) -> None:
        """Raise ModelError if this process is a fork of that one, and has several threads too."""
        if self._process not in (None, os.getpid()) and torch.get_num_threads() > 1:
            raise ModelError(
                "this process was forked from one that had computed with a model in several "
                "threads; it lacks these, and torch would wait for them for ever; start processes "
                'by multiprocessing.get_context("spawn") or "forkserver", and load the model in '
                "each, or set OMP_NUM_THREADS=1 before the first starts"
            )

    def use(self) -> None:
        """Remember this process, if it is about to compute in several threads; check it first."""
        self.check()
        if torch.get_num_threads() > 1:
            self._process = os.getpid()


# Of this process, and of all that are forked from it.
THREADS = Threads()
