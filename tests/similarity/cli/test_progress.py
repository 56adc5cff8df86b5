import io
import sys

import pytest

from similarity.cli import progress
from similarity.cli.progress import progress_bar, progress_bars


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def draw(monkeypatch: pytest.MonkeyPatch, stream: io.StringIO, delay: float) -> str:
    monkeypatch.setattr(sys, "stderr", stream)
    monkeypatch.setattr(progress, "DELAY_SECONDS", delay)
    with progress_bars() as start:
        for stage in ("sampling", "scoring"):
            advance = start(stage, 3)
            advance(2)
            advance(1)
    return stream.getvalue()


def test_bars_on_a_terminal(monkeypatch: pytest.MonkeyPatch) -> None:
    drawn = draw(monkeypatch, Terminal(), delay=0)
    assert "sampling" in drawn
    assert "scoring" in drawn


def test_no_bars_elsewhere_or_on_short_work(monkeypatch: pytest.MonkeyPatch) -> None:
    assert draw(monkeypatch, io.StringIO(), delay=0) == ""
    assert draw(monkeypatch, Terminal(), delay=60) == ""


def test_one_bar_goes_on_from_what_was_done(monkeypatch: pytest.MonkeyPatch) -> None:
    terminal = Terminal()
    monkeypatch.setattr(sys, "stderr", terminal)
    monkeypatch.setattr(progress, "DELAY_SECONDS", 0)
    with progress_bar("scoring", "line", total=8, done=4) as advance:
        advance(2)
    assert "| 4/8 " in terminal.getvalue()
    assert "line/s" in terminal.getvalue()
