"""Numbers of any kind are taken by all public functions, and what is no setting by none."""

import json
import re
from collections.abc import Callable
from dataclasses import asdict, fields
from fractions import Fraction
from typing import Any

import numpy as np
import pytest

import similarity
from similarity.compat.cross_encoder import TrajectoryCrossEncoder
from similarity.compat.sentence_encoder import VectorEncoder
from similarity.distributed.cluster import Cluster
from similarity.entailment.opening import open_entailment
from similarity.errors import ConfigError
from similarity.groups.clustering import cluster, deduplicate
from similarity.groups.consensus import find_consensus
from similarity.images.decoding import ImageLimits
from similarity.models.loader import LoadOptions
from similarity.models.toy import ToyModel
from similarity.models.vllm_server.config import ServerConfig
from similarity.scales import scale_of_own_texts
from similarity.tiles import Grid, Selection
from similarity.validation import given_integer, given_number
from similarity.vectors import MeaningVectors, ProfileConfig, TrigramsConfig, VectorConfig, fit
from similarity.vectors.config import StatesConfig, TrajectoriesConfig
from similarity.vectors.recipes import changed

MODEL = ToyModel()
TEXTS = [f"text number {number} of many" for number in range(40)]
PAIRS = [("a b", "c d")]
CONFIG = VectorConfig(groups=(ProfileConfig(tokens=64, rank=8),))
PAPER = similarity.ComparisonConfig.build(n_trajectories=2, max_tokens=2)
ROWS = np.array([[1, 0.9, 0.1], [0.9, 1, 0], [0.1, 0, 1]])

# Takes a number; the answer can be written as JSON.
Call = Callable[[Any], Any]


class Indexed:
    """What `operator.index` takes, and nothing else does."""

    def __index__(self) -> int:
        return 2


def kind_of(value: object) -> str:
    return type(value).__name__


@pytest.fixture(scope="module")
def vectors() -> MeaningVectors:
    return fit(MODEL, TEXTS, CONFIG)


@pytest.fixture(scope="module")
def of_whole(vectors: MeaningVectors) -> dict[str, Call]:
    """Return functions that take 2."""
    scorer, paper = similarity.open_scorer(MODEL), similarity.open_scorer(MODEL, config=PAPER)
    cross, encoder = TrajectoryCrossEncoder(MODEL), VectorEncoder(vectors)
    build = similarity.ComparisonConfig.build
    return {
        "cluster": lambda n: cluster(ROWS, k=n).groups,
        "explain": lambda n: scorer.explain(PAIRS, n)[0].to_dict(),
        "explain by trajectories": lambda n: paper.explain(PAIRS, n)[0].to_dict(),
        "encode": lambda n: vectors.encode(["a"], dimensions=n).tolist(),
        "truncate_dim": lambda n: encoder.encode("a", truncate_dim=n, batch_size=n).tolist(),
        "predict": lambda n: cross.predict(PAIRS * 3, batch_size=n).tolist(),
        "rank": lambda n: cross.rank("a", ["b", "c", "d"], top_k=n),
        "scale": lambda n: asdict(scale_of_own_texts(scorer, TEXTS, n)),
        "Grid": lambda n: Grid(TEXTS, size=n).header(paper),
        "Selection": lambda n: Selection(k=n).header(),
        "Tolerance": lambda n: asdict(similarity.Tolerance(half_width=1, max_trajectories=n)),
        "settings": lambda n: similarity.compare(
            MODEL, "a", "b", build(n_trajectories=n, max_tokens=n, seed=n, top_k=n)
        ).to_dict(),
        "ProfileConfig": lambda n: ProfileConfig(tokens=n, rank=n).to_dict(),
        "TrigramsConfig": lambda n: TrigramsConfig(width=n).to_dict(),
        "TrajectoriesConfig": lambda n: TrajectoriesConfig(
            references=n, length=n, first_tokens=n, seed=n
        ).to_dict(),
        "ServerConfig": lambda n: asdict(ServerConfig(attempts=n, in_flight=n)),
        "ImageLimits": lambda n: asdict(ImageLimits(max_bytes=n, max_pixels=n)),
        "Cluster": lambda n: asdict(Cluster(address="a:1", workers=n, cpus_per_worker=n)),
    }


@pytest.fixture(scope="module")
def of_part(vectors: MeaningVectors) -> dict[str, Call]:
    """Return functions that take 0.5."""
    entailment = open_entailment(MODEL)
    compared = similarity.compare(MODEL, "a", "b", PAPER)
    build = similarity.ComparisonConfig.build
    return {
        "cluster": lambda x: cluster(ROWS, threshold=x).groups,
        "deduplicate": lambda x: [one.kept for one in deduplicate(ROWS, x)],
        "find_consensus": lambda x: find_consensus(entailment, ["a", "b"], threshold=x).to_dict(),
        "Selection": lambda x: Selection(threshold=x).header(),
        "Tolerance": lambda x: asdict(similarity.Tolerance(half_width=x, confidence=x)),
        "interval": compared.to_dict,
        "entailment": lambda x: open_entailment(MODEL, confidence=x).judge(PAIRS)[0].to_dict(),
        "settings": lambda x: similarity.compare(
            MODEL, "a", "b", build(temperature=x, top_p=x, n_trajectories=2, max_tokens=2)
        ).to_dict(),
        "ProfileConfig": lambda x: ProfileConfig(weight=x, shrinkage=x).to_dict(),
        "TrigramsConfig": lambda x: TrigramsConfig(smoothing=x, names=x).to_dict(),
        "changed": lambda x: changed(CONFIG, trigrams=x, shrinkage=x).to_dict(),
        "ServerConfig": lambda x: asdict(ServerConfig(read_timeout=x, patience=x)),
        "Cluster": lambda x: asdict(Cluster(address="a:1", gpus_per_worker=x)),
    }


@pytest.mark.parametrize("number", [np.int64(2), np.uint8(2), np.array(2), Indexed()], ids=kind_of)
def test_a_whole_number_may_be_of_any_kind(number: Any, of_whole: dict[str, Call]) -> None:
    """NumPy's were refused, or ended in files and fingerprints, which cannot have them."""
    for name, call in of_whole.items():
        assert json.dumps(call(number)) == json.dumps(call(2)), name


@pytest.mark.parametrize("number", [np.float64(0.5), np.float32(0.5), Fraction(1, 2)], ids=kind_of)
def test_a_number_may_be_of_any_kind(number: Any, of_part: dict[str, Call]) -> None:
    for name, call in of_part.items():
        assert json.dumps(call(number)) == json.dumps(call(0.5)), name


def test_a_whole_number_in_the_place_of_another_is_the_same_setting() -> None:
    """A temperature of 1 and one of 1.0 had different fingerprints."""
    of_one, of_float = (
        similarity.compare(
            MODEL,
            "a",
            "b",
            similarity.ComparisonConfig.build(temperature=one, n_trajectories=2, max_tokens=2),
        ).fingerprint.digest
        for one in (1, 1.0)
    )
    assert of_one == of_float


@pytest.mark.parametrize("value", [True, np.True_, "2", 2.0, np.float64(2), None, [2], 2j])
def test_what_is_no_whole_number(value: Any) -> None:
    with pytest.raises(ConfigError, match="^k must be a whole number, got "):
        given_integer("k", value, at_least=1, at_most=3)
    with pytest.raises(ConfigError, match="^k must be a whole number of at least 1, got "):
        given_integer("k", value, at_least=1)


@pytest.mark.parametrize(
    "value",
    [True, np.True_, "2", None, [2], 2j, np.nan, -np.inf, 10**400],
    ids=lambda v: repr(v)[:9],
)
def test_what_is_no_finite_number(value: Any) -> None:
    with pytest.raises(ConfigError, match="^x must be a finite number(?: below 1.8e.308)?, got "):
        given_number("x", value, at_least=-(10**500), at_most=10**500)


@pytest.mark.parametrize("digits", [31, 400, 5000])
@pytest.mark.parametrize("sign", [1, -1])
def test_of_a_huge_number_the_range_of_its_own_setting_is_named(digits: int, sign: int) -> None:
    """It was said to be no finite number, or the limit of Python's own digits was named."""
    huge = sign * 10 ** (digits - 1)
    build = similarity.ComparisonConfig.build
    for name, limits in (
        ("temperature", "0.01 and 100"),
        ("top_p", "1e-06 and 1"),
        ("n_trajectories", "1 and 10000"),
        ("seed", "0 and 9223372036854775807"),
    ):
        with pytest.raises(ConfigError) as raised:
            build(**{name: huge})
        said = str(raised.value)
        assert said.startswith(f"{name} must be between {limits}, got ")
        assert len(said) < 160
    wanted = "at least 0" if sign < 0 else "a finite number below 1.8e+308"
    if digits > 309:
        with pytest.raises(ConfigError, match=re.escape(f"x must be {wanted}, got ")):
            given_number("x", huge, at_least=0)


def test_a_value_of_a_message_that_is_cut_is_seen_to_be() -> None:
    with pytest.raises(ConfigError, match=r"got 1(0{59})…$"):
        given_integer("k", 10**99, at_least=1, at_most=3)
    with pytest.raises(ConfigError, match="got one of more than 4300 digits$"):
        given_integer("k", 10**5000, at_least=1, at_most=3)


@pytest.mark.parametrize("huge", [10**400, -(10**400), 10**5000], ids=["1", "-1", "unwritten"])
def test_a_huge_number_among_others_is_refused_in_words(huge: int) -> None:
    """It ended in an OverflowError."""
    with pytest.raises(similarity.InputError, match="similarities must be numbers that a float"):
        cluster([[1, huge], [huge, 1]], k=1)  # type: ignore[arg-type]
    with pytest.raises(similarity.InputError, match="log_probs must be numbers that a float"):
        find_consensus(MODEL, ["a", "b"], log_probs=[huge, -1.0])


def test_a_range_is_named_with_the_number() -> None:
    for call, said in (
        (lambda: given_integer("k", 0, at_least=1), "k must be at least 1, got 0"),
        (lambda: given_integer("k", 70_000, at_least=1, at_most=65_536), "1 and 65536, got 70000"),
        (lambda: given_number("x", -1, at_least=0), "x must be at least 0, got -1"),
        (lambda: given_number("x", 2, at_least=0.5, at_most=1), "between 0.5 and 1, got 2"),
    ):
        with pytest.raises(ConfigError, match=f"{said}$"):
            call()


# Settings that users make, each with what else it wants.
SETTINGS: dict[type, dict[str, Any]] = {
    similarity.Law: {},
    similarity.SamplingConfig: {},
    similarity.ComparisonConfig: {},
    similarity.Prompt: {},
    similarity.Tolerance: {"half_width": 1},
    ProfileConfig: {},
    StatesConfig: {},
    TrigramsConfig: {},
    TrajectoriesConfig: {},
    VectorConfig: {"groups": (ProfileConfig(),)},
    LoadOptions: {},
    ServerConfig: {},
    ImageLimits: {},
    Cluster: {"address": "local"},
}


@pytest.mark.parametrize("kind", SETTINGS, ids=lambda one: one.__name__)
@pytest.mark.parametrize("value", [object(), {}, b"5", 5j, np.array([1, 2])], ids=kind_of)
def test_a_setting_of_a_wrong_type_is_refused_in_one_line(kind: type, value: Any) -> None:
    """Some ended in a bare TypeError, and some were taken."""
    kind(**SETTINGS[kind])
    for field in fields(kind):
        with pytest.raises(ConfigError, match="must be|allowed:") as caught:
            kind(**SETTINGS[kind] | {field.name: value})
        assert "\n" not in str(caught.value)


def test_a_number_in_a_string_is_no_number() -> None:
    for given in ({"read_timeout": "5"}, {"attempts": "5"}):
        with pytest.raises(ConfigError, match="must be a .*number.*, got '5'"):
            ServerConfig(**given)
