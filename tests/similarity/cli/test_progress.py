import io
import sys
import time
from collections.abc import Callable

import pytest

from similarity.cli import progress
from similarity.cli.progress import progress_bar, progress_bars, working


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True

    def wait_for(self, text: str) -> None:
        """Wait until something is drawn, as the display has a thread of its own."""
        deadline = time.monotonic() + 30
        while text not in self.getvalue():
            assert time.monotonic() < deadline, self.getvalue()
            time.sleep(0.01)


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
def test_no_bars_elsewhere_or_on_short_work(stream: io.StringIO, delay: float, draws: Draw) -> None:
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
        terminal.wait_for("line/s")
        terminal.wait_for("left")


def test_slow_work_is_told_in_seconds_a_unit(draws: Draw, monkeypatch: pytest.MonkeyPatch) -> None:
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
    with working("loading the model"):
        terminal.wait_for("loading the model")
        terminal.wait_for("0:00:0")
