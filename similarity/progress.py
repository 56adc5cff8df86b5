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
        bars.append(
            tqdm(
                total=texts or None,
                desc=stage,
                unit="text",
                delay=DELAY_SECONDS,
                disable=not sys.stderr.isatty(),
                leave=False,
            )
        )
        bar = bars[-1]

        def advance(finished: int) -> None:
            bar.update(finished)

        return advance

    try:
        yield start
    finally:
        for bar in bars:
            bar.close()
