import numpy as np
import pytest

from similarity.vectors import MeaningVectors
from similarity.vectors.explain import VectorExplanation
from similarity.vectors.scorer import VectorScorer
from tests.similarity.vectors.conftest import cosines, sentences

FIRST, SECOND = sentences(2, seed=3)


def explain(vectors: MeaningVectors, first: str, second: str) -> VectorExplanation:
    (found,) = VectorScorer(vectors).explain([(first, second)], top=2)
    return found


@pytest.fixture(params=["toy_vectors", "tiny_vectors", "top_vectors"])
def vectors(request: pytest.FixtureRequest) -> MeaningVectors:
    found: MeaningVectors = request.getfixturevalue(request.param)
    return found


def test_shares_add_up_to_the_similarity(vectors: MeaningVectors) -> None:
    result = explain(vectors, FIRST, SECOND)
    (expected,) = cosines(vectors, [(FIRST, SECOND)])
    assert result.cosine == pytest.approx(expected, abs=1e-4)
    assert result.score == VectorScorer(vectors).score([(FIRST, SECOND)])[0]
    assert set(result.shares) == set(vectors.groups)
    assert sum(result.shares.values()) == pytest.approx(result.cosine)
    for group, parts in (("distributions", result.places), ("trajectories", result.trajectories)):
        sizes = [abs(part.share) for part in parts]
        assert sizes == sorted(sizes, reverse=True)
        assert sum(part.share for part in parts) == pytest.approx(result.shares[group])


def test_trajectories_have_their_likelihoods(vectors: MeaningVectors) -> None:
    result = explain(vectors, FIRST, SECOND)
    rows = vectors.reader.rows("trajectories", [FIRST, SECOND])
    steps = vectors.config.reference_tokens
    texts = [vectors.model.decode(ids) for ids in vectors.references.continuations]
    for scored in result.trajectories:
        at = texts.index(scored.text)
        expected = rows[:, at * steps : (at + 1) * steps].mean(axis=1)
        np.testing.assert_allclose(scored.log_likelihoods, expected, rtol=1e-5)


@pytest.mark.parametrize("vectors", ["toy_vectors", "top_vectors"], indirect=True)
def test_the_toys_words_are_the_letters_that_one_text_has(vectors: MeaningVectors) -> None:
    result = explain(vectors, "zzzz qqqq", "zzzz jjjj")
    for place in result.places:
        assert (place.both[0], place.first[0], place.second[0]) == ("z", "q", "j")


def test_the_other_way_round_is_the_mirror(vectors: MeaningVectors) -> None:
    forth, back = explain(vectors, FIRST, SECOND), explain(vectors, SECOND, FIRST)
    assert forth.cosine == pytest.approx(back.cosine)
    assert [p.first for p in forth.places] == [p.second for p in back.places]
    assert forth.to_dict()["fingerprint"] == back.to_dict()["fingerprint"]


def test_words_that_both_texts_have_add_most(vectors: MeaningVectors) -> None:
    result = explain(vectors, "red bird SINGS", "the bird sings, bird")
    shares = {word.word: word for word in result.words}
    assert result.words[0] == shares["bird"]
    assert shares["bird"].share > shares["sings"].share > 0
    assert shares["bird"].counts == (1, 2)
    assert shares["red"].counts == (1, 0)
    # The rest is what any two texts have in common: the product of the mean with either.
    rows = vectors.reader.rows("trigrams", result.score.texts)
    whitening = vectors.whitenings["trigrams"]
    white = whitening.apply(rows)
    mean = whitening.mean @ whitening.matrix
    lengths = np.linalg.norm(white, axis=1)
    share = vectors.config.trigrams / sum(map(vectors.config.weight, vectors.groups))
    usual = -share * (mean @ (white[0] + white[1])) / 2 / lengths.prod()
    words = sum(word.share for word in result.words)
    assert words + usual == pytest.approx(result.shares["trigrams"], abs=1e-6)
