import json

import numpy as np
import pytest
from click.testing import CliRunner

from similarity.cli.main import main
from similarity.errors import InputError
from similarity.hyponymy import CONTEXTS, contain, context_margin, contexts_of, pattern_margins
from similarity.law import Law
from similarity.models.base import TokenIds
from similarity.models.toy import ToyModel


def log_probs(toy: ToyModel, prefix: str, continuation: str) -> list[float]:
    ids: TokenIds = toy.encode(prefix)
    found = []
    for token in toy.encode(continuation):
        found.append(float(toy.step_log_probs(ids, Law())[token]))
        ids = (*ids, token)
    return found


def test_the_pattern_by_its_definition(toy_model: ToyModel) -> None:
    forth = sum(log_probs(toy_model, "A dog is a kind of", " animal"))
    back = sum(log_probs(toy_model, "An animal is a kind of", " dog"))
    found = pattern_margins(toy_model, [("dog", "animal"), ("animal", "dog")])
    assert found == pytest.approx([forth - back, back - forth])


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
    assert found.hyponym == ("dog" if found.pattern > 0 else "animal")


def test_what_is_wrong_is_refused(toy_model: ToyModel) -> None:
    for words in (("dog", " "), ("dog", "Dog ")):
        with pytest.raises(InputError):
            contain(toy_model, words, [])
    with pytest.raises(InputError, match="too long"):
        pattern_margins(toy_model, [("d" * 5000, "animal")])


def test_the_command() -> None:
    told = CliRunner().invoke(main, ["hyponym", "dog", "animal", "--model", "toy"])
    assert told.exit_code == 0, told.output
    assert "rather than the reverse" in told.output
    assert "unrelated words get a verdict too" in " ".join(told.output.split())
    content = json.loads(
        CliRunner().invoke(main, ["hyponym", "dog", "animal", "--model", "toy", "--json"]).stdout
    )
    assert content["words"] == ["dog", "animal"]
