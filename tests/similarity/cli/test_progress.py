import io
import re
import sys
import time
from collections.abc import Callable
from contextlib import redirect_stderr

import pytest

from similarity.cli import progress
from similarity.cli.progress import (
    duration,
    progress_bar,
    progress_bars,
    progress_in_parts,
    status_bar,
    working,
)


class Log(io.StringIO):
    """Standard error that is no terminal, as in a file or a CI."""

    def wait_for(self, text: str) -> None:
        """Wait until something is drawn, as the display has a thread of its own."""
        deadline = time.monotonic() + 30
        while text not in self.getvalue():
            assert time.monotonic() < deadline, self.getvalue()
            time.sleep(0.01)


class Terminal(Log):
    def isatty(self) -> bool:
        return True


Draw = Callable[[io.StringIO, float], None]


@pytest.fixture
def draws(monkeypatch: pytest.MonkeyPatch) -> Draw:
    monkeypatch.setenv("COLUMNS", "160")
    monkeypatch.setenv("TERM", "xterm")

    def to(stream: io.StringIO, delay: float) -> None:
        monkeypatch.setattr(sys, "stderr", stream)
        monkeypatch.setattr(progress, "DELAY_SECONDS", delay)
        monkeypatch.setattr(progress, "WORKING_DELAY_SECONDS", delay)

    return to


def test_bars_on_a_terminal(draws: Draw) -> None:
    terminal = Terminal()
    draws(terminal, 0)
    with progress_bars() as start:
        for stage in ("sampling", "scoring"):
            on_progress = start(stage, 3)
            on_progress(2)
            terminal.wait_for(stage)
            terminal.wait_for("2/3")
            on_progress(1)


@pytest.mark.parametrize(("stream", "delay"), [(io.StringIO(), 0.0), (Terminal(), 60.0)])
def test_short_work_says_nothing(stream: io.StringIO, delay: float, draws: Draw) -> None:
    draws(stream, delay)
    with progress_bars() as start, working("waiting"), progress_bar("a", "line", 2) as on_progress:
        start("sampling", 3)(3)
        on_progress(2)
        time.sleep(0.05)
    assert stream.getvalue() == ""


def test_one_bar_goes_on_from_what_was_done(draws: Draw) -> None:
    terminal = Terminal()
    draws(terminal, 0)
    with progress_bar("scoring", "line", total=8, done=4) as on_progress:
        for _ in range(2):
            on_progress(1)
            time.sleep(0.01)
        terminal.wait_for("6/8")
        terminal.wait_for("lines/s")
        terminal.wait_for("left")


def test_slow_work_is_reported_in_seconds_a_unit(
    draws: Draw, monkeypatch: pytest.MonkeyPatch
) -> None:
    terminal = Terminal()
    draws(terminal, 0)
    clock = iter(range(0, 10**6, 3))
    monkeypatch.setattr("rich.console.monotonic", lambda: float(next(clock)))
    with progress_bar("scoring", "pair", total=8) as on_progress:
        on_progress(1)
        on_progress(1)
        terminal.wait_for(" s/pair")


def test_work_of_unknown_length_says_since_when(draws: Draw) -> None:
    terminal = Terminal()
    draws(terminal, 0)
    with working("loading the model in [a folder]"):
        terminal.wait_for("loading the model in [a folder]")
        terminal.wait_for("0:00:0")


def logged(monkeypatch: pytest.MonkeyPatch) -> Log:
    """Return standard error, where a line is printed at once."""
    found = Log()
    monkeypatch.setattr(sys, "stderr", found)
    monkeypatch.setattr(progress, "LINE_SECONDS", (0.05, 0.05))
    return found


def test_without_a_terminal_lines_have_rate_and_time_left(monkeypatch: pytest.MonkeyPatch) -> None:
    log = logged(monkeypatch)
    with progress_bar("scoring", "line", total=8000, done=4000) as on_progress:
        for _ in range(2):
            on_progress(1)
            time.sleep(0.01)
        log.wait_for("left")
    last = log.getvalue().splitlines()[-1]
    assert re.fullmatch(
        r"scoring: 4,002 of 8,000 lines in 0 s, [\d.,]+ lines/s, \d+ \w+ left", last
    )


@pytest.mark.parametrize("stream", [Log(), Terminal()])
def test_the_rate_is_what_was_done_over_what_has_passed(
    stream: Log, draws: Draw, monkeypatch: pytest.MonkeyPatch
) -> None:
    draws(stream, 0)
    monkeypatch.setattr(progress, "LINE_SECONDS", (0.01, 0.01))
    now = [0.0]
    monkeypatch.setattr("rich.console.monotonic", lambda: now[0])
    with progress_bar("encoding", "text", total=401) as on_progress:
        # The first answer takes long, and the others come at once.
        now[0] = 49.9
        on_progress(1)
        now[0] = 50.0
        on_progress(299)
        stream.wait_for("6.0 texts/s")
        stream.wait_for("17 s left")


def test_a_line_has_the_stage_of_a_part_too(monkeypatch: pytest.MonkeyPatch) -> None:
    log = logged(monkeypatch)
    with progress_in_parts("scoring", "line", 8) as (on_progress, start):
        start("sampling", 3)(3)
        on_stage = start("comparing", 5)
        on_stage(2)
        log.wait_for("scoring: 0 of 8 lines in 0 s; comparing: 2 of 5 pairs in 0 s")
        on_progress(8)


def test_of_a_stream_lines_count(monkeypatch: pytest.MonkeyPatch) -> None:
    log = logged(monkeypatch)
    with progress_bars() as start:
        start("fitting", 0)(1200)
        log.wait_for("fitting: 1,200 texts in 0 s, ")


def test_a_line_is_printed_though_a_backend_redirects(monkeypatch: pytest.MonkeyPatch) -> None:
    log = logged(monkeypatch)
    with working("loading [x]"), redirect_stderr(io.StringIO()):
        log.wait_for("loading [x]: 0 s so far\n")


def test_a_line_is_not_printed_again_with_the_same_words(monkeypatch: pytest.MonkeyPatch) -> None:
    """Each line of a minute was there six times, and a blank one where nothing was shown."""
    log = logged(monkeypatch)
    monkeypatch.setattr(progress, "LINE_SECONDS", (0.01, 0.01))
    now = [0.0]
    monkeypatch.setattr("rich.console.monotonic", lambda: now[0])
    with progress_bars():
        time.sleep(0.1)
    with working("loading"):
        for seconds in (60, 61, 62, 120, 121):
            now[0] = seconds
            log.wait_for(f"{seconds // 60} min so far\n")
            time.sleep(0.1)
    lines = log.getvalue().splitlines()
    assert len(lines) == len(set(lines))
    assert "" not in lines


def test_a_log_that_is_closed_stops_no_work(monkeypatch: pytest.MonkeyPatch) -> None:
    log = logged(monkeypatch)
    with progress_bar("scoring", "line", 2) as on_progress:
        log.close()
        time.sleep(0.1)
        on_progress(2)


@pytest.mark.parametrize(
    ("seconds", "said"),
    [(0, "0 s"), (59.4, "59 s"), (80, "1 min"), (3599, "60 min"), (7500, "2 h 5 min")],
)
def test_durations(seconds: float, said: str) -> None:
    assert duration(seconds) == said


def test_names_in_bars_move_no_cursor(draws: Draw) -> None:
    """A task is called by its file, which may have any name."""
    hostile, shown = "\x1b]0;title\x07\u202e", r"\x1b]0;title\x07\u202e"
    terminal = Terminal()
    draws(terminal, 0)
    with progress_in_parts(hostile, "text", 3) as (_, stages):
        terminal.wait_for(shown)
        stages(f"2{hostile}", 2)
        terminal.wait_for(f"2{shown}")
    with status_bar() as show:
        show(f"3{hostile}", 1, 2)
        terminal.wait_for(f"3{shown}")
    with working(f"4{hostile}"):
        terminal.wait_for(f"4{shown}")
    assert "\x1b]" not in terminal.getvalue()
