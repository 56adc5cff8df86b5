"""What is of a wrong type is refused in words by all public functions, and never in part taken."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import similarity
from similarity.calibration import load_calibrations
from similarity.compat.agreement import EntailmentNLI
from similarity.compat.cross_encoder import TrajectoryCrossEncoder
from similarity.compat.sentence_encoder import VectorEncoder
from similarity.entailment.opening import open_entailment
from similarity.entailment.profiles import ProfileEntailment
from similarity.errors import ConfigError, ImageError, InputError, ModelError
from similarity.groups.clustering import cluster, cosines, deduplicate
from similarity.groups.consensus import find_consensus
from similarity.images.sources import image_file
from similarity.meaning import profile_meanings, trajectory_meanings
from similarity.models.toy import ToyModel
from similarity.scorers import open_scorer
from similarity.tiles import Grid, Selection, stream_matrix, stream_pairs
from similarity.vectors import MeaningVectors, ProfileConfig, VectorConfig, fit, load, save
from similarity.vectors.general import open_vectors
from similarity.vectors.index import build_index, open_index

TEXTS = [f"text number {number} of many" for number in range(40)]
TWO = ["a red car", "the sea"]
CONFIG = VectorConfig(groups=(ProfileConfig(tokens=64, rank=8),))
MODEL = ToyModel()
PAPER = similarity.ComparisonConfig.build(n_trajectories=2, max_tokens=2)
TWO_IN_ONE = [["a", "b"]]
# What is no list of texts: above all one text, which is not a list of characters.
NO_TEXTS: list[Any] = [
    "ab",
    b"ab",
    None,
    5,
    {"a": 1},
    [1, 2],
    TWO_IN_ONE,
    Path("ab"),
    np.array("ab"),
]
NO_PATHS: list[Any] = [None, 5, [], {}, np.array(["a", "b"])]

Call = Callable[[Any], Any]


@pytest.fixture(scope="module")
def vectors() -> MeaningVectors:
    return fit(MODEL, TEXTS, CONFIG)


@pytest.fixture(scope="module")
def calls(vectors: MeaningVectors) -> dict[str, Call]:
    """Return functions of texts, by name."""
    entailment = open_entailment(MODEL)
    cross = TrajectoryCrossEncoder(MODEL)
    return {
        "compare_many": lambda texts: similarity.compare_many(MODEL, "a", texts),
        "compare_matrix": lambda texts: similarity.compare_matrix(MODEL, texts),
        "fit": lambda texts: fit(MODEL, texts),
        "encode": vectors.encode,
        "read": vectors.read,
        "tokens": vectors.tokens,
        "cut": vectors.truncator("end").cut,
        "degrees": ProfileEntailment(vectors=vectors).degrees,
        "VectorEncoder": VectorEncoder(vectors).encode,
        "find_consensus": lambda texts: find_consensus(entailment, texts),
        "judge": entailment.judge,
        "EntailmentNLI": EntailmentNLI(entailment).get_nli_results_batch,
        "profile_meanings": lambda texts: profile_meanings(vectors, texts),
        "trajectory_meanings": lambda texts: trajectory_meanings(MODEL, texts, PAPER),
        "rank": lambda texts: cross.rank("a", texts),
        "predict": cross.predict,
        "Grid": Grid,
        "deduplicate": lambda texts: deduplicate(np.eye(2), 0.5, 5 if texts is None else texts),
    }


@pytest.mark.parametrize("texts", NO_TEXTS, ids=repr)
def test_what_is_no_list_of_texts(texts: Any, calls: dict[str, Call]) -> None:
    # One text is what this one takes too, and pairs are what these take.
    taken = {"VectorEncoder"} if isinstance(texts, str) else set()
    taken |= {"judge", "EntailmentNLI", "predict"} if texts is TWO_IN_ONE else set()
    # What stands for an image that is not read yet may be anything.
    taken |= {"cut"} if isinstance(texts, list) else set()
    for name, call in calls.items():
        if name not in taken:
            with pytest.raises(InputError, match="must be|want"):
                call(texts)


def test_an_array_of_texts_is_a_list_of_them(calls: dict[str, Call]) -> None:
    texts = np.array(TWO)
    assert calls["compare_matrix"](texts).rows == tuple(TWO)
    assert calls["find_consensus"](texts).texts == tuple(TWO)
    for name in ("encode", "VectorEncoder", "profile_meanings", "rank"):
        assert len(calls[name](texts)) == 2


@pytest.mark.parametrize(
    "rows", ["ab", None, 5, [], {}, {"a": 1}, [["a"]], [[1], [1, 2]], [[1 + 0j]], np.eye(2) * 1j]
)
def test_what_is_no_table_of_similarities(rows: Any) -> None:
    for call in (lambda: cluster(rows, k=1), lambda: deduplicate(rows, 0.5)):
        with pytest.raises(InputError, match=r"similarities (must be numbers|of texts)"):
            call()


@pytest.mark.parametrize(
    "rows", ["ab", None, 5, [], [1, 0], [["a"]], [[1], [1, 2]], [[[1]]], [[1j]]]
)
def test_what_is_no_table_of_vectors(rows: Any) -> None:
    with pytest.raises(InputError, match="vectors must be"):
        cosines(rows)


def test_similarities_may_be_lists() -> None:
    rows: Any = [[1, 0.9, 0], [0.9, 1, 0], [0, 0, 1]]
    assert cluster(rows, k=2).groups == cluster(np.array(rows), k=2).groups
    assert deduplicate(rows, 0.8) == deduplicate(np.array(rows), 0.8)
    vectors: Any = [[1, 0], [0, 1]]
    assert cosines(vectors).tolist() == np.eye(2).tolist()
    with pytest.raises(InputError, match="there are 2 texts and similarities of 3"):
        deduplicate(rows, 0.8, ["a", "b"])


@pytest.mark.parametrize("path", NO_PATHS, ids=repr)
def test_what_is_no_path(path: Any, vectors: MeaningVectors) -> None:
    scorer = similarity.open_scorer(MODEL, config=PAPER)
    grid = Grid(["a", "b"])
    calls: list[Callable[[], Any]] = [
        lambda: load(path, MODEL),
        lambda: save(vectors, path),
        lambda: stream_matrix(scorer, grid, path),
        lambda: stream_pairs(scorer, grid, Selection(threshold=0.5), path, lambda *_: None),
    ]
    if path is not None:
        calls.append(lambda: similarity.open_scorer(MODEL, vectors=path))
    for call in calls:
        with pytest.raises(ConfigError, match="must be a path, got"):
            call()


def test_a_path_may_be_a_string(tmp_path: Path) -> None:
    scorer = similarity.open_scorer(MODEL, config=PAPER)
    stream_matrix(scorer, Grid(["a", "b"]), str(tmp_path / "m.npy"))
    assert np.load(tmp_path / "m.npy").shape == (2, 2)


class Place:
    """A path of another kind than pathlib's, as of a library of archives or of storage."""

    def __init__(self, path: Path) -> None:
        self._path = str(path)

    def __fspath__(self) -> str:
        return self._path


@pytest.mark.parametrize("kind", [str, Path, Place])
def test_a_path_may_be_of_any_kind(
    kind: Callable[[Path], Any], vectors: MeaningVectors, tmp_path: Path
) -> None:
    fitted, index, scales = tmp_path / "fitted", tmp_path / "index", tmp_path / "scales.json"
    save(vectors, kind(fitted))
    assert load(kind(fitted), MODEL).width == vectors.width
    assert open_vectors(kind(fitted), MODEL).width == vectors.width
    assert similarity.open_scorer(MODEL, vectors=kind(fitted)).fingerprint
    assert open_entailment(MODEL, vectors=kind(fitted)).fingerprint
    build_index(kind(index), vectors, ["a", "b"], [vectors.encode(["a", "b"])], "exact")
    assert len(open_index(kind(index), vectors).texts) == 2
    with pytest.raises(InputError, match="scales.json"):
        load_calibrations(kind(scales))
    for given in (scales, tmp_path / "m.npy"):
        with pytest.raises(ImageError, match="cannot be read: No such file"):
            image_file(kind(given))
    grid = Grid(["a", "b"])
    scorer = similarity.open_scorer(MODEL, config=PAPER)
    stream_matrix(scorer, grid, kind(tmp_path / "m.npy"))
    stream_pairs(scorer, grid, Selection(k=1), kind(tmp_path / "p"), lambda *_: None)
    assert similarity.load_model(kind(Path("toy"))).info == MODEL.info
    with pytest.raises(ModelError, match="gone"):
        similarity.load_model(kind(tmp_path / "gone"))


@pytest.mark.parametrize("value", ["ab", 5, ["a"], {}], ids=repr)
def test_what_is_no_setting(value: Any, vectors: MeaningVectors) -> None:
    scorer = similarity.open_scorer(MODEL)
    compared = similarity.compare(MODEL, "a", "b", PAPER)
    calls: list[Callable[[], Any]] = [
        lambda: similarity.SamplingConfig(law=value),
        lambda: similarity.ComparisonConfig(sampling=value),
        lambda: similarity.ComparisonConfig(prompt=value),
        lambda: similarity.ComparisonConfig(distance="centred-l1", bank=value),
        lambda: similarity.Prompt(full_stop=value),
        lambda: similarity.compare(MODEL, "a", "b", value),
        lambda: similarity.compare_to_tolerance(MODEL, "a", "b", value),
        lambda: similarity.load_model("toy", value),
        lambda: similarity.open_scorer(value),
        lambda: fit(value, TEXTS),
        lambda: fit(MODEL, TEXTS, value),
        lambda: load("folder", value),
        lambda: VectorConfig(groups=value),
    ]
    if value != 5:
        calls += [
            lambda: similarity.Tolerance(half_width=value),
            lambda: similarity.Tolerance(half_width=0.1, confidence=value),
            lambda: similarity.Tolerance(half_width=0.1, max_trajectories=value),
            lambda: compared.interval(value),
            lambda: scorer.explain([("a", "b")], value),
            lambda: vectors.encode(["a"], dimensions=value),
        ]
    if value != "ab":
        calls += [lambda: similarity.Prompt(before=value), lambda: similarity.Prompt(after=value)]
    for call in calls:
        with pytest.raises(ConfigError, match="must be|allowed:"):
            call()


def test_registers_and_log_probs_are_lists() -> None:
    with pytest.raises(InputError, match="registers must be a list of names"):
        fit(MODEL, TEXTS, CONFIG, registers="questions")
    wrong: Any
    for wrong in ("ab", 5, {"a": 1}):
        with pytest.raises(InputError, match="log_probs must be|want one log-prob"):
            find_consensus(open_entailment(MODEL), ["a", "b"], log_probs=wrong)


def test_an_explanation_has_five_items_unless_it_is_told() -> None:
    scorer = open_scorer(ToyModel(), "paper")
    pair = [("a b c", "x y z")]
    assert scorer.explain(pair)[0].to_dict() == scorer.explain(pair, top=5)[0].to_dict()


def test_true_and_false_are_no_numbers(vectors: MeaningVectors) -> None:
    value: Any = True
    calls: list[Callable[[], Any]] = [
        lambda: open_scorer(MODEL).explain([("a", "b")], value),
        lambda: vectors.encode(["a"], dimensions=value),
        lambda: VectorEncoder(vectors).encode(["a"], truncate_dim=value),
        lambda: VectorEncoder(vectors).encode(["a"], batch_size=value),
        lambda: TrajectoryCrossEncoder(MODEL).rank("a", ["b"], top_k=value),
        lambda: similarity.Tolerance(half_width=value),
        lambda: similarity.Tolerance(half_width=0.1, max_trajectories=value),
        lambda: similarity.SamplingConfig(seed=value),
    ]
    for call in calls:
        with pytest.raises(ConfigError, match="must be a .*number.*, got True"):
            call()


@pytest.mark.parametrize("kind", [set, frozenset])
def test_a_set_is_no_list(kind: Any, calls: dict[str, Call]) -> None:
    """Its order is that of a hash: which row or score is of which text was not to be seen."""
    pairs: Any = kind([("a", "b"), ("c", "d")])
    for name, call in calls.items():
        given = pairs if name in {"judge", "EntailmentNLI", "predict"} else kind(TWO)
        with pytest.raises(InputError, match=f"must be a list, got a {kind.__name__}"):
            call(given)
    for wrong in (pairs, [kind(TWO)]):
        with pytest.raises(InputError, match="which has no order; give sorted"):
            similarity.compare_pairs(MODEL, wrong)
