"""Reference trajectories against the plainest way to score and centre them."""

import numpy as np
import pytest

from similarity.errors import ConfigError, InputError
from similarity.law import Law
from similarity.models.base import ScoreRequest
from similarity.models.toy import ToyModel
from similarity.trajectories import encode_prefixes
from similarity.vectors import MeaningVectors, VectorConfig, fit
from similarity.vectors.config import TrajectoriesConfig
from similarity.vectors.references import ReferenceReader
from similarity.vectors.scorer import VectorScorer
from tests.similarity.vectors.conftest import cosines, sentences

CONFIG = TrajectoriesConfig(references=5, length=3, first_tokens=4, shrinkage=1)
CORPUS = sentences(40)
PAIR = ("a red car", "the old sea")


@pytest.fixture(scope="module")
def vectors() -> MeaningVectors:
    return fit(ToyModel(), CORPUS, VectorConfig(groups=(CONFIG,)))


def reader_of(vectors: MeaningVectors) -> ReferenceReader:
    reader = vectors.groups["trajectories"].reader
    assert isinstance(reader, ReferenceReader)
    return reader


def test_they_are_different_and_of_their_lengths(vectors: MeaningVectors) -> None:
    continuations = reader_of(vectors).continuations
    assert [len(ids) for ids in continuations] == [3] * 5 + [1] * 4
    assert len(set(continuations)) == 9
    assert not vectors.model.end_ids & {token for ids in continuations for token in ids}


def test_the_cosine_is_of_centred_log_likelihoods(vectors: MeaningVectors) -> None:
    model, reader = vectors.model, reader_of(vectors)

    def row(text: str) -> np.ndarray:
        (prefix,) = encode_prefixes(model, [text], CONFIG.prompt, CONFIG.length)
        scored = [
            model.score([ScoreRequest(prefix=prefix.token_ids, continuations=(ids,))], Law())[0][0]
            for ids in reader.continuations
        ]
        return np.concatenate(scored)

    usual = np.mean([row(text) for text in CORPUS], axis=0)
    rows = [row(text) - usual for text in PAIR]
    blocks = [np.concatenate([x[:15] - x[:15].mean(), x[15:] - x[15:].mean()]) for x in rows]
    first, second = blocks
    expected = first @ second / np.linalg.norm(first) / np.linalg.norm(second)
    np.testing.assert_allclose(cosines(vectors, [PAIR]), [expected], atol=1e-5)


def test_the_continuations_shares_add_up(vectors: MeaningVectors) -> None:
    (found,) = VectorScorer(vectors).explain([PAIR], top=99)
    assert len(found.continuations) == 9
    total = sum(one.share for one in found.continuations)
    assert total == pytest.approx(found.cosine, abs=1e-6)
    sizes = [abs(one.share) for one in found.continuations]
    assert sizes == sorted(sizes, reverse=True)


def test_the_last_token_of_each_is_not_read(vectors: MeaningVectors) -> None:
    prefix = len(CONFIG.prompt.apply("a"))
    assert vectors.tokens(["a"]) == [prefix + 5 * 2]


def test_too_few_texts_or_trajectories_are_refused() -> None:
    with pytest.raises(InputError, match="give 2 or more"):
        fit(ToyModel(), [], VectorConfig(groups=(CONFIG,)))
    with pytest.raises(ConfigError, match="at least two reference trajectories"):
        TrajectoriesConfig(references=0, first_tokens=1)
