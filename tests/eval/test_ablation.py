import json
from collections.abc import Mapping
from pathlib import Path

import pytest
from click.testing import CliRunner

from eval import ablation
from eval.cli import evaluate
from eval.datasets import spread
from eval.pair_files import ScoredPair, read_pairs
from eval.protocol import spearman
from similarity.api import compare
from similarity.cli.main import main
from similarity.config import ComparisonConfig
from similarity.errors import ConfigError, InputError
from similarity.models.toy import ToyModel

FIXTURE = Path(__file__).parent / "fixture.tsv"
COMMAND = ["ablate", "--data", "nowhere", "--task", str(FIXTURE), "--model", "toy"]


# The paper's settings but for their size, and others in every panel.
BASES: list[dict[str, object]] = [
    {"n_trajectories": 2, "max_tokens": 3},
    {
        "n_trajectories": 6,
        "max_tokens": 4,
        "full_stop": False,
        "prompt": "implies",
        "temperature": 0.9,
        "top_k": 20,
        "distance": "hellinger",
    },
]


def options(settings: Mapping[str, object]) -> list[str]:
    found = ["--no-full-stop"] if settings.get("full_stop") is False else []
    for name, value in settings.items():
        if name != "full_stop":
            found += ["--" + name.replace("_", "-"), str(value)]
    return found


@pytest.mark.parametrize("base", BASES, ids=["plain", "other"])
def test_every_figure_is_that_of_its_own_comparison(
    base: dict[str, object], tmp_path: Path, toy_model: ToyModel, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, values in (("NUMBERS", (1, 2, 4)), ("LENGTHS", (2, 3))):
        monkeypatch.setattr(ablation, name, values)
    command = [*COMMAND, *options(base), "--out", str(tmp_path)]
    result = CliRunner().invoke(evaluate, command, catch_exceptions=False)
    assert result.exit_code == 0
    path = tmp_path / "ablation.json"
    content = json.loads(path.read_text())
    digest = content["digest"]
    path.write_text(path.read_text().replace(f'"{digest}"', f'"{digest[::-1]}"'))
    refused = CliRunner().invoke(main, ["eval", "report", str(tmp_path)])
    assert f"{path} is damaged: a value is not what was written" in refused.stderr
    assert content["pairs"] == 6
    found = content["spearman"]
    assert found == json.loads(result.stdout)

    def expected(**settings: object) -> float:
        config = ComparisonConfig.build(**{**base, **settings})
        pairs = read_pairs(FIXTURE)
        distances = [compare(toy_model, p.first, p.second, config).distance for p in pairs]
        return spearman([-d for d in distances], [p.score for p in pairs])

    plain = expected()
    for panel, name, values in (
        ("n", "n_trajectories", {1, 2, 4, base["n_trajectories"]}),
        ("length", "max_tokens", {2, 3, base["max_tokens"]}),
        ("temperature", "temperature", {0.5, 0.7, 1.0, 1.3, base.get("temperature", 1.0)}),
        ("distance", "distance", {"l1", "l2", "hellinger"}),
        ("prompt", "prompt", {"none", "meaning", "implies"}),
    ):
        for value in values:
            assert found[panel][str(value)]["value"] == pytest.approx(expected(**{name: value}))
        # The base itself is in each panel, under its own value.
        own = str({"temperature": 1.0, "distance": "l1", "prompt": "none", **base}[name])
        assert found[panel][own]["value"] == pytest.approx(plain)
    for value, full_stop in (("no", False), ("yes", True)):
        expected_one = expected(full_stop=full_stop)
        assert found["full stop"][value]["value"] == pytest.approx(expected_one)


@pytest.mark.parametrize("distance", ["step-kl", "centred-cosine"])
def test_a_distance_of_another_kind_is_refused_before_any_work(
    distance: str, tmp_path: Path
) -> None:
    command = [*COMMAND, "--distance", distance, "--out", str(tmp_path / "out")]
    result = CliRunner().invoke(evaluate, command)
    assert isinstance(result.exception, ConfigError)
    assert "give --distance one of l1, l2" in str(result.exception)
    assert not (tmp_path / "out").exists()


def test_settings_are_not_chosen_on_a_test_set() -> None:
    result = CliRunner().invoke(evaluate, ["ablate", "--data", "x", "--task", "stsb-test"])
    assert isinstance(result.exception, ConfigError)
    assert "is a test set" in str(result.exception)


def test_spread() -> None:
    pairs = [ScoredPair("", i, "", "") for i in range(10)]
    assert [pair.score for pair in spread(pairs, 4)] == [0, 2, 5, 7]
    assert spread(pairs, None) == spread(pairs, 11) == pairs


def test_a_part_is_marked_as_that(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """It was marked neither in the file nor where it is printed or drawn."""
    for name in ("NUMBERS", "LENGTHS"):
        monkeypatch.setattr(ablation, name, (1,))
    own = tmp_path / "own.tsv"
    own.write_bytes(FIXTURE.read_bytes())
    command = ["ablate", "--data", "nowhere", "--task", str(own), "--model", "toy", "-n", "1"]
    for limit, part in (("4", f"only 4 of the 6 pairs of {own}"), ("6", ""), ("9", "")):
        out = tmp_path / limit
        options = ["-m", "1", "--limit", limit, "--out", str(out)]
        result = CliRunner().invoke(evaluate, [*command, *options], catch_exceptions=False)
        assert [line for line in result.stderr.splitlines() if "only" in line] == [part][
            : len(part)
        ]
        content = json.loads((out / "ablation.json").read_text())
        assert (content["pairs"], content["whole"]) == (min(int(limit), 6), 6)
        results = json.loads((out / "base" / "results.json").read_text())
        assert results["tasks"][str(own)]["whole"] == 6
        report = CliRunner().invoke(evaluate, ["report", str(out)], catch_exceptions=False)
        assert report.exit_code == 0
        text = (out / "report" / "report.md").read_text()
        assert f"at a time, {part or f'{own}, 6 pairs'}, with" in text


def test_a_file_of_no_ablation_is_not_replaced(tmp_path: Path) -> None:
    """It was, without a word."""
    (tmp_path / "ablation.json").write_text("mine")
    result = CliRunner().invoke(evaluate, [*COMMAND, "--out", str(tmp_path)])
    assert isinstance(result.exception, InputError)
    said = f"{tmp_path / 'ablation.json'} is there and {Path('base', 'journal.jsonl')} is not, so"
    assert said in str(result.exception)
    assert [path.name for path in tmp_path.iterdir()] == ["ablation.json"]
    assert (tmp_path / "ablation.json").read_text() == "mine"
