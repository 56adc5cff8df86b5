import json
import re
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner

from eval.direction import (
    alike,
    area,
    chosen,
    direction,
    joint_likelihood,
    word_inclusion,
    word_length,
)
from similarity.cli.main import main
from similarity.models.toy import ToyModel

PAIRS = [("a red car stops", "a car stops"), ("the old sea", "the sea"), ("a man", "a b c")]
NLI = "label\tsentence1\tsentence2\n" + "".join(
    f"{label}\ta red car {i}\tthe sea {i}\n"
    for i, label in enumerate(["entailment", "neutral", "contradiction"] * 3)
)


def test_the_order_shown_changes_no_antisymmetric_score() -> None:
    for seed in range(4):
        assert direction(word_length, PAIRS, seed).value == pytest.approx(200 / 3)
    # What always takes the first is right as often as the coin is.
    figure = direction(lambda pairs: [1.0] * len(pairs), PAIRS * 200, 0)
    assert figure.low is not None
    assert figure.high is not None
    assert figure.low < 50 < figure.high
    assert direction(lambda pairs: [0.0] * len(pairs), PAIRS, 0).value == 50


def test_the_area_by_hand() -> None:
    figure = area(np.array([3.0, 1.0]), np.array([2.0, 1.0, 0.0]), 0)
    assert figure.value == pytest.approx(100 * (3 + 1.5) / 6)
    assert figure.low is not None
    assert figure.high is not None
    assert figure.low <= figure.value <= figure.high
    assert figure.pairs == 5


def test_fewer_than_five_pairs_have_no_interval(tmp_path: Path) -> None:
    for count in (1, 4, 5):
        figure = direction(word_length, [PAIRS[0]] * count, 0)
        assert (figure.low is None) == (figure.high is None) == (count < 5)
    few = tmp_path / "few.tsv"
    few.write_text("hyponym\thypernym\n" + "a dog\tan animal\n" * 4)
    command = ["eval", "hyponymy", str(few), "--model", "toy"]
    result = CliRunner().invoke(main, command)
    assert result.exit_code == 0, result.output
    assert " to " not in result.stdout
    assert "–" in result.stdout
    assert "no interval of fewer than 5 pairs" in result.stdout
    found = json.loads(CliRunner().invoke(main, [*command, "--json"]).stdout)
    assert all(one["low"] is None for one in found["direction"].values())


def test_the_words_that_a_premise_has() -> None:
    assert word_inclusion([("A dog runs.", "The dog"), ("a", "a A")]) == [1 / 2, 1]


def test_pairs_are_drawn_by_the_seed() -> None:
    assert chosen(range(50), 5, 1) == chosen(range(50), 5, 1) != chosen(range(50), 5, 2)
    assert sorted(chosen(range(5), None, 0)) == list(range(5))
    assert alike(PAIRS[0])
    assert not alike(("a b c d e", "a b"))


def test_joint_likelihood_finds_the_longer(toy_model: ToyModel) -> None:
    forth, back = joint_likelihood(toy_model)([("a red car", "a car"), ("a car", "a red car")])
    assert forth == -back > 0


@pytest.mark.parametrize(
    ("rows", "named"),
    [
        ("yes,a,b\nno,a,c\n", "no pair has the label 'entailment', as "),
        ("yes,a,b\nno,a,c\n", "the labels are 'no', 'yes'"),
        ("", "rows below it; it has none"),
    ],
)
def test_a_file_without_the_label_is_refused_by_its_labels(
    tmp_path: Path, rows: str, named: str
) -> None:
    file = tmp_path / "pairs.csv"
    file.write_text(f"label,sentence1,sentence2\n{rows}", encoding="utf-8")
    result = CliRunner().invoke(main, ["eval", "entailment", str(file), "--model", "toy"])
    assert result.exit_code != 0
    assert named in result.stderr


@pytest.mark.parametrize("label", ["n/a [/]", "[u]y", ":id:", "a\\", "[/x]:id:"])
def test_a_label_is_shown_as_it_is_written(tmp_path: Path, label: str) -> None:
    """Brackets ended the command in an error of markup, after all its work."""
    file = tmp_path / "pairs.csv"
    file.write_text(f"label,sentence1,sentence2\nentailment,a dog,a b\n{label},a c,b d\n")
    command = ["eval", "entailment", str(file), "--model", "toy", "--no-likelihoods"]
    result = CliRunner().invoke(main, command)
    assert result.exit_code == 0, result.output
    assert f"area against {label} \n" in re.sub(" +", " ", result.stdout)


@pytest.mark.longer
def test_the_commands(tmp_path: Path) -> None:
    file = tmp_path / "pairs.tsv"
    file.write_text(NLI, encoding="utf-8")
    result = CliRunner().invoke(
        main, ["eval", "entailment", str(file), "--model", "toy", "--limit", "3", "--json"]
    )
    assert result.exit_code == 0, result.output
    found = json.loads(result.stdout)
    assert found["direction"]["length in words"]["value"] == 100
    assert {"direction, like length", "area against neutral", "area against contradiction"} < set(
        found
    )
    assert found["area against neutral"]["word overlap"]["value"] == 50
    assert found["area against the rest"]["words that the premise has"]["pairs"] == 9
    words = tmp_path / "words.tsv"
    words.write_text("hyponym\thypernym\ndog\tanimal\ncar\tvehicle\n", encoding="utf-8")
    table = CliRunner().invoke(main, ["eval", "hyponymy", str(words), "--model", "toy"])
    assert table.exit_code == 0, table.output
    assert "frequency of the word" in table.output
