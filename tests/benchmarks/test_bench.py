"""The plain way that all others are compared with: it must itself be right."""

import pytest

from benchmarks.pairs import generate_and_score
from benchmarks.subjects import find_subjects
from similarity.config import ComparisonConfig
from similarity.models.loader import EMBEDDED
from similarity.pipeline import TrajectoryScorer


def test_pair_by_pair_estimates_the_distance_that_the_library_does() -> None:
    (subject,) = find_subjects([EMBEDDED], [], "float32")
    pair = ("A man is playing a guitar.", "The parliament passed a law.")
    plain = generate_and_score(subject.as_published(), subject.model, *pair)
    (fast,) = TrajectoryScorer(subject.model, ComparisonConfig()).score([pair])
    # Of other trajectories, so alike but for chance.
    assert plain == pytest.approx(fast.distance, rel=0.3)
