import pytest

from eval import progress
from eval.methods.base import Setting
from eval.pair_files import ScoredPair
from eval.plan import Chunk, Methods, Plan
from eval.progress import RunProgress
from similarity.config import ComparisonConfig
from similarity.fingerprint import Fingerprint
from similarity.models.toy import ToyModel
from tests.similarity.cli.test_progress import Terminal

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


def test_lines_have_rate_and_time_left_by_each_methods_speed(
    plan: Plan, clock: list[float], capsys: pytest.CaptureFixture[str]
) -> None:
    with RunProgress() as told:
        told.begin(plan)
        told.advance(chunk("trajectories"), True)
        told.scoring(chunk("trajectories", "two"))
        clock[0] += 40
        told.advance(chunk("trajectories", "two"), False)
        told.scoring(chunk("trajectories, seed 1"))
        clock[0] += 60
        told.advance(chunk("trajectories, seed 1"), False)
    first, second, third = capsys.readouterr().err.splitlines()
    assert first == "going on: 10 of 40 pairs are there"
    # 20 pairs of the other seed are left, at the only speed that is known.
    assert second == "two, trajectories: 20 of 40 pairs, 0.25 pairs/s, 1 min left"
    # Now 10 of them at their own.
    assert third == "one, trajectories, seed 1: 30 of 40 pairs, 0.2 pairs/s, 1 min left"


def test_lines_come_now_and_then_also_while_a_method_is_prepared(
    plan: Plan, clock: list[float], capsys: pytest.CaptureFixture[str]
) -> None:
    with RunProgress() as told:
        told.begin(plan)
        told.preparing("trajectories")
        on_progress = told.stage("fitting", 100)
        for _ in range(10):
            clock[0] += 10
            on_progress(3)
    lines = capsys.readouterr().err.splitlines()
    assert lines[0] == "preparing trajectories (fitting, 12 of 100 texts): 0 of 40 pairs"
    assert len(lines) == 2


def test_a_method_that_is_left_out_is_not_waited_for(
    plan: Plan, clock: list[float], capsys: pytest.CaptureFixture[str]
) -> None:
    with RunProgress() as told:
        told.begin(plan)
        told.left_out("trajectories, seed 1")
        told.scoring(chunk("trajectories"))
        clock[0] += 50
        told.advance(chunk("trajectories"), False)
    assert capsys.readouterr().err == "one, trajectories: 10 of 20 pairs, 0.2 pairs/s, 50 s left\n"


def test_a_terminal_has_a_bar(plan: Plan, monkeypatch: pytest.MonkeyPatch) -> None:
    terminal = Terminal()
    monkeypatch.setenv("COLUMNS", "160")
    monkeypatch.setattr("sys.stderr", terminal)
    monkeypatch.setattr("similarity.cli.progress.DELAY_SECONDS", 0)
    with RunProgress() as told:
        told.begin(plan)
        told.scoring(chunk("trajectories"))
        told.advance(chunk("trajectories"), False)
        terminal.wait_for("one, trajectories: 10 of 40 pairs")
