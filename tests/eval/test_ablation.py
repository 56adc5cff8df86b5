import json
from pathlib import Path

import pytest
from click.testing import CliRunner

from eval import ablation
from eval.cli import evaluate
from eval.datasets import spread
from eval.pair_files import ScoredPair, read_pairs
from eval.protocol import spearman
from similarity.api import compare
from similarity.config import ComparisonConfig
from similarity.errors import ConfigError
from similarity.models.toy import ToyModel

FIXTURE = Path(__file__).parent / "fixture.tsv"
COMMAND = ["ablate", "--data", "nowhere", "--task", str(FIXTURE), "--model", "toy"]


def test_every_figure_is_that_of_its_own_comparison(
    tmp_path: Path, toy_model: ToyModel, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, values in (("NUMBERS", (1, 2, 4)), ("MOST", 4), ("LENGTHS", (2, 3))):
        monkeypatch.setattr(ablation, name, values)
    command = [*COMMAND, "-n", "2", "-m", "3", "--out", str(tmp_path)]
    result = CliRunner().invoke(evaluate, command, catch_exceptions=False)
    assert result.exit_code == 0
    content = json.loads((tmp_path / "ablation.json").read_text())
    assert content["pairs"] == 6
    found = content["spearman"]
    assert found == json.loads(result.stdout)

    def expected(**settings: object) -> float:
        config = ComparisonConfig.build(**{"n_trajectories": 2, "max_tokens": 3, **settings})
        pairs = read_pairs(FIXTURE)
        distances = [compare(toy_model, p.first, p.second, config).distance for p in pairs]
        return spearman([-d for d in distances], [p.score for p in pairs])

    for panel, name, values in (
        ("n", "n_trajectories", (1, 2, 4)),
        ("length", "max_tokens", (2, 3)),
        ("temperature", "temperature", (0.5, 0.7, 1.0, 1.3)),
        ("distance", "distance", ("l1", "l2", "hellinger")),
        ("prompt", "prompt", ("none", "meaning", "implies")),
    ):
        for value in values:
            assert found[panel][str(value)]["value"] == pytest.approx(expected(**{name: value}))
    assert found["full stop"]["no"]["value"] == pytest.approx(expected(full_stop=False))
    assert found["full stop"]["yes"] == found["n"]["2"]


def test_settings_are_not_chosen_on_a_test_set() -> None:
    result = CliRunner().invoke(evaluate, ["ablate", "--data", "x", "--task", "stsb-test"])
    assert isinstance(result.exception, ConfigError)
    assert "is a test set" in str(result.exception)


def test_spread() -> None:
    pairs = [ScoredPair("", i, "", "") for i in range(10)]
    assert [pair.score for pair in spread(pairs, 4)] == [0, 2, 5, 7]
    assert spread(pairs, None) == spread(pairs, 11) == pairs
