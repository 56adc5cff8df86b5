import json
from dataclasses import replace
from typing import get_args

import numpy as np
import pytest
from click.testing import CliRunner

from similarity.cli.main import main
from similarity.entailment.hyponymy import CONTEXTS, contain, context_margin, contexts_of
from similarity.entailment.kinds import FIRST_IS, NEITHER, KindVerdict
from similarity.entailment.profiles import ProfileEntailment
from similarity.errors import InputError
from similarity.models.toy import ToyModel
from similarity.vectors import fit
from tests.similarity.entailment.test_kinds import TOLD, log_probs
from tests.similarity.vectors.conftest import TOY_CONFIG, sentences


def test_contexts_by_their_definition(toy_model: ToyModel) -> None:
    means = [np.mean(log_probs(toy_model, "The", f" {word} ran.")) for word in ("dog", "animal")]
    found = context_margin(toy_model, ("dog", "animal"), [("The", " ran.")])
    assert found == pytest.approx(means[1] - means[0])


def test_contexts_are_of_whole_words() -> None:
    corpus = ["A Dog barks.", "Dogs bark.", "dog", "The animal of a dog", "Two hotdogs."]
    assert contexts_of(("dog", "animal"), corpus) == [
        ("A", " barks."),
        ("The animal of a", ""),
        ("The", " of a dog"),
    ]
    assert len(contexts_of(("dog", "cat"), ["a dog"] * 100)) == CONTEXTS


def test_words_that_the_corpus_lacks(toy_model: ToyModel) -> None:
    found = contain(toy_model, ("dog", "animal"), ["It rains."])
    assert (found.contexts, found.count, found.profiles) == (None, 0, None)
    assert found.verdict == found.sentences.verdict


def test_words_of_unrelated_profiles_are_neither(toy_model: ToyModel) -> None:
    vectors = fit(toy_model, sentences(60), TOY_CONFIG)
    found = contain(toy_model, ("dog", "animal"), [], ProfileEntailment(vectors=vectors))
    assert found.profiles is not None
    limits = replace(found.profiles.thresholds, related=0.0)
    related = replace(found, profiles=replace(found.profiles, thresholds=limits), sentences=TOLD)
    assert (related.verdict, related.hyponym) == (FIRST_IS, "dog")
    unrelated = replace(related, profiles=replace(found.profiles, forward=0.1, backward=0.1))
    assert (unrelated.verdict, unrelated.hyponym) == (NEITHER, None)


def test_what_is_wrong_is_refused(toy_model: ToyModel) -> None:
    for words in (("dog", " "), ("dog", "Dog ")):
        with pytest.raises(InputError):
            contain(toy_model, words, [])


def test_the_command() -> None:
    result = CliRunner().invoke(main, ["hyponym", "dog", "animal", "--model", "toy"])
    assert result.exit_code == 0, result.output
    assert "a verdict wants 6.5" in " ".join(result.output.split())
    content = json.loads(
        CliRunner().invoke(main, ["hyponym", "dog", "animal", "--model", "toy", "--json"]).stdout
    )
    assert content["words"] == ["dog", "animal"]
    assert content["verdict"] in get_args(KindVerdict)
    low, high = content["interval"]["margin"]
    assert low <= content["margin"] <= high
