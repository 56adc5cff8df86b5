"""Progress bars for work that lasts, on a terminal only."""

import sys
from collections.abc import Iterator
from contextlib import contextmanager

from tqdm import tqdm

from similarity.models.base import Advance
from similarity.pipeline import Progress

# Work that is done sooner shows no bar.
DELAY_SECONDS = 2.0


@contextmanager
def progress_bars() -> Iterator[Progress]:
    """Give a `Progress` that draws one bar for each stage on standard error.

    Of no texts it counts only, as nobody knows how many there are in a stream.
    """
    bars: list[tqdm] = []  # type: ignore[type-arg]

    def start(stage: str, texts: int) -> Advance:
        for done in bars:
            done.close()
        bars.append(_bar(stage, "text", texts))
        return _advance_of(bars[-1])

    try:
        yield start
    finally:
        for bar in bars:
            bar.close()


@contextmanager
def progress_bar(stage: str, unit: str, total: int, done: int = 0) -> Iterator[Advance]:
    """Give the `advance` of one bar on standard error, with rate and time left.

    What was done before the bar began does not count into the rate.
    """
    with _bar(stage, unit, total, done) as bar:
        yield _advance_of(bar)


def _bar(stage: str, unit: str, total: int, done: int = 0) -> tqdm:  # type: ignore[type-arg]
    return tqdm(
        total=total or None,
        initial=done,
        desc=stage,
        unit=unit,
        delay=DELAY_SECONDS,
        disable=not sys.stderr.isatty(),
        leave=False,
    )


def _advance_of(bar: tqdm) -> Advance:  # type: ignore[type-arg]
    def advance(finished: int) -> None:
        bar.update(finished)

    return advance
