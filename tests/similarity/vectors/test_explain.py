from itertools import combinations, product

import numpy as np
import pytest

from similarity.arrays import Rows
from similarity.models.base import LanguageModel, OnProgress
from similarity.models.loader import load_model
from similarity.models.toy import ToyModel
from similarity.vectors import MeaningVectors, ProfileConfig, VectorConfig, fit
from similarity.vectors.explain import VectorExplanation
from similarity.vectors.explain import explain as explain_one
from similarity.vectors.general import GENERAL, open_vectors
from similarity.vectors.implied import likelier_words, profiles, shown_profiles
from similarity.vectors.meaning import Group
from similarity.vectors.profile import Profiles
from similarity.vectors.scorer import VectorScorer
from similarity.vectors.trigrams import TrigramReader
from tests.similarity.vectors.conftest import cosines, sentences

FIRST, SECOND = sentences(2, seed=3)


def explain(vectors: MeaningVectors, first: str, second: str, top: int = 3) -> VectorExplanation:
    (found,) = VectorScorer(vectors).explain([(first, second)], top)
    return found


@pytest.fixture(params=["toy_vectors", "tiny_vectors"])
def vectors(request: pytest.FixtureRequest) -> MeaningVectors:
    found: MeaningVectors = request.getfixturevalue(request.param)
    return found


@pytest.mark.parametrize("second", [SECOND, "A man runs over Paris in 2012"])
def test_shares_add_up_to_the_score(vectors: MeaningVectors, second: str) -> None:
    result = explain(vectors, FIRST, second)
    (expected,) = cosines(vectors, [(FIRST, second)])
    assert result.cosine == pytest.approx(expected, abs=1e-5)
    assert result.score == VectorScorer(vectors).score([(FIRST, second)])[0]
    assert result.cosine == 1 - result.score.distance
    assert list(result.shares) == list(vectors.names)
    assert sum(result.shares.values()) == pytest.approx(result.cosine)
    for name, share in result.shares.items():
        (own,) = cosines(vectors.only(name), [(FIRST, second)])
        assert share == pytest.approx(result.weights[name] * own, abs=1e-5)


def test_words_are_looked_for_in_the_group_that_is_shown_alone(
    toy_model: ToyModel, monkeypatch: pytest.MonkeyPatch
) -> None:
    groups = ProfileConfig(tokens=64), ProfileConfig(name="other", tokens=32)
    vectors = fit(toy_model, sentences(60), VectorConfig(groups=groups))
    looked = []

    def looked_at(model: LanguageModel, group: Group, rows: Rows) -> Profiles:
        looked.append(group.config.name)
        return profiles(model, group, rows)

    monkeypatch.setattr("similarity.vectors.implied.profiles", looked_at)
    assert list(explain(vectors, FIRST, SECOND).shares) == ["profile", "other"]
    assert looked == ["profile"]


def test_the_tokens_shares_add_up_to_the_profiles(vectors: MeaningVectors) -> None:
    """The product of two parts is a sum over tokens, whitened or not, over all or over some."""
    group = vectors.groups["profile"]
    rows = vectors.read([FIRST, SECOND])["profile"]
    found = profiles(vectors.model, group, rows)
    first, second = group.whitening.apply(rows)
    for u, v in ((0, 1), (1, 0)):
        total = found.beyond_usual[u] @ found.partners[v]
        assert total == pytest.approx(first @ second, rel=1e-4, abs=1e-6)


def test_profiles_are_log_probabilities_less_the_usual(vectors: MeaningVectors) -> None:
    group = vectors.groups["profile"]
    texts = [FIRST, SECOND]
    found = profiles(vectors.model, group, vectors.read(texts)["profile"])
    prefixes = group.reader.prefixes(vectors.model, texts)  # type: ignore[attr-defined]
    expected = vectors.model.next_log_probs(prefixes, found.tokens.tolist())
    np.testing.assert_allclose(found.log_probs, expected, atol=1e-4)
    apart = expected[0] - expected[1]
    np.testing.assert_allclose(
        found.beyond_usual[0] - found.beyond_usual[1], apart - apart.mean(), atol=1e-4
    )


def test_the_toys_words_are_the_letters_that_the_texts_have(toy_vectors: MeaningVectors) -> None:
    # Of the letters that the fitted texts hardly have: these are raised the most.
    chosen = "zyxwvqpkjfcb"
    toy = ToyModel()
    tokens = profiles(toy, toy_vectors.groups["profile"], toy_vectors.read(["a"])["profile"]).tokens
    letters = [letter for letter in chosen if ord(letter) in tokens][:3]
    assert len(letters) == 3
    both, first, second = letters
    result = explain(toy_vectors, both * 9 + first * 9, both * 9 + second * 9, top=1)
    assert result.implied is not None
    found = [kind[0].word for kind in (result.implied.both, result.implied.first)]
    assert found == [both, first]
    assert result.implied.second[0].word == second
    assert result.implied.both[0].share > 0
    words = likelier_words(toy_vectors, "profile", toy_vectors.read([both * 9])["profile"], top=1)
    assert words[0][0] == both


def test_the_other_way_round_is_the_mirror(vectors: MeaningVectors) -> None:
    forth, back = explain(vectors, FIRST, SECOND), explain(vectors, SECOND, FIRST)
    assert forth.cosine == pytest.approx(back.cosine)
    assert forth.implied is not None
    assert back.implied is not None
    assert [w.word for w in forth.implied.first] == [w.word for w in back.implied.second]
    shares = ([word.share for word in one.implied.both] for one in (forth, back))  # type: ignore[union-attr]
    np.testing.assert_allclose(*shares, rtol=1e-6)


def test_words_that_both_texts_have_add_most(vectors: MeaningVectors) -> None:
    result = explain(vectors, "Red bird sings", "the bird sings, bird", top=9)
    shares = {word.word: word for word in result.overlap}
    assert result.overlap[0] == shares["bird"]
    assert shares["bird"].share > shares["sings"].share > 0
    assert (shares["bird"].counts, shares["red"].counts) == ((1, 2), (1, 0))
    # The rest is what any two texts have in common: the product of the mean with either.
    group = vectors.groups["trigrams"]
    assert isinstance(group.reader, TrigramReader)
    rows = group.reader.rows(vectors.model, result.score.texts)
    white = group.whitening.apply(rows)
    mean = group.whitening.mean @ group.whitening.matrix
    lengths = np.linalg.norm(white, axis=1)
    weights = [group.weight for group in vectors.config.groups]
    share = group.config.weight / sum(weights)
    usual = -share * (mean @ (white[0] + white[1])) / 2 / lengths.prod()
    words = sum(word.share for word in result.overlap)
    assert words + usual == pytest.approx(result.shares["trigrams"], abs=1e-6)


@pytest.mark.longer
@pytest.mark.parametrize("top", [3, 12])
def test_a_word_stands_in_one_column(top: int) -> None:
    """Variants of a word in case and leading space are raised otherwise by these texts."""
    vectors = open_vectors(GENERAL, load_model("embedded"), preset="fast")
    texts = [
        "Can I check out later than 11 am?",
        "Is a late check-out possible?",
        "A dog runs.",
        "The bank raised rates.",
        "I want my money back.",
    ]
    for first, second in combinations(texts, 2):
        implied = explain(vectors, first, second, top).implied
        assert implied is not None
        columns = (implied.both, implied.first, implied.second)
        words = [word.word for column in columns for word in column]
        assert len(words) == len(set(words))


def test_words_are_in_the_order_that_is_described(vectors: MeaningVectors) -> None:
    result = explain(vectors, FIRST, SECOND, top=9)
    assert result.implied is not None
    both, first, second = (
        [word.beyond_usual for word in words]
        for words in (result.implied.both, result.implied.first, result.implied.second)
    )
    sizes = [
        [min(pair) for pair in both],
        [a - max(b, 0) for a, b in first],
        [b - max(a, 0) for a, b in second],
        [abs(word.share) for word in result.overlap],
    ]
    assert max(map(len, sizes[:3])) > 1
    assert sizes == [sorted(of, reverse=True) for of in sizes]


def test_explanations_end_where_nobody_waits_for_them(vectors: MeaningVectors) -> None:
    """Each takes long: 1,600 of them went on for minutes after their client had left."""
    begun = 0

    def progress(_stage: str, _texts: int) -> OnProgress:
        def on_progress(_finished: int) -> None:
            nonlocal begun
            begun += 1
            if begun > 2:
                raise KeyboardInterrupt

        return on_progress

    pairs = [(FIRST, SECOND)] * 9
    with pytest.raises(KeyboardInterrupt):
        VectorScorer(vectors).explain(pairs, 3, progress)
    assert begun == 3


TEXTS = sentences(20, seed=8)


@pytest.mark.parametrize(
    "pairs", [list(product(TEXTS, TEXTS)), list(zip(TEXTS, TEXTS[::-1], strict=True))]
)
def test_an_explanation_is_the_same_alone(
    vectors: MeaningVectors, pairs: list[tuple[str, str]]
) -> None:
    """Each text's profile is read once for many pairs, and never depends on the others."""
    found = VectorScorer(vectors).explain([*pairs, pairs[0]], 3)
    assert [one.score.texts for one in found] == [*pairs, pairs[0]]
    features = vectors.read(sorted(set(TEXTS)))
    where = {text: place for place, text in enumerate(sorted(set(TEXTS)))}
    for one in found[::37]:
        rows = {
            name: of_all[[where[text] for text in one.score.texts]]
            for name, of_all in features.items()
        }
        assert one == explain_one(vectors, one.score, rows, shown_profiles(vectors, rows), 3)


def test_few_texts_of_many_pairs_are_read_few_times(
    vectors: MeaningVectors, monkeypatch: pytest.MonkeyPatch
) -> None:
    read: list[int] = []

    def reading(model: LanguageModel, group: Group, rows: Rows) -> Profiles:
        read.append(len(rows))
        return profiles(model, group, rows)

    monkeypatch.setattr("similarity.vectors.implied.profiles", reading)
    VectorScorer(vectors).explain(list(product(TEXTS, TEXTS)), 1)
    assert max(read) <= 16
    assert sum(read) <= 9 * 16


def test_the_words_of_another_tokenizer_are_not_kept(
    toy_model: ToyModel, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A server may have another one for a moment; it is counted once that is found."""
    vectors = fit(toy_model, sentences(60), VectorConfig(groups=(ProfileConfig(tokens=64),)))
    right = explain(vectors, FIRST, SECOND)
    monkeypatch.setattr(toy_model, "changes", lambda: 1)
    with monkeypatch.context() as other:
        other.setattr(toy_model, "decode", lambda ids: f" token{ids[0]}")
        assert explain(vectors, FIRST, SECOND) != right
    monkeypatch.setattr(toy_model, "changes", lambda: 2)
    assert explain(vectors, FIRST, SECOND) == right
