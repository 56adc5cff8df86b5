from pathlib import Path
from typing import Any

import numpy as np
import pytest
from click.testing import CliRunner

from eval.calibrate import calibrate
from eval.cli import evaluate
from eval.scores import read_scores
from similarity.calibration import load_calibrations
from similarity.config import ComparisonConfig
from similarity.errors import ConfigError, InputError
from similarity.known_scales import find_calibration
from similarity.models.toy import ToyModel

FIXTURE = Path(__file__).parent / "fixture.tsv"
CONFIG = ComparisonConfig.build(n_trajectories=3, max_tokens=5)


@pytest.fixture
def run(tmp_path: Path) -> Path:
    return scored(tmp_path, FIXTURE)


def scored(folder: Path, task: Path, *more: str) -> Path:
    options = ["--data", "nowhere", "--tasks", str(task), "--model", "toy", "-n", "3", "-m", "5"]
    out = ["--out", str(folder / "run"), "--resamples", "0", "--no-baselines"]
    result = CliRunner().invoke(evaluate, ["sts", *options, *out, *more], catch_exceptions=False)
    assert result.exit_code == 0
    return folder / "run"


def test_the_file_is_for_the_runs_model_and_setting(run: Path) -> None:
    result = CliRunner().invoke(evaluate, ["calibrate", str(run)])
    assert result.exit_code == 0, result.output
    assert "warning: 6 judged pairs make a rough scale; judge 100 or more" in result.stderr
    (found,) = load_calibrations(run / "calibration.json")
    assert found.applies(ToyModel().info, CONFIG)
    assert found.fitted_on == {"tasks": [str(FIXTURE)], "pairs": 6}
    # Pooling keeps the mean: what is fitted is right on average.
    lines = list(read_scores(run))
    levels = dict(zip(found.distances, found.similarities, strict=True))
    assert levels.pop(0.0) == 1
    assert (
        min(levels.values()) <= np.mean([x["judgement"] / 5 for x in lines]) <= max(levels.values())
    )


def test_a_run_without_trajectories_is_refused_by_what_it_has(tmp_path: Path) -> None:
    run = scored(tmp_path, FIXTURE, "--no-trajectories", "--method", "fast")
    with pytest.raises(ConfigError, match="'trajectories' is no method .* by --method: fast"):
        calibrate(run)


def test_kept_for_the_user(run: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TRAJSIM_CACHE", str(tmp_path / "cache"))
    result = CliRunner().invoke(evaluate, ["calibrate", str(run), "--keep"])
    assert result.exit_code == 0, result.output
    (found,) = load_calibrations(run / "calibration.json")
    assert found.scale == "judgements"
    assert find_calibration(ToyModel(), CONFIG) == found
    assert "in force now for toy, method trajectories: your scale of judgements\n" in result.stderr
    again = CliRunner().invoke(evaluate, ["calibrate", str(run), "--keep"])
    assert "replaces your scale of judgements, fitted " in again.stderr


@pytest.mark.parametrize(
    ("method", "more", "changed"),
    [
        ("trajectories, seed 8", ("--seeds", "0,8"), {"seed": 8}),
        ("trajectories, implies", ("--method", "trajectories, implies"), {"prompt": "implies"}),
    ],
)
def test_other_trajectories_of_a_run(
    tmp_path: Path, method: str, more: tuple[str, ...], changed: dict[str, Any]
) -> None:
    found = calibrate(scored(tmp_path, FIXTURE, *more), method=method)
    config = ComparisonConfig.build(n_trajectories=3, max_tokens=5, **changed)
    assert found.applies(ToyModel().info, config)
    distances = [-line["scores"][method] for line in read_scores(tmp_path / "run")]
    # Knots stand at means of distances, and one at 0 for a text and itself.
    at_zero, *knots = found.distances
    assert at_zero == 0
    assert min(distances) <= knots[0] <= knots[-1] <= max(distances)


def test_what_cannot_be_fitted(run: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(ConfigError, match="the judgements are from 0 to 5, and the scale from 0"):
        calibrate(run, (0, 4))
    with pytest.raises(InputError, match="not finished; give the command of the run again"):
        calibrate(tmp_path)
    monkeypatch.setattr("eval.calibrate.SEVEN", (str(FIXTURE),))
    with pytest.raises(ConfigError, match="fit on pairs that nothing is tested on"):
        calibrate(run)
