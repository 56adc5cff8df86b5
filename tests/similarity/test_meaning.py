"""Laws of the lattice of meanings: by property, and by enumeration on the toy model."""

from collections.abc import Callable
from itertools import product

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from similarity.arrays import FloatArray
from similarity.config import ComparisonConfig
from similarity.errors import InputError, UnsupportedError
from similarity.meaning import Meaning, profile_meanings, trajectory_meanings
from similarity.models.local import LocalModel
from similarity.models.toy import ToyModel
from similarity.vectors import MeaningVectors, TrigramsConfig, VectorConfig, fit
from tests.similarity.exact import SmallToy, every_trajectory, mean_log_probs
from tests.similarity.vectors.conftest import TINY_CONFIG, sentences

PLACES = 5
meanings = st.lists(
    st.sampled_from([0.0, 0.1, 0.3, 1.0, 2.5]), min_size=PLACES, max_size=PLACES
).map(lambda degrees: Meaning(np.array(degrees), "places"))


def same(first: Meaning, second: Meaning) -> bool:
    return bool((first.degrees == second.degrees).all())


def check_laws(a: Meaning, b: Meaning, c: Meaning) -> None:
    assert same(a & a, a)
    assert same(a | a, a)
    assert same(a & b, b & a)
    assert same(a | b, b | a)
    assert same(a & (b & c), (a & b) & c)
    assert same(a | (b | c), (a | b) | c)
    assert same(a & (a | b), a)
    assert same(a | (a & b), a)
    assert same(a & (b | c), (a & b) | (a & c))
    assert (a & b) <= a <= (a | b)
    check_order(a, b)


def check_order(a: Meaning, b: Meaning) -> None:
    """The order, the meet, the join and the degree of 1 say the same."""
    assert (a <= b) == same(a & b, a) == same(a | b, b)
    assert 0 <= a.inclusion(b) <= 1
    assert (a & b).inclusion(b) == 1
    assert a.inclusion(a | b) == 1
    assert (a.inclusion(b) > 1 - 1e-12) == (a <= b)
    assert a.inclusion(b) <= a.inclusion(b | a)


@given(meanings, meanings, meanings)
def test_laws(a: Meaning, b: Meaning, c: Meaning) -> None:
    check_laws(a, b, c)
    # Degrees grow with what includes, and the join is included as far as its parts allow.
    assert a.inclusion(b) <= a.inclusion(b | c) + 1e-12
    assert a.inclusion(b & c) <= min(a.inclusion(b), a.inclusion(c)) + 1e-12
    if a <= b <= c:
        assert a <= c


@pytest.fixture(scope="module")
def exact_rows() -> list[FloatArray]:
    """Return log M_s of texts at every trajectory of a toy, nats per token."""
    toy = SmallToy()
    trajectories = every_trajectory(toy, 3)
    texts = ["".join(letters) for n in (1, 2) for letters in product("ab", repeat=n)]
    return [mean_log_probs(toy, text, trajectories) for text in texts]


def test_laws_by_enumeration(exact_rows: list[FloatArray]) -> None:
    found = [Meaning(np.exp(row), "every trajectory") for row in exact_rows]
    for a, b, c in product(found, repeat=3):
        check_laws(a, b, c)


def test_no_normalised_meaning_is_below_another(exact_rows: list[FloatArray]) -> None:
    # Probabilities of all trajectories sum to 1, so one that is nowhere greater is nowhere less.
    found = [Meaning(np.exp(row), "every trajectory") for row in exact_rows]
    for a, b in product(found, repeat=2):
        assert (a <= b) == np.allclose(a.degrees, b.degrees, rtol=1e-12, atol=0)


def test_the_degree_by_hand() -> None:
    a, b = (Meaning(np.array(row), "places") for row in ([1.0, 3.0, 0.0], [2.0, 1.0, 5.0]))
    assert a.inclusion(b) == pytest.approx((1 + 1) / 4)
    assert b.inclusion(a) == pytest.approx((1 + 1) / 8)
    nothing = Meaning(np.zeros(3), "places")
    assert nothing <= a
    assert nothing.inclusion(a) == 1
    assert a.inclusion(nothing) == 0


def test_what_is_not_comparable_is_refused() -> None:
    a = Meaning(np.ones(3), "these")
    for other in (Meaning(np.ones(3), "those"), Meaning(np.ones(2), "these")):
        for refused in (a.meet, a.join, a.inclusion, a.__le__):
            with pytest.raises(InputError, match="not comparable"):
                refused(other)
    for degrees in ([-0.1], [np.nan], [np.inf]):
        with pytest.raises(InputError, match="at least 0"):
            Meaning(np.array(degrees), "these")


@pytest.fixture(scope="module")
def tiny_vectors(tiny: Callable[[str], LocalModel]) -> MeaningVectors:
    return fit(tiny("llama"), sentences(80), TINY_CONFIG)


def test_profiles_are_what_a_text_makes_likelier(tiny_vectors: MeaningVectors) -> None:
    texts = sentences(4, seed=3)
    model, group = tiny_vectors.model, tiny_vectors.groups["profile"]
    found = profile_meanings(tiny_vectors, texts)
    # By the definition: log-probabilities, less those of the mean state, less the mean.
    prefixes = group.reader.prefixes(model, texts)  # type: ignore[attr-defined]
    weight, bias = model.output_head()
    mean = weight @ group.whitening.mean + (0 if bias is None else bias)
    rows = model.next_log_probs(prefixes, range(len(weight))) - mean
    expected = np.maximum(rows - rows.mean(axis=1, keepdims=True), 0)
    np.testing.assert_allclose([m.degrees for m in found], expected, atol=1e-4)
    nested = (found[0] & found[1]) | (found[2] & found[3])
    assert nested <= (found[0] | found[2])
    assert profile_meanings(tiny_vectors, []) == []


def test_without_profiles_there_are_no_meanings(toy_model: ToyModel) -> None:
    vectors = fit(toy_model, sentences(5), VectorConfig(groups=(TrigramsConfig(),)))
    with pytest.raises(UnsupportedError, match="no profile"):
        profile_meanings(vectors, ["a"])


def test_trajectories_are_pooled(toy_model: ToyModel) -> None:
    config = ComparisonConfig.build(n_trajectories=3, max_tokens=4, distance="l1")
    found = trajectory_meanings(toy_model, ["one", "two", "one."], config)
    assert found[0].degrees.shape == (6,)
    # A full stop changes no prefix, and no trajectory is counted twice.
    assert same(found[0], found[2])
    assert (found[0].degrees <= 1).all()
    assert found[0] & found[1] <= found[1]
    with pytest.raises(UnsupportedError, match="reads no likelihoods"):
        trajectory_meanings(
            toy_model, ["one"], ComparisonConfig.build(distance="step-total-variation")
        )
