import json
from collections.abc import Callable, Sequence
from itertools import permutations
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner

from similarity.arrays import FloatArray, Rows
from similarity.cli.main import main
from similarity.compat.agreement import EntailmentNLI, semantic_matrices
from similarity.entailment.estimators import ESTIMATORS
from similarity.entailment.opening import open_entailment
from similarity.entailment.profiles import ProfileEntailment
from similarity.entailment.results import Thresholds
from similarity.entailment.scorer import AFTER_QUESTION, RELATED
from similarity.errors import ConfigError, InputError
from similarity.groups.consensus import entropy, find_consensus
from similarity.meaning import raised
from similarity.models.base import OnProgress
from similarity.models.loader import load_model
from similarity.models.local import LocalModel
from similarity.vectors import MeaningVectors, fit
from similarity.vectors.meaning import Features, Group
from tests.similarity.vectors.conftest import TINY_CONFIG, sentences

TEXTS = ["the sea", "a red car", "the sea", "the sea."]


@pytest.fixture(scope="module")
def scorer(tiny: Callable[[str], LocalModel]) -> ProfileEntailment:
    return ProfileEntailment(vectors=fit(tiny("llama"), sentences(80), TINY_CONFIG))


def test_texts_that_agree_are_one_group(scorer: ProfileEntailment) -> None:
    found = find_consensus(scorer, TEXTS, threshold=0.999)
    assert [group.members for group in found.groups] == [(0, 2, 3), (1,)]
    assert [group.probability for group in found.groups] == [0.75, 0.25]
    assert found.entropy == pytest.approx(-(0.75 * np.log(0.75) + 0.25 * np.log(0.25)))
    assert found.answer == "the sea"
    assert find_consensus(scorer, ["a", "a"]).entropy == 0
    assert len(find_consensus(scorer, TEXTS, threshold=0).groups) == 1


@pytest.mark.parametrize("question", [None, "how long?"])
def test_texts_of_different_numbers_are_of_two_meanings(
    scorer: ProfileEntailment, monkeypatch: pytest.MonkeyPatch, question: str | None
) -> None:
    # Whatever the model says.
    monkeypatch.setattr(
        ProfileEntailment, "degrees", lambda _self, texts, *_: np.ones((len(texts), len(texts)))
    )
    texts = ["two days", "within two days", "six days", "6 days"]
    found = find_consensus(scorer, texts, question=question)
    assert [group.members for group in found.groups] == [(0, 1), (2, 3)]
    # But who gives a threshold gives one of degrees alone.
    assert len(find_consensus(scorer, texts, question=question, threshold=0.5).groups) == 1


def test_given_probabilities_decide(scorer: ProfileEntailment) -> None:
    given = [np.log(0.1), np.log(0.3), np.log(0.1), np.log(0.1)]
    found = find_consensus(scorer, TEXTS, log_probs=given, threshold=0.999)
    # "the sea" counts once, however often it was drawn: 0.3 against 0.1 + 0.1.
    assert [group.members for group in found.groups] == [(1,), (0, 2, 3)]
    assert found.groups[0].probability == pytest.approx(0.6)


def test_values_of_a_text_that_repeats_count_in_any_order(scorer: ProfileEntailment) -> None:
    """The last one did, so that the order decided which answer to believe."""
    given = [("the sea", -1.0), ("a car", -2.0), ("the sea", -5.0), ("the sea", -3.0)]
    found = []
    for some in permutations(given):
        texts, values = zip(*some, strict=True)
        each = find_consensus(scorer, texts, log_probs=values, threshold=1)
        found.append((each.answer, each.entropy, each.groups[0].probability))
    assert len(set(found)) == 1
    assert found[0][0] == "a car"
    assert found[0][2] == pytest.approx(1 / (1 + np.exp(-1)))


def test_a_question_comes_before_each_text(scorer: ProfileEntailment) -> None:
    found = find_consensus(scorer, ["sea", "car"], question="red or blue? ")
    alone = scorer.degrees(["red or blue? sea", "red or blue? car"])
    np.testing.assert_allclose(found.degrees, alone)


def test_a_question_makes_all_alike_so_the_threshold_is_of_texts_after_it(
    scorer: ProfileEntailment,
) -> None:
    after = scorer.thresholds(question="red or blue? ")
    assert after != scorer.thresholds()
    texts = scorer._fitting("red or blue?", scorer.sentences()[:AFTER_QUESTION])
    degrees = scorer.degrees(texts)
    either = np.maximum(degrees, degrees.T)[np.triu_indices(len(texts), 1)]
    assert after.related == pytest.approx(np.quantile(either, RELATED))
    found = find_consensus(scorer, ["sea", "car"], question="red or blue?")
    assert found.threshold == after.same
    with pytest.raises(InputError, match="leaves no room for answers"):
        scorer.thresholds(question="x" * 10_000)


def test_answers_that_differ_are_not_joined_by_their_question() -> None:
    scorer = open_entailment(load_model("embedded"), "weeds-fifth")
    assert isinstance(scorer, ProfileEntailment)
    for question, one, other in (
        ("What is the capital of France?", "Paris.", "London."),
        ("Which colour is the sky?", "Blue.", "Green."),
    ):
        found = find_consensus(scorer, [one, other, one], question=question)
        assert [group.members for group in found.groups] == [(0, 2), (1,)]


def test_own_words_part_what_a_question_makes_alike(scorer: ProfileEntailment) -> None:
    limits = Thresholds(related=0.9, same=0.95)
    texts = ["In 1945.", "1918", "the sea", "a sea", "red cars"]
    # The question makes all of them alike, and years the most.
    degrees = np.full((5, 5), 0.98)
    degrees[0, 1] = degrees[1, 0] = degrees[2, 3] = degrees[3, 2] = 1.0

    class Fixed(ProfileEntailment):
        def thresholds(self, progress: object = None, question: str | None = None) -> Thresholds:
            return limits

        def degrees(self, texts: Sequence[str], progress: object = None) -> FloatArray:
            return degrees

    fixed = Fixed(vectors=scorer.vectors)
    found = find_consensus(fixed, texts, question="When or what?")
    assert [group.members for group in found.groups] == [(2, 3), (0,), (1,), (4,)]
    assert found.threshold == limits.same
    of_degrees = find_consensus(fixed, texts, question="When or what?", threshold=0.95)
    assert [group.members for group in of_degrees.groups] == [(0, 1, 2, 3, 4)]


def test_repeated_texts_cost_once(scorer: ProfileEntailment) -> None:
    asked: list[int] = []

    def read(texts: Sequence[str], _: OnProgress) -> Features:
        asked.append(len(texts))
        return scorer.vectors.read(texts)

    counting = ProfileEntailment(vectors=scorer.vectors, read=read)
    counting.thresholds()
    asked.clear()
    find_consensus(counting, ["a", "b"] * 20)
    assert asked == [2]


@pytest.mark.parametrize("name", ["weeds-fifth", "weeds-squared", "clarke"])
def test_the_matrix_is_that_of_pairs(scorer: ProfileEntailment, name: str) -> None:
    texts = sentences(5, seed=4)
    one = ProfileEntailment(vectors=scorer.vectors, estimator=name)
    group = one.vectors.groups["profile"]
    rows = raised(one.vectors, group, group.reader.rows(one.vectors.model, texts))
    expected = [[ESTIMATORS[name].degree(a, b) for b in rows] for a in rows]
    np.testing.assert_allclose(one.degrees(texts), expected, rtol=1e-6)


def test_the_rows_of_many_texts_are_not_held_at_once(
    scorer: ProfileEntailment, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Those of 512 texts over a large vocabulary took 600 MB, of each request of a service."""
    held: list[int] = []

    def counting(vectors: MeaningVectors, group: Group, rows: Rows) -> FloatArray:
        held.append(len(rows))
        return raised(vectors, group, rows)

    monkeypatch.setattr("similarity.entailment.profiles.raised", counting)
    texts = sentences(150, seed=5)
    one = scorer.degrees(texts)
    assert max(held) <= 64
    # The blocks are put together in their places.
    monkeypatch.setattr("similarity.entailment.evidence.TOGETHER", 1_000)
    np.testing.assert_allclose(one, scorer.degrees(texts), rtol=1e-12)


def test_entropy() -> None:
    assert entropy([0.5, 0.5, 0.0]) == pytest.approx(np.log(2))
    assert entropy([1.0]) == 0


def test_what_is_wrong_is_refused(scorer: ProfileEntailment) -> None:
    with pytest.raises(InputError, match="no texts"):
        find_consensus(scorer, [])
    with pytest.raises(InputError, match="one log-probability a text"):
        find_consensus(scorer, ["a"], log_probs=[0.0, 0.0])
    with pytest.raises(InputError, match="finite"):
        find_consensus(scorer, ["a"], log_probs=[-np.inf])
    for wrong in (0.3, 700.0, np.nan, np.inf):
        with pytest.raises(InputError, match=r"^log_probs\[1\] is .* of at most 0; give log P"):
            find_consensus(scorer, ["a", "b"], log_probs=[-1.0, wrong])
    with pytest.raises(ConfigError, match="threshold"):
        find_consensus(scorer, ["a"], threshold=2)


def test_a_group_of_all_texts_has_the_probability_1(scorer: ProfileEntailment) -> None:
    texts = [f"the sea{'.' * number}" for number in range(12)]
    uneven = [[-number / scale for number in range(12)] for scale in (0.01, 3, 7, 11)]
    for given in (*uneven, [1e-7] * 12, None):
        found = find_consensus(scorer, texts, log_probs=given, threshold=0)
        assert [len(group.members) for group in found.groups] == [12]
        assert (found.groups[0].probability, found.entropy) == (1, 0)


def test_the_interface_of_uqlm(scorer: ProfileEntailment) -> None:
    nli = EntailmentNLI(scorer)
    same = nli.get_nli_results("the sea", "the sea")
    assert same == {"noncontradiction_score": 1, "entailment": True, "entailment_score": 1}
    forth, back = nli.get_nli_results_batch([("sea", "a red car"), ("a red car", "sea")])
    assert forth == back
    assert nli.get_nli_results_batch([]) == []


def test_the_interface_of_lm_polygraph(scorer: ProfileEntailment) -> None:
    found = semantic_matrices(scorer, TEXTS)
    entail = found["semantic_matrix_entail"]
    assert entail.shape == (4, 4)
    np.testing.assert_array_equal(np.diag(entail), 1)
    np.testing.assert_array_equal(entail[0], entail[2])
    np.testing.assert_array_equal(found["semantic_matrix_contra"], 1 - entail)


def test_inside_uqlm(scorer: ProfileEntailment) -> None:
    cluster = pytest.importorskip("uqlm.nli.cluster", reason="needs uqlm")
    clusterer = cluster.SemanticClusterer(EntailmentNLI(scorer))
    best, groups, *_ = clusterer.evaluate(TEXTS, response_probabilities=[0.25] * 4)
    assert best in TEXTS
    assert sorted(text for group in groups for text in group) == sorted(TEXTS)


def test_the_command(tmp_path: Path) -> None:
    file = tmp_path / "answers.txt"
    file.write_text("a red car\na red car\nthe sea\n", encoding="utf-8")
    result = CliRunner().invoke(main, ["consensus", str(file), "--model", "toy", "--json"])
    assert result.exit_code == 0, result.output
    content = json.loads(result.stdout)
    assert sum(group["probability"] for group in content["groups"]) == pytest.approx(1)
    table = CliRunner().invoke(main, ["consensus", str(file), "--model", "toy"])
    assert "semantic entropy" in table.output


def test_the_table_shows_every_text_of_a_group_once(tmp_path: Path) -> None:
    file = tmp_path / "answers.txt"
    file.write_text("in 1969\nin 1972\nin 1972\n", encoding="utf-8")
    options = ["--model", "toy", "--threshold", "0"]
    result = CliRunner().invoke(main, ["consensus", str(file), *options])
    assert result.exit_code == 0, result.output
    (row,) = (line for line in result.stdout.splitlines() if "1.000" in line)
    assert (row.count("in 1969"), row.count("in 1972")) == (1, 1)


@pytest.mark.parametrize(
    ("question", "why"),
    [
        (" ", "the question is empty or only white space"),
        ("\u200b", "the question is empty or only white space"),
        ("a\0b", "the question has a NUL character; take it out"),
    ],
)
def test_a_question_is_a_text(scorer: ProfileEntailment, question: str, why: str) -> None:
    with pytest.raises(InputError, match=why):
        find_consensus(scorer, ["sea", "car"], question=question)
