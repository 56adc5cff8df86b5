"""Progress of work that lasts: bars with rate and time left on a terminal, elsewhere lines.

What takes less than one or two seconds shows nothing, and where there is no terminal what takes
less than ten.
"""

import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from threading import Event, Lock, Thread, Timer
from typing import TextIO

from rich.console import Console
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    ProgressColumn,
    SpinnerColumn,
    Task,
    TaskID,
    TextColumn,
    TimeElapsedColumn,
)
from rich.text import Text

from similarity.models.base import OnProgress
from similarity.printable import printable
from similarity.scorer import Progress as StageProgress

# Work that is done sooner shows no bar.
DELAY_SECONDS = 2.0
# Work whose parts cannot be counted is shown only after so long.
WORKING_DELAY_SECONDS = 1.0
# Stages that count pairs; all others count texts.
OF_PAIRS = ("comparing", "judging")
# Where there is no terminal, a line is printed at least so often at first. It becomes as seldom as
# the second number where work takes hours.
LINE_SECONDS = (10.0, 60.0)
# Of what has passed, the part that passes between two lines.
_LINE_SHARE = 1 / 30


class _RateColumn(ProgressColumn):
    """Units a second, or seconds a unit where that is above one."""

    def render(self, task: Task) -> Text:
        """Return the rate, or nothing while there is none."""
        return Text(_rate(task))


class _LeftColumn(ProgressColumn):
    """How long the rest will last."""

    # It would jitter else.
    max_refresh = 0.5

    def render(self, task: Task) -> Text:
        """Return the time that is left, or nothing while it is not known."""
        return Text(_left(task))


def _speed(task: Task) -> float:
    """Return units a second: what was done here over all that has passed, as both are shown."""
    seconds = task.finished_time or task.elapsed
    return (task.completed - task.fields["before"]) / seconds if seconds else 0.0


def _left(task: Task) -> str:
    speed = _speed(task)
    if task.total is None or not speed:
        return ""
    return f"{duration((task.total - task.completed) / speed)} left"


def _rate(task: Task) -> str:
    speed = _speed(task)
    if not speed:
        return ""
    unit = task.fields["unit"]
    return f"{speed:,.1f} {unit}s/s" if speed >= 1 else f"{1 / speed:,.1f} s/{unit}"


@contextmanager
def progress_bars() -> Iterator[StageProgress]:
    """Give a function that shows each stage on standard error, one at a time.

    Of no texts it counts only, as nobody knows how many there are in a stream.
    """
    with _display(*_columns()) as display:
        yield _stages(display)


@contextmanager
def progress_bar(stage: str, unit: str, total: int, done: int = 0) -> Iterator[OnProgress]:
    """Give the `on_progress` of one stage on standard error, with rate and time left.

    What was done before the bar began does not count into the rate.
    """
    with progress_in_parts(stage, unit, total, done) as (on_progress, _):
        yield on_progress


@contextmanager
def progress_in_parts(
    stage: str, unit: str, total: int, done: int = 0
) -> Iterator[tuple[OnProgress, StageProgress]]:
    """Give what `progress_bar` does, and what shows the stages of each part beside it."""
    with _display(*_columns()) as display:
        task = _task(display, stage, unit, total, done)
        yield _advancing(display, task), _stages(display)


@contextmanager
def working(what: str) -> Iterator[None]:
    """Show on standard error that something of unknown length is at work, and since when."""
    columns = SpinnerColumn(), _description(), TimeElapsedColumn()
    with _display(*columns, delay=WORKING_DELAY_SECONDS) as display:
        display.add_task(printable(what), total=None, unit="")
        yield


@contextmanager
def status_bar() -> Iterator[Callable[[str, int, int], None]]:
    """Give a function that shows a line of its caller's, what is done and what there is to do."""
    with _display(SpinnerColumn(), _description(), BarColumn()) as display:
        task = display.add_task("", unit=None)

        def show(line: str, done: int, total: int) -> None:
            display.update(task, description=printable(line), completed=done, total=total)

        yield show


def duration(seconds: float) -> str:
    """Return a time in words, in the unit that suits it."""
    if seconds < 60:
        return f"{seconds:.0f} s"
    if seconds < 3600:
        return f"{seconds / 60:.0f} min"
    hours, minutes = divmod(round(seconds / 60), 60)
    return f"{hours} h {minutes} min"


def _description() -> ProgressColumn:
    # A name of a model or a task may have brackets, which are no markup.
    return TextColumn("{task.description}", markup=False)


def _columns() -> tuple[ProgressColumn, ...]:
    return (
        _description(),
        BarColumn(),
        MofNCompleteColumn(),
        _RateColumn(),
        TimeElapsedColumn(),
        TextColumn("elapsed,"),
        _LeftColumn(),
    )


@contextmanager
def _display(*columns: ProgressColumn, delay: float | None = None) -> Iterator[Progress]:
    """Give a display that appears after the delay and leaves nothing behind but lines."""
    # Now, as a backend may redirect it for a while.
    stream = sys.stderr
    display = Progress(
        *columns,
        console=Console(file=stream, markup=False, emoji=False),
        transient=True,
        # What a command prints is its own: it may go to a file.
        redirect_stdout=False,
        redirect_stderr=False,
    )
    if stream.isatty():
        shown = _drawn(display, DELAY_SECONDS if delay is None else delay)
    else:
        shown = _printed(display, stream)
    with shown:
        yield display


@contextmanager
def _drawn(display: Progress, delay: float) -> Iterator[None]:
    """Draw a display on its terminal from the delay on, until the work is over."""
    over = shown = False
    lock = Lock()

    def show() -> None:
        nonlocal shown
        with lock:
            if not over:
                shown = True
                display.start()

    timer = Timer(delay, show)
    timer.daemon = True
    timer.start()
    try:
        yield
    finally:
        with lock:
            over = True
            timer.cancel()
            if shown:
                display.stop()


@contextmanager
def _printed(display: Progress, stream: TextIO) -> Iterator[None]:
    """Print a line about each stage that is shown now and then, until the work is over.

    A line with the words of the one before is left out.
    """
    over, start = Event(), time.monotonic()

    def pause() -> float:
        least, most = LINE_SECONDS
        return min(max(least, _LINE_SHARE * (time.monotonic() - start)), most)

    def show() -> None:
        last = ""
        while not over.wait(pause()):
            line = "; ".join(filter(None, map(_words, display.tasks)))
            if line == last:  # it says nothing new
                continue
            last = line
            try:
                print(line, file=stream, flush=True)
            except (OSError, ValueError):
                return  # who read it is gone, and the work goes on

    thread = Thread(target=show, name="trajsim-progress", daemon=True)
    thread.start()
    try:
        yield
    finally:
        over.set()
        thread.join()


def _words(task: Task) -> str:
    """Return what a bar shows."""
    unit = task.fields["unit"]
    if unit is None:  # its caller's own line
        return task.description
    elapsed = duration(task.elapsed or 0)
    if not unit:
        return f"{task.description}: {elapsed} so far"
    of_total = "" if task.total is None else f" of {task.total:,.0f}"
    parts = [
        f"{task.description}: {task.completed:,.0f}{of_total} {unit}s in {elapsed}",
        _rate(task),
        _left(task),
    ]
    return ", ".join(filter(None, parts))


def _stages(display: Progress) -> StageProgress:
    last: TaskID | None = None

    def start(stage: str, texts: int) -> OnProgress:
        nonlocal last
        if last is not None:
            display.remove_task(last)
        last = _task(display, stage, "pair" if stage in OF_PAIRS else "text", texts)
        return _advancing(display, last)

    return start


def _task(display: Progress, stage: str, unit: str, total: int, done: int = 0) -> TaskID:
    return display.add_task(
        printable(stage), total=total or None, completed=done, unit=unit, before=done
    )


def _advancing(display: Progress, task: TaskID) -> OnProgress:
    def on_progress(finished: int) -> None:
        if task in display.task_ids:  # else its stage is over
            display.advance(task, finished)

    return on_progress
