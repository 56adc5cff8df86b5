"""The default model, where its wheel is installed: what holds of the embedded model holds of it."""

import re

import numpy as np
import pytest

from similarity import ComparisonConfig, compare, compare_pairs, load_model
from similarity.compat.cross_encoder import TrajectoryCrossEncoder
from similarity.entailment import kinds
from similarity.entailment.hyponymy import contain
from similarity.entailment.kinds import ALIKE, FIRST_IS, SECOND_IS
from similarity.entailment.opening import open_entailment
from similarity.entailment.profiles import ProfileEntailment
from similarity.entailment.results import BACKWARD, FORWARD, NEITHER
from similarity.groups.consensus import find_consensus
from similarity.models import wheel
from similarity.models.base import Ability, LanguageModel
from similarity.models.loader import SMOLLM2, SMOLLM2_ASSETS
from tests.conftest import ROOT

PAIRS = [
    ("A man is playing a guitar.", "Someone plays an instrument."),
    ("Two dogs run.", "The council voted on the budget yesterday."),
]
CONFIG = ComparisonConfig.build(n_trajectories=3, max_tokens=6)


@pytest.fixture(scope="module")
def smollm2() -> LanguageModel:
    if not wheel.is_available():
        pytest.skip(f"needs the wheel of smollm2: {wheel.INSTALL}")
    return load_model(SMOLLM2)


def test_what_it_is(smollm2: LanguageModel) -> None:
    assert smollm2.info.name == SMOLLM2
    assert smollm2.info.revision == f"sha256:{wheel.SHA256[:16]}"
    assert smollm2.assets == SMOLLM2_ASSETS
    assert smollm2.abilities == set(Ability) - {Ability.IMAGES}
    text = "Grüße,  犬\0 <|im_end|>."
    ids = smollm2.encode(text)
    assert smollm2.end_ids.isdisjoint(ids)
    assert smollm2.decode(ids) == text


def test_it_knows_the_language(smollm2: LanguageModel) -> None:
    prefixes = [smollm2.encode(text) for text in ("The capital of France is", "He drank a cup of")]
    (paris,), (tea,) = (smollm2.encode(word) for word in (" Paris", " tea"))
    first, second = smollm2.next_log_probs(prefixes, [paris, tea])
    assert first[0] > np.log(0.1) > first[1]
    assert second[1] > np.log(0.05) > second[0]


def test_identity_determinism_and_batches(smollm2: LanguageModel) -> None:
    same = ("A man is playing a guitar.", "A man is playing a guitar.")
    together = compare_pairs(smollm2, [same, *PAIRS], CONFIG)
    assert (together[0].distance, together[0].similarity) == (0, 1)
    for pair, joined in zip(PAIRS, together[1:], strict=True):
        alone = compare(smollm2, *pair, CONFIG)
        assert joined.trajectories == alone.trajectories
        np.testing.assert_allclose(joined.log_likelihoods, alone.log_likelihoods, atol=1e-4)


def test_the_adapter_ranks_by_the_best_scorer_there_is(smollm2: LanguageModel) -> None:
    documents = ["refund", "change your password", "delivery times"]
    ranked = TrajectoryCrossEncoder(smollm2).rank("reset password", documents)
    assert [found["corpus_id"] for found in ranked] == [1, 0, 2]


@pytest.mark.longer
def test_what_entails_what(smollm2: LanguageModel) -> None:
    scorer = open_entailment(smollm2)
    pairs = [("A dog runs.", "An animal moves."), PAIRS[1]]
    verdicts = [found.verdict for found in scorer.judge(pairs)]
    assert verdicts == [FORWARD, NEITHER]
    assert scorer.judge([pairs[0][::-1]])[0].verdict == BACKWARD


@pytest.mark.longer
def test_answers_of_different_numbers_and_names_are_parted(smollm2: LanguageModel) -> None:
    scorer = open_entailment(smollm2)
    assert isinstance(scorer, ProfileEntailment)
    for question, texts in (
        ("When did the war end?", ["In 1945.", "1945", "It ended in 1918."]),
        ("How many legs has a spider?", ["8", "It has eight legs.", "Six legs."]),
        ("Who wrote Hamlet?", ["Shakespeare.", "William Shakespeare wrote it.", "Marlowe."]),
    ):
        found = find_consensus(scorer, texts, question=question)
        assert [group.members for group in found.groups] == [(0, 1), (2,)]


@pytest.mark.longer
def test_what_is_a_kind_of_what(smollm2: LanguageModel) -> None:
    scorer = open_entailment(smollm2)
    assert isinstance(scorer, ProfileEntailment)
    for words, verdict in (
        (("dog", "animal"), FIRST_IS),
        (("animal", "dog"), SECOND_IS),
        (("car", "automobile"), ALIKE),
        (("dog", "justice"), kinds.NEITHER),
    ):
        assert contain(smollm2, words, [], scorer).verdict == verdict


def test_the_card_and_the_lock_name_the_same_files() -> None:
    card = (SMOLLM2_ASSETS / "README.md").read_text(encoding="utf-8")
    lock = (ROOT / "requirements" / "smollm2.txt").read_text(encoding="utf-8")
    of_wheel, of_file = re.findall(r"sha256 of the \w+ \| `(\w{64})`", card)
    assert of_file == wheel.SHA256
    assert f"{wheel.REQUIREMENT} \\\n    --hash=sha256:{of_wheel}\n" in lock
    assert f"`{wheel.FILE}`" in card
    assert f"`{wheel.REQUIREMENT}`" in card
