from dataclasses import replace

import numpy as np
import pytest
import torch

from similarity.models.local import LocalModel
from similarity.prompts import Prompt
from similarity.vectors import MeaningVectors
from similarity.vectors.projection import signs
from similarity.vectors.rarity import weights_by_rarity
from similarity.vectors.references import sample_references
from tests.similarity.vectors.conftest import TINY_CONFIG, sentences

TEXTS = ["the sea", "a red car"]


def test_references_are_distinct_and_of_one_length(tiny_llama: LocalModel) -> None:
    references = sample_references(tiny_llama, sentences(30), TINY_CONFIG)
    assert len(set(references.continuations)) == TINY_CONFIG.n_references
    for ids in references.continuations:
        assert len(ids) == TINY_CONFIG.reference_tokens
        assert not tiny_llama.end_ids.intersection(ids)
    assert set(references.sources) <= set(sentences(30))


def test_features_against_reading_each_place_alone(
    tiny_llama: LocalModel, tiny_vectors: MeaningVectors
) -> None:
    reader, config = tiny_vectors.reader, tiny_vectors.config
    matrix = signs(tiny_llama.vocab_size or 0, config.projection, config.seed)
    scored, projected = (reader.rows(g, TEXTS) for g in ("trajectories", "distributions"))
    for number, text in enumerate(TEXTS):
        prefix = tiny_llama.encode(config.prompt.apply(text))

        def log_probs(before: tuple[int, ...], prefix: tuple[int, ...] = prefix) -> np.ndarray:
            with torch.inference_mode():
                row = tiny_llama.network.read(torch.tensor([[*prefix, *before]]))[0, -1]
            return row.double().log_softmax(-1).numpy()

        expected = [
            log_probs(ids[:step])[ids[step]]
            for ids in reader.references.continuations
            for step in range(config.reference_tokens)
        ]
        np.testing.assert_allclose(scored[number], expected, atol=1e-3)
        roots = np.stack([np.exp(log_probs(b) / 2) for b in reader.references.places])
        np.testing.assert_allclose(projected[number], (roots @ matrix).ravel(), atol=1e-3)


def test_the_most_probable_tokens_against_cutting_whole_distributions(
    tiny_llama: LocalModel, tiny_vectors: MeaningVectors
) -> None:
    config = replace(tiny_vectors.config, top_k=5)
    reader = replace(tiny_vectors.reader, config=config)
    matrix = signs(tiny_llama.vocab_size or 0, config.projection, config.seed)
    found = reader.rows("distributions", TEXTS)
    for number, roots in enumerate(reader.roots(TEXTS)):
        cut = np.zeros_like(roots)
        for place, row in enumerate(roots):
            best = sorted(range(len(row)), key=lambda token: -row[token])[:5]
            cut[place, best] = row[best]
        np.testing.assert_allclose(found[number], (cut @ matrix).ravel(), atol=1e-5)


def test_as_many_tokens_as_there_are_leave_nothing_out(tiny_vectors: MeaningVectors) -> None:
    reader = tiny_vectors.reader
    every = replace(reader, config=replace(reader.config, top_k=10**6))
    whole = reader.rows("distributions", TEXTS)
    np.testing.assert_allclose(every.rows("distributions", TEXTS), whole, atol=1e-5)


def test_states_are_weighted_means_without_the_prompt(
    tiny_llama: LocalModel, tiny_vectors: MeaningVectors
) -> None:
    (prefix,) = [tiny_llama.encode(Prompt().apply(TEXTS[0]))]
    (states,) = tiny_llama.hidden_states([prefix])
    weights = tiny_vectors.token_weights[list(prefix)]
    expected = np.average(states, axis=0, weights=weights)
    np.testing.assert_allclose(
        tiny_vectors.reader.rows("states", TEXTS[:1])[0], expected, rtol=1e-4, atol=1e-4
    )


def test_roots_are_of_whole_distributions(tiny_vectors: MeaningVectors) -> None:
    for roots in tiny_vectors.reader.roots(TEXTS):
        assert len(roots) == len(tiny_vectors.references.places)
        np.testing.assert_allclose((roots.astype(float) ** 2).sum(axis=1), 1, atol=1e-5)


def test_parts_that_fit_memory_leave_rounding_only(
    tiny_vectors: MeaningVectors, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = tiny_vectors.reader.rows("distributions", TEXTS)
    monkeypatch.setattr("similarity.models.base.HELD_NUMBERS", 1)
    np.testing.assert_allclose(tiny_vectors.reader.rows("distributions", TEXTS), whole, atol=1e-4)


def test_the_projection_keeps_inner_products() -> None:
    rng = np.random.default_rng(0)
    roots = np.sqrt(rng.dirichlet(np.full(500, 0.1), size=20))
    matrix = signs(500, 2048, 0)
    assert set(np.unique(matrix * np.sqrt(2048)).round(6)) == {-1.0, 1.0}
    assert abs(matrix.mean() * np.sqrt(2048)) < 0.01
    np.testing.assert_allclose((roots @ matrix) @ (roots @ matrix).T, roots @ roots.T, atol=0.1)


def test_the_projection_is_what_it_was() -> None:
    bits = "".join("+" if x > 0 else "-" for x in signs(24, 1, 7)[:, 0])
    assert bits == "+-+-+-++----+++--+---+++"
    assert signs(24, 2, 7).shape == (24, 2)
    # A token's signs are the same in a larger vocabulary.
    np.testing.assert_array_equal(signs(1024, 2, 7)[:24], signs(24, 2, 7))


def test_frequent_tokens_weigh_little() -> None:
    weights = weights_by_rarity([(0, 1, 2), (0, 1, 3), (0, 1, 1)], 6, smoothing=0.1)
    assert weights[4] == weights[5] == 1
    assert weights[1] < weights[0] < weights[2] < 1
