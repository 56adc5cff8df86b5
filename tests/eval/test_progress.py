from collections.abc import Callable, Iterator
from contextlib import contextmanager

import pytest

from eval import progress
from eval.methods.base import Setting
from eval.pair_files import ScoredPair
from eval.plan import Chunk, Methods, Plan
from eval.progress import RunProgress
from similarity.config import ComparisonConfig
from similarity.fingerprint import Fingerprint
from similarity.models.toy import ToyModel
from tests.similarity.cli.test_progress import Log, Terminal

BOTH, ONE = "scores (20 pairs × 2 methods)", "scores (20 pairs × 1 method)"
PAIRS = [ScoredPair("", float(i), "a", "b") for i in range(10)]


@pytest.fixture
def plan() -> Plan:
    setting = Setting(model=ToyModel())
    return Plan(
        fingerprint=Fingerprint(ToyModel().info, ComparisonConfig()),
        tasks={"one": PAIRS, "two": PAIRS},
        methods=Methods(setting, [0, 1], {}),
        unlabelled={},
    )


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    now = [0.0]
    monkeypatch.setattr(progress.time, "monotonic", lambda: now[0])
    return now


def chunk(method: str, task: str = "one") -> Chunk:
    return Chunk(method, task, 0, PAIRS)


@pytest.fixture
def lines(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Return each line that is shown, on a terminal or now and then in a log."""
    shown: list[str] = []

    @contextmanager
    def status_bar() -> Iterator[Callable[[str, int, int], None]]:
        yield lambda line, _done, _total: shown.append(line)

    monkeypatch.setattr(progress, "status_bar", status_bar)
    return shown


def test_lines_have_rate_and_time_left_by_each_methods_speed(
    plan: Plan, clock: list[float], lines: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    with RunProgress() as progress:
        progress.begin(plan)
        progress.advance(chunk("trajectories"), True)
        progress.scoring(chunk("trajectories", "two"))
        clock[0] += 40
        progress.advance(chunk("trajectories", "two"), False)
        # 20 pairs of the other seed are left, at the only speed that is known.
        assert lines[-1] == f"two, trajectories: 20 of 40 {BOTH}, 0.25 scores/s, 1 min left"
        progress.scoring(chunk("trajectories, seed 1"))
        clock[0] += 60
        progress.advance(chunk("trajectories, seed 1"), False)
        # Now 10 of them at their own.
        expected = f"one, trajectories, seed 1: 30 of 40 {BOTH}, 0.2 scores/s, 1 min left"
        assert lines[-1] == expected
    assert capsys.readouterr().err == "going on: 10 scores are there\n"


def test_lines_name_a_method_that_is_prepared(plan: Plan, lines: list[str]) -> None:
    with RunProgress() as progress:
        progress.begin(plan)
        progress.preparing("trajectories")
        on_progress = progress.stage("fitting", 100)
        for _ in range(4):
            on_progress(3)
    assert lines[-1] == f"preparing trajectories (fitting, 12 of 100 texts): 0 of 40 {BOTH}"


def test_while_a_method_is_fitted_no_time_is_foretold(
    plan: Plan, clock: list[float], lines: list[str]
) -> None:
    with RunProgress() as shown:
        shown.begin(plan)
        shown.scoring(chunk("trajectories"))
        clock[0] += 50
        shown.advance(chunk("trajectories"), False)
        assert "left" in lines[-1]
        shown.preparing("trajectories, seed 1")
        shown.stage("fitting", 100)(3)
        fitting = "preparing trajectories, seed 1 (fitting, 3 of 100 texts)"
        assert lines[-1] == f"{fitting}: 10 of 40 {BOTH}"
        shown.scoring(chunk("trajectories, seed 1"))
        assert "left" in lines[-1]


def test_a_method_that_is_left_out_is_not_waited_for(
    plan: Plan, clock: list[float], lines: list[str]
) -> None:
    with RunProgress() as progress:
        progress.begin(plan)
        progress.left_out("trajectories, seed 1")
        progress.scoring(chunk("trajectories"))
        assert lines[-1] == f"one, trajectories: 0 of 20 {ONE}"
        clock[0] += 50
        progress.advance(chunk("trajectories"), False)
    assert lines[-1] == f"one, trajectories: 10 of 20 {ONE}, 0.2 scores/s, 50 s left"


def test_a_method_that_an_earlier_process_left_out_is_not_counted(
    plan: Plan, lines: list[str]
) -> None:
    """It was, so the end was never reached."""
    plan.methods.left_out["trajectories, seed 1"] = "why"
    with RunProgress() as progress:
        progress.begin(plan)
        progress.advance(chunk("trajectories"), True)
        progress.scoring(chunk("trajectories", "two"))
        progress.advance(chunk("trajectories", "two"), False)
    assert lines[-1].startswith(f"two, trajectories: 20 of 20 {ONE}")


def test_without_a_terminal_it_is_a_line_now_and_then(
    plan: Plan, monkeypatch: pytest.MonkeyPatch
) -> None:
    log = Log()
    monkeypatch.setattr("sys.stderr", log)
    monkeypatch.setattr("similarity.cli.progress.LINE_SECONDS", (0.05, 0.05))
    with RunProgress() as progress:
        progress.begin(plan)
        progress.preparing("fast")
        log.wait_for(f"preparing fast: 0 of 40 {BOTH}\n")


def test_a_terminal_has_a_bar(plan: Plan, monkeypatch: pytest.MonkeyPatch) -> None:
    terminal = Terminal()
    monkeypatch.setenv("COLUMNS", "160")
    monkeypatch.setattr("sys.stderr", terminal)
    monkeypatch.setattr("similarity.cli.progress.DELAY_SECONDS", 0)
    with RunProgress() as progress:
        progress.begin(plan)
        progress.scoring(chunk("trajectories"))
        progress.advance(chunk("trajectories"), False)
        terminal.wait_for(f"one, trajectories: 10 of 40 {BOTH}")
