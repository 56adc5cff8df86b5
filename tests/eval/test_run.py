import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from click.testing import CliRunner
from scipy.stats import rankdata

from eval import datasets
from eval.cli import evaluate
from eval.datasets import read_pairs
from eval.protocol import spearman
from eval.run import evaluate_task
from similarity.config import ComparisonConfig
from similarity.errors import InputError
from similarity.models.toy import ToyModel
from similarity.pipeline import compare

FIXTURE = Path(__file__).parent / "fixture.tsv"
CONFIG = ComparisonConfig.build(n_trajectories=4, max_tokens=6)


def test_spearman_by_hand() -> None:
    scores, judgements = [0.3, 0.1, 0.9, 0.9], [2.0, 1.0, 4.0, 3.0]
    ranks = np.stack([rankdata(scores), rankdata(judgements)])
    assert spearman(scores, judgements) == pytest.approx(100 * np.corrcoef(ranks)[0, 1])
    assert spearman([1, 2, 3], [3, 2, 1]) == pytest.approx(-100)


@pytest.mark.parametrize(("scores", "judgements"), [([1], [2]), ([1, 1], [1, 2]), ([1, 2], [3, 3])])
def test_spearman_where_it_is_not_defined(scores: list[float], judgements: list[float]) -> None:
    with pytest.raises(InputError, match="two pairs or more whose scores differ"):
        spearman(scores, judgements)


def test_evaluation_is_the_comparison_of_each_pair(toy_model: ToyModel) -> None:
    pairs = read_pairs(FIXTURE)
    result = evaluate_task(toy_model, "made", pairs, CONFIG)
    expected = [compare(toy_model, pair.first, pair.second, CONFIG).distance for pair in pairs]
    assert result["distances"] == expected
    assert result["spearman"]["trajectories"] == pytest.approx(
        spearman([-d for d in expected], [pair.score for pair in pairs])
    )
    assert result["pairs"] == 6


def invoke(tmp_path: Path, *arguments: str) -> Any:
    options = ("--data", str(tmp_path), "--model", "toy", "-n", "3", "-m", "5")
    return CliRunner().invoke(evaluate, ["sts", *options, *arguments])


def test_command_writes_what_it_prints(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "made.tsv").write_text(FIXTURE.read_text())
    monkeypatch.setitem(datasets.STS_TASKS, "made", 6)
    out = tmp_path / "out.json"
    result = invoke(tmp_path, "--tasks", "made", "--limit", "5", "--out", str(out), "--json")
    assert result.exit_code == 0, result.output
    content = json.loads(result.stdout)
    assert content == json.loads(out.read_text())
    assert content["results"][0]["pairs"] == 5
    monkeypatch.chdir(tmp_path)
    table = invoke(tmp_path, "--tasks", "made").stdout
    assert (tmp_path / "runs" / "sts.json").exists()
    assert "word overlap" in table
    assert [path.name for path in tmp_path.iterdir() if path.name.startswith(".")] == []


def test_real_task(sts_data: Path, toy_model: ToyModel) -> None:
    pairs = read_pairs(sts_data / "stsb-dev.tsv")[:40]
    result = evaluate_task(toy_model, "stsb-dev", pairs, CONFIG)
    assert -100 <= result["spearman"]["trajectories"] <= 100
    assert result["spearman"]["word overlap"] > 0
