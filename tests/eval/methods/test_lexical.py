from math import log, sqrt

import pytest

from eval.methods.base import Setting
from eval.methods.lexical import TfIdf, WordOverlap, word_overlap
from similarity.errors import ConfigError
from similarity.models.toy import ToyModel

UNLABELLED = ("a cat", "a dog", "a bird sings")


def test_word_overlap(toy_model: ToyModel) -> None:
    assert word_overlap("The cat sat.", "the CAT ran") == pytest.approx(2 / 4)
    assert word_overlap("a", "a") == 1
    assert word_overlap("a", "b") == 0
    assert word_overlap("...", "!") == 1
    pairs = [("a b", "b"), ("a", "b")]
    assert WordOverlap(Setting(model=toy_model)).score(pairs) == [0.5, 0]


def test_tf_idf_by_hand(toy_model: ToyModel) -> None:
    method = TfIdf(Setting(model=toy_model, unlabelled=UNLABELLED))
    common, rare, unseen = 1.0, log(4 / 2) + 1, log(4 / 1) + 1
    first = {"a": 2 * common, "cat": rare}
    second = {"a": common, "cat": rare, "naps": unseen}
    product = first["a"] * second["a"] + first["cat"] * second["cat"]
    norms = sqrt(sum(w * w for w in first.values())) * sqrt(sum(w * w for w in second.values()))
    pair = ("A cat, a", "a cat naps")
    assert method.score([pair, pair[::-1]]) == pytest.approx([product / norms] * 2)


def test_a_rare_word_in_common_says_more(toy_model: ToyModel) -> None:
    method = TfIdf(Setting(model=toy_model, unlabelled=UNLABELLED))
    rare, common = method.score([("a cat", "one cat"), ("a cat", "a one")])
    assert rare > common


def test_tf_idf_of_texts_without_words(toy_model: ToyModel) -> None:
    method = TfIdf(Setting(model=toy_model, unlabelled=UNLABELLED))
    assert method.score([("...", "!"), ("...", "a")]) == [1, 0]


def test_tf_idf_names_what_it_was_fitted_on(toy_model: ToyModel) -> None:
    # A text that repeats counts once.
    methods = [
        TfIdf(Setting(model=toy_model, unlabelled=texts))
        for texts in (UNLABELLED, (*UNLABELLED, "a cat"), (*UNLABELLED, "a cow"))
    ]
    same, repeated, other = (method.settings["fitted on"] for method in methods)
    assert same == repeated
    assert same["texts"] == 3
    assert same["sha256"] != other["sha256"]


@pytest.mark.parametrize("texts", [(), ("a",), ("a", "a")])
def test_tf_idf_without_unlabelled_texts(toy_model: ToyModel, texts: tuple[str, ...]) -> None:
    with pytest.raises(
        ConfigError,
        match="too few .* to fit tf-idf to: .* give two or more .* --unlabelled",
    ):
        TfIdf(Setting(model=toy_model, unlabelled=texts))
