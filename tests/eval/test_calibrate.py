from pathlib import Path
from typing import Any

import numpy as np
import pytest
from click.testing import CliRunner

from eval.calibrate import calibrate
from eval.cli import evaluate
from eval.runs import read_results, write_results
from eval.scores import read_scores, write_scores
from similarity.calibration import load_calibrations
from similarity.config import ComparisonConfig
from similarity.errors import ConfigError, InputError
from similarity.known_scales import find_calibration
from similarity.models.toy import ToyModel
from similarity.scorers import open_scorer

FIXTURE = Path(__file__).parent / "fixture.tsv"
CONFIG = ComparisonConfig.build(n_trajectories=3, max_tokens=5)


@pytest.fixture
def run(tmp_path: Path) -> Path:
    return scored(tmp_path, FIXTURE)


def scored(folder: Path, task: Path, *more: str) -> Path:
    sampling = [] if "--no-trajectories" in more else ["-n", "3", "-m", "5"]
    options = ["--data", "nowhere", "--tasks", str(task), "--model", "toy", *sampling]
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
    assert found.fitted_on == {
        "tasks": [str(FIXTURE)],
        "pairs": 6,
        "rank correlation": found.fitted_on["rank correlation"],
    }
    # Pooling keeps the mean: what is fitted is right on average.
    lines = list(read_scores(run))
    levels = dict(zip(found.distances, found.similarities, strict=True))
    assert levels.pop(0.0) == 1
    assert (
        min(levels.values()) <= np.mean([x["judgement"] / 5 for x in lines]) <= max(levels.values())
    )


def test_a_run_without_trajectories_is_refused_by_what_it_has(tmp_path: Path) -> None:
    run = scored(tmp_path, FIXTURE, "--no-trajectories", "--method", "fast")
    with pytest.raises(ConfigError, match="'trajectories' is no method .* by --method: 'fast'"):
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
    (kept,) = (tmp_path / "cache" / "calibrations").iterdir()
    kept.write_text("[{")
    mended = CliRunner().invoke(evaluate, ["calibrate", str(run), "--keep"])
    assert f"replaces the damaged {kept}" in mended.stderr
    assert find_calibration(ToyModel(), CONFIG) == found


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


@pytest.mark.parametrize("command", ["calibrate", "report"])
def test_scores_that_were_changed_are_refused(run: Path, command: str) -> None:
    lines = [{**line, "judgement": 5.0} for line in read_scores(run)]
    write_scores(run, lines)
    result = CliRunner().invoke(evaluate, [command, str(run)])
    assert isinstance(result.exception, InputError)
    assert "not the scores of its results.json" in str(result.exception)


def test_a_run_without_a_digest_of_its_scores_is_read(run: Path) -> None:
    content = read_results(run)
    del content["scores_sha256"]
    write_results(run / "results.json", content)
    assert calibrate(run).fitted_on["pairs"] == 6


def test_judgements_that_are_distances_or_on_another_scale(tmp_path: Path) -> None:
    task = tmp_path / "pairs.csv"
    texts = [" ".join(["the sea"] * (i % 3) + ["a dog"] * i) + "." for i in range(1, 21)]
    model = open_scorer(ToyModel(), "fast")
    distances = [score.distance for score in model.score([(texts[0], text) for text in texts])]

    def judged(judgements: list[float], name: str) -> Path:
        rows = [f"{j},{texts[0]},{text}" for j, text in zip(judgements, texts, strict=True)]
        task.write_text("score,sentence1,sentence2\n" + "\n".join(rows) + "\n")
        (folder := tmp_path / name).mkdir()
        return scored(folder, task, "--no-trajectories", "--method", "fast")

    with pytest.raises(InputError, match="where they are distances, turn them round"):
        calibrate(judged([4 * d for d in distances], "turned"), method="fast")
    right = judged([max(0, 1 - d) for d in distances], "narrow")
    result = CliRunner().invoke(evaluate, ["calibrate", str(right), "--method", "fast"])
    assert result.exit_code == 0, result.output
    assert "a small part of the scale from 0 to 5" in result.stderr
    assert "--scale 0 1" in result.stderr


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("calibration.json", "is no file of scales: .*; name another file"),
        ("none/there.json", "there is no folder"),
    ],
)
def test_a_place_where_no_scale_can_be_added_is_refused_before_one_is_fitted(
    name: str, said: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Everything was computed first."""
    monkeypatch.setattr("eval.calibrate_cli.fit_calibration", lambda *_: pytest.fail("fitted"))
    (tmp_path / "calibration.json").write_text("[{")
    command = ["calibrate", str(tmp_path), "--out", str(tmp_path / name)]
    with pytest.raises(InputError, match=said):
        CliRunner().invoke(evaluate, command, catch_exceptions=False)
