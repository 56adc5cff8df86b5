"""The plain way that all others are compared with: it must itself be right."""

import pytest

from benchmarks import shapes
from benchmarks.pairs import generate_and_score
from benchmarks.subjects import find_subjects
from similarity.config import ComparisonConfig
from similarity.models.loader import EMBEDDED
from similarity.pipeline import TrajectoryScorer


def test_a_random_shape_is_a_model(monkeypatch: pytest.MonkeyPatch) -> None:
    tiny = {
        "hidden_size": 16,
        "num_hidden_layers": 1,
        "intermediate_size": 16,
        "num_attention_heads": 2,
        "num_key_value_heads": 1,
        "tie_word_embeddings": True,
        "parameters": 1,
    }
    monkeypatch.setitem(shapes.SHAPES, "tiny", tiny)
    model, module = shapes.random_model("tiny")
    assert type(module).__name__ == "LlamaForCausalLM"
    assert model.vocab_size == shapes.VOCABULARY
    text = "A dog runs."
    assert model.decode(model.encode(text)) == text


def test_pair_by_pair_estimates_the_distance_that_the_library_does() -> None:
    (subject,) = find_subjects([EMBEDDED], [], "float32")
    pair = ("A man is playing a guitar.", "The parliament passed a law.")
    plain = generate_and_score(subject.as_published(), subject.model, *pair)
    (fast,) = TrajectoryScorer(subject.model, ComparisonConfig()).score([pair])
    # Of other trajectories, so alike but for chance.
    assert plain == pytest.approx(fast.distance, rel=0.3)
