import tracemalloc
from collections.abc import Callable

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from similarity.api import compare_matrix
from similarity.arrays import FloatArray
from similarity.config import ComparisonConfig
from similarity.errors import ConfigError, InputError
from similarity.groups.clustering import (
    LINKAGES,
    Linkage,
    cluster,
    cosines,
    deduplicate,
)
from similarity.models.toy import ToyModel
from similarity.presets import PRESETS
from tests.conftest import ROOT

SMALL = ComparisonConfig.build(n_trajectories=2, max_tokens=2)


def of_texts(similarities: FloatArray) -> object:
    return deduplicate(similarities, 0.8, [f"Item {i}." for i in range(len(similarities))])


# Texts 0 and 2 are alike, 1 and 4 are, and 3 is nearer to those than to these.
ALIKE = np.array(
    [
        [1.0, 0.1, 0.9, 0.2, 0.1],
        [0.1, 1.0, 0.2, 0.5, 0.8],
        [0.9, 0.2, 1.0, 0.1, 0.0],
        [0.2, 0.5, 0.1, 1.0, 0.4],
        [0.1, 0.8, 0.0, 0.4, 1.0],
    ]
)


def random_vectors(count: int, seed: int = 0) -> FloatArray:
    vectors = np.abs(np.random.default_rng(seed).normal(size=(count, 5))) ** 3
    return vectors / np.linalg.norm(vectors, axis=1, keepdims=True)


def test_groups_by_threshold_and_by_number() -> None:
    assert cluster(ALIKE, threshold=0.7).groups == ((0, 2), (1, 4), (3,))
    assert cluster(ALIKE, threshold=0.45).groups == ((1, 3, 4), (0, 2))
    assert cluster(ALIKE, threshold=0.45, linkage_by="complete").groups == ((0, 2), (1, 4), (3,))
    assert cluster(ALIKE, threshold=0.0).groups == ((0, 1, 2, 3, 4),)
    for k in range(1, 6):
        assert len(cluster(ALIKE, k=k).groups) == k
    found = cluster(ALIKE, k=3)
    assert found.labels == [0, 1, 0, 2, 1]
    assert sorted(found.order) == [0, 1, 2, 3, 4]
    assert abs(found.order.index(0) - found.order.index(2)) == 1


def test_a_threshold_that_is_met_exactly_joins() -> None:
    assert cluster(ALIKE, threshold=0.9).groups[0] == (0, 2)
    assert cluster(ALIKE, threshold=0.9000001).groups == ((0,), (1,), (2,), (3,), (4,))


def test_representatives_are_the_middle() -> None:
    found = cluster(ALIKE, k=2)
    # 1 is at 0.5 and 0.8 from the others, 3 at 0.5 and 0.4, 4 at 0.8 and 0.4.
    assert found.representatives == (1, 0)


def test_equal_texts_are_distinguished_by_number() -> None:
    found = cluster(np.ones((4, 4)), k=3)
    assert len(found.groups) == 3
    assert found.silhouettes is not None
    assert np.all(found.silhouettes == 0)


@pytest.mark.parametrize("linkage", LINKAGES)
def test_against_the_definition(linkage: Linkage) -> None:
    """Join the two most similar groups, found anew each time."""
    similarities = cosines(random_vectors(25))
    merge = {"average": np.mean, "complete": np.min, "single": np.max}[linkage]
    groups = [[i] for i in range(25)]

    def alike(pair: tuple[int, int]) -> float:
        return float(merge(similarities[np.ix_(groups[pair[0]], groups[pair[1]])]))

    while len(groups) > 1:
        pairs = [(i, j) for i in range(len(groups)) for j in range(i)]
        left, right = max(pairs, key=alike)
        if alike((left, right)) < 0.6:
            break
        groups[right] += groups.pop(left)
    found = cluster(similarities, threshold=0.6, linkage_by=linkage)
    assert 1 < len(found.groups) < 25
    assert {frozenset(group) for group in found.groups} == {frozenset(group) for group in groups}


def test_silhouettes_are_those_of_scikit_learn() -> None:
    metrics = pytest.importorskip("sklearn.metrics")
    similarities = cosines(random_vectors(40, seed=1))
    found = cluster(similarities, k=6)
    assert found.silhouettes is not None
    expected = metrics.silhouette_samples(1 - similarities, found.labels, metric="precomputed")
    np.testing.assert_allclose(found.silhouettes, expected, atol=1e-12)
    assert found.silhouette == pytest.approx(expected.mean())


def test_one_group_has_no_silhouette_and_a_lone_text_has_0() -> None:
    assert cluster(ALIKE, k=1).silhouettes is None
    assert cluster(np.ones((1, 1)), threshold=0.5).groups == ((0,),)
    found = cluster(ALIKE, k=3)
    assert found.silhouettes is not None
    assert found.silhouettes[3] == 0


@given(st.integers(1, 20), st.integers(0, 1000), st.floats(0, 1))
def test_duplicates_keep_what_they_promise(count: int, seed: int, threshold: float) -> None:
    similarities = cosines(random_vectors(count, seed))
    found = deduplicate(similarities, threshold)
    kept = [group.kept for group in found]
    assert kept == sorted(kept)
    assert sorted(i for group in found for i in (group.kept, *group.others)) == list(range(count))
    among = similarities[np.ix_(kept, kept)][~np.eye(len(kept), dtype=bool)]
    assert np.all(among < threshold)
    for group in found:
        for i in group.others:
            assert similarities[group.kept, i] >= threshold - 1e-8
            assert group.kept < i


# Texts, several of them of one wording: in case, white space and form, and with other numbers.
WORDINGS = (
    ("fine", "\ufb01ne", "FINE"),
    ("order 5", "Order\u3000５", " ORDER  5"),
    ("order 6", "order\n6"),
    ("1 500 kg", "1  500  KG"),
    ("5 percent", "5  percent"),
    ("10²",),
    ("102", "１０２"),
    ("part IV VI", "part iv vi"),
    ("part Ⅳ VI", "PART Ⅳ vi"),
    ("part IV Ⅵ",),
    ("ΐ", "ΐ".upper()),
)


@given(
    st.lists(st.sampled_from([text for wording in WORDINGS for text in wording]), min_size=1),
    st.integers(0, 1000),
    st.floats(0, 1),
)
def test_texts_of_one_wording_are_always_together(
    texts: list[str], seed: int, threshold: float
) -> None:
    """Also where the first of them is dropped for another text by its similarity."""
    found = deduplicate(cosines(random_vectors(len(texts), seed)), threshold, texts)
    kept_for = {i: group.kept for group in found for i in (group.kept, *group.others)}
    wording_of = {text: n for n, wording in enumerate(WORDINGS) for text in wording}
    numbers = [wording_of[text] for text in texts]
    for number in set(numbers):
        assert len({kept_for[i] for i in range(len(texts)) if numbers[i] == number}) == 1
    for group in found:
        assert group.reasons == tuple(
            "wording" if numbers[i] == numbers[group.kept] else "similarity" for i in group.others
        )


def test_a_wording_goes_with_the_first_of_it() -> None:
    texts = ["Where is my parcel?", "Where is the parcel?", "WHERE IS THE PARCEL?"]
    alike = np.array([[1.0, 0.84, 0.5], [0.84, 1.0, 0.6], [0.5, 0.6, 1.0]])
    (group,) = deduplicate(alike, 0.8, texts)
    assert (group.kept, group.others) == (0, (1, 2))
    assert group.reasons == ("similarity", "similarity")


def test_duplicates_do_not_chain() -> None:
    chain = np.array([[1.0, 0.9, 0.1], [0.9, 1.0, 0.9], [0.1, 0.9, 1.0]])
    found = deduplicate(chain, 0.8)
    assert [(group.kept, group.others) for group in found] == [(0, (1,)), (2, ())]


def test_wording_goes_before_similarity() -> None:
    texts = [
        "Refund order 4711.",
        "refund  ORDER 4711.",
        "Refund order 4712.",
        "Refund the order.",
        "Give notice within 30 days.",
        "Give notice within sixty days.",
        "Give notice within thirty days.",
    ]
    alike = np.ones((len(texts), len(texts)))
    found = deduplicate(alike, 0.8, texts)
    assert [(group.kept, group.others) for group in found] == [
        (0, (1, 3)),
        (2, ()),
        (4, (6,)),
        (5, ()),
    ]
    assert [group.reasons for group in found if group.others] == [
        ("wording", "similarity"),
        ("similarity",),
    ]
    unlike = np.eye(len(texts))
    found = deduplicate(unlike, 0.8, texts)
    assert [group.others for group in found if group.others] == [(1,)]


@pytest.mark.parametrize(
    ("first", "second"),
    [
        ("Order 5 is late.", "order  5 IS late."),
        ("Order 5 is late.", "Ｏｒｄｅｒ\u3000５ is late."),
        ("Find the file.", "Find the \ufb01le."),
        ("It is na\u00efve.", "It is nai\u0308ve."),
    ],
)
def test_texts_of_one_wording_differ_in_form_alone(first: str, second: str) -> None:
    (group,) = deduplicate(np.eye(2), 0.8, [first, second])
    assert group.reasons == ("wording",)
    # The guide says the same of it.
    assert "form of characters" in (ROOT / "docs" / "guides" / "groups.md").read_text()


@pytest.mark.parametrize(
    ("first", "second"),
    [
        ("Order 12345678901234567 was sent.", "Order 12345678901234568 was sent."),
        ("Version 1.0.0 is out.", "Version 1.0.1 is out."),
        ("It was -5 degrees.", "It was 5 degrees."),
        ("It costs 1,5 euro.", "It costs 15 euro."),
        ("It costs 5 million.", "It costs 5 billion."),
        ("3 of 3 tests passed.", "3 of 4 tests passed."),
        ("The visit is on 2026-11-26.", "The visit is on 2026-11-11."),
        ("Where is my first order?", "Where is my second order?"),
        ("It is 10².", "It is 102."),
        ("Page ٣ is missing.", "Page ٤ is missing."),
    ],
)
def test_texts_of_other_numbers_are_kept(first: str, second: str) -> None:
    found = deduplicate(np.array([[1, 0.95], [0.95, 1]]), 0.8, [first, second])
    assert [group.kept for group in found] == [0, 1]


def test_many_numbers_take_no_memory_of_their_product() -> None:
    texts = [f"order {number}" for number in range(2_000)]
    tracemalloc.start()
    assert len(deduplicate(np.ones((2_000, 2_000)), 0.8, texts)) == 2_000
    _, most = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert most < 12 * 8 * 2_000**2


@pytest.mark.parametrize("find", [lambda rows: cluster(rows, k=2), of_texts])
def test_a_matrix_is_copied_a_few_times_at_most(find: Callable[[FloatArray], object]) -> None:
    """Its checks took five copies, and the numbers of texts two."""
    similarities = np.full((1_000, 1_000), 0.5)
    np.fill_diagonal(similarities, 1.0)
    tracemalloc.start()
    try:
        find(similarities)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert peak < 2.7 * similarities.nbytes


@pytest.mark.parametrize("place", [(0, 1), (299, 700), (999, 998)])
@pytest.mark.parametrize(("value", "said"), [(0.7, "symmetric"), (1.5, "0 and 1"), (-1, "0 and 1")])
def test_one_wrong_number_of_a_large_matrix_is_found(
    place: tuple[int, int], value: float, said: str
) -> None:
    similarities = np.full((1_000, 1_000), 0.5)
    similarities[place] = value
    with pytest.raises(InputError, match=said):
        cluster(similarities, k=2)


def test_cosines_of_vectors() -> None:
    vectors = np.array([[1.0, 0.0], [0.6, 0.8], [-1.0, 0.0]])
    expected = np.array([[1.0, 0.6, 0.0], [0.6, 1.0, 0.0], [0.0, 0.0, 1.0]])
    np.testing.assert_allclose(cosines(vectors), expected, atol=1e-12)


def test_what_cannot_be_grouped_is_refused() -> None:
    for arguments in ({}, {"threshold": 0.5, "k": 2}):
        with pytest.raises(ConfigError, match="either a threshold or k"):
            cluster(ALIKE, **arguments)  # type: ignore[arg-type]
    with pytest.raises(ConfigError, match="k must be between 1 and 5, got 6"):
        cluster(ALIKE, k=6)
    with pytest.raises(ConfigError, match="threshold must be between 0 and 1"):
        deduplicate(ALIKE, 1.5)
    with pytest.raises(ConfigError, match="unknown linkage 'ward'"):
        cluster(ALIKE, k=2, linkage_by="ward")  # type: ignore[arg-type]
    lopsided = ALIKE.copy()
    lopsided[0, 1] = 0.3
    for bad, message in (
        (ALIKE[:2], "got 2 × 5 numbers"),
        (np.empty((0, 0)), "got 0 × 0"),
        (2 * ALIKE, "between 0 and 1"),
        (ALIKE * np.nan, "between 0 and 1"),
        (lopsided, "symmetric"),
    ):
        with pytest.raises(InputError, match=message):
            deduplicate(bad, 0.5)


@pytest.mark.parametrize("find", [lambda rows: cluster(rows, k=1), of_texts])
def test_distances_are_not_taken_for_similarities(find: Callable[[FloatArray], object]) -> None:
    """Groups and duplicates came out upside down."""
    with pytest.raises(InputError) as found:
        find(1 - ALIKE)
    assert str(found.value) == (
        "these look like distances: of text 0 (from 0) the number with itself is 0, and with text "
        "1 it is 0.9; a text is most similar to itself; give those of a SimilarityMatrix, its "
        ".similarities"
    )
    for same in (np.zeros((3, 3)), np.zeros((1, 1))):
        with pytest.raises(InputError, match="of each text the number with itself is 0; a text is"):
            find(same)
    large = np.full((700, 700), 0.5)
    large[699, 699] = 0.4
    with pytest.raises(InputError, match=r"of text 699 .* is 0\.4, and with text 0 it is 0\.5"):
        find(large)
    with pytest.raises(InputError, match=r"between 0 and 1, got 2\.5; .* its \.similarities"):
        find(np.array([[0, 2.5], [2.5, 0]]))
    # Texts that repeat, one alone, and rounding to half precision.
    for right in (np.ones((3, 3)), np.ones((1, 1)), np.array([[0.9995, 1.0], [1.0, 0.9995]])):
        find(right)


@pytest.mark.parametrize("preset", PRESETS)
def test_no_preset_has_a_text_less_similar_to_itself(preset: str) -> None:
    config = None if PRESETS[preset].vectors else SMALL
    texts = ["a red car", "the sea", "a red car", "x", "1"]
    found = compare_matrix(ToyModel(), texts, config=config, preset=preset)
    assert sum(map(len, cluster(found.similarities, k=2).groups)) == len(texts)
    with pytest.raises(InputError, match="SimilarityMatrix"):
        cluster(found.distances, k=2)
