"""Progress of work that lasts: bars with rate and time left, on a terminal only.

What takes less than one or two seconds shows nothing.
"""

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from threading import Lock, Timer

from rich.console import Console
from rich.markup import escape
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    ProgressColumn,
    SpinnerColumn,
    Task,
    TextColumn,
    TimeElapsedColumn,
    TimeRemainingColumn,
)
from rich.text import Text

from similarity.models.base import OnProgress
from similarity.scorer import Progress as StageProgress

# Work that is done sooner shows no bar.
DELAY_SECONDS = 2.0
# What is done sooner is not told of, where only that it lasts can be told.
WORKING_DELAY_SECONDS = 1.0
# The speed is that of the last so many seconds: answers of a slow model are minutes apart.
_SPEED_SECONDS = 1800.0


class _RateColumn(ProgressColumn):
    """Units a second, or seconds a unit where that is above one."""

    def render(self, task: Task) -> Text:
        """Return the rate, or nothing while there is none."""
        speed = task.finished_speed or task.speed
        if not speed:
            return Text("")
        unit = task.fields["unit"]
        return Text(f"{speed:,.1f} {unit}/s" if speed >= 1 else f"{1 / speed:,.1f} s/{unit}")


@contextmanager
def progress_bars() -> Iterator[StageProgress]:
    """Give a function that draws one bar for each stage on standard error.

    Of no texts it counts only, as nobody knows how many there are in a stream.
    """
    with _display(*_columns()) as display:

        def start(stage: str, texts: int) -> OnProgress:
            for task in display.task_ids:
                display.update(task, visible=False)
            return _progress_of(display, stage, "text", texts)

        yield start


@contextmanager
def progress_bar(stage: str, unit: str, total: int, done: int = 0) -> Iterator[OnProgress]:
    """Give the `on_progress` of one bar on standard error, with rate and time left.

    What was done before the bar began does not count into the rate.
    """
    with _display(*_columns()) as display:
        yield _progress_of(display, stage, unit, total, done)


@contextmanager
def working(what: str) -> Iterator[None]:
    """Show on standard error that something of unknown length is at work, and since when."""
    columns = SpinnerColumn(), TextColumn("{task.description}"), TimeElapsedColumn()
    with _display(*columns, delay=WORKING_DELAY_SECONDS) as display:
        display.add_task(what, total=None)
        yield


@contextmanager
def status_bar() -> Iterator[Callable[[str, int, int], None]]:
    """Give a function that shows a line of its caller's, what is done and what there is to do."""
    with _display(SpinnerColumn(), TextColumn("{task.description}"), BarColumn()) as display:
        task = display.add_task("")

        def show(line: str, done: int, total: int) -> None:
            display.update(task, description=escape(line), completed=done, total=total)

        yield show


def _columns() -> tuple[ProgressColumn, ...]:
    return (
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        _RateColumn(),
        TimeElapsedColumn(),
        TextColumn("elapsed,"),
        TimeRemainingColumn(),
        TextColumn("left"),
    )


@contextmanager
def _display(*columns: ProgressColumn, delay: float | None = None) -> Iterator[Progress]:
    """Give a display that appears after the delay and leaves nothing behind."""
    console = Console(file=sys.stderr)
    display = Progress(
        *columns,
        console=console,
        transient=True,
        speed_estimate_period=_SPEED_SECONDS,
        # What a command prints is its own: it may go to a file.
        redirect_stdout=False,
        redirect_stderr=False,
    )
    over = shown = False
    lock = Lock()

    def show() -> None:
        nonlocal shown
        with lock:
            if not over:
                shown = True
                display.start()

    timer = Timer(DELAY_SECONDS if delay is None else delay, show)
    timer.daemon = True
    if sys.stderr.isatty():
        timer.start()
    try:
        yield display
    finally:
        with lock:
            over = True
            timer.cancel()
            if shown:
                display.stop()


def _progress_of(display: Progress, stage: str, unit: str, total: int, done: int = 0) -> OnProgress:
    task = display.add_task(stage, total=total or None, completed=done, unit=unit)

    def on_progress(finished: int) -> None:
        display.advance(task, finished)

    return on_progress
