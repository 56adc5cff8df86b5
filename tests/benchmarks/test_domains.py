from collections.abc import Callable
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest

from benchmarks import domains
from similarity.models.local import LocalModel
from similarity.vectors import fit
from tests.similarity.vectors.conftest import TINY_CONFIG, cosines, sentences

FIRST = list(dict.fromkeys(sentences(40)))
REST = [text for text in dict.fromkeys(sentences(40, seed=5)) if text not in FIRST]


def test_what_is_read_once_gives_the_vectors_of_a_fit(
    tiny: Callable[[str], LocalModel], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(domains, "PART", 16)
    # As in a corpus of which the first texts fill the head.
    monkeypatch.setattr("similarity.vectors.fitting.BATCH_TEXTS", len(FIRST))
    monkeypatch.setattr("similarity.vectors.fitting.HEAD_BATCHES", 1)
    monkeypatch.setattr(domains, "COUNTED", len(FIRST))
    model, everything = tiny("llama"), [*FIRST, *REST]
    start = fit(model, FIRST, TINY_CONFIG)
    model_reads = start.only("trajectories", "distributions", "states")
    features = domains.read(model_reads, everything, tmp_path)
    corpus = [at for at, text in enumerate(everything) if text != REST[0]]
    found, _ = domains.fitted(start, features, everything, corpus)
    expected = fit(model, [everything[at] for at in corpus], TINY_CONFIG)
    pairs = list(pairwise(REST))
    np.testing.assert_allclose(cosines(found, pairs), cosines(expected, pairs), atol=0.01)
    # What is there is not read again.
    monkeypatch.setattr(type(start.reader), "rows", None)
    again = domains.read(model_reads, everything, tmp_path)
    assert all(np.array_equal(again[group], rows) for group, rows in features.items())
