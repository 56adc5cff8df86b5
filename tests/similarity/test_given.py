"""One text in the place of a list is refused by every public function, and not read by letters."""

import inspect
import types
from collections.abc import Callable, Iterable, Iterator, Sequence
from importlib import import_module
from pathlib import Path
from typing import Any, TypeVar, Union, get_args, get_origin, get_type_hints

import numpy as np
import pytest

import similarity
from docsite.python_page import NAMES
from eval.adapters.senteval import SentEvalHook
from similarity.arrays import FloatArray
from similarity.compat.cross_encoder import TrajectoryCrossEncoder
from similarity.compat.sentence_encoder import VectorEncoder
from similarity.config import ComparisonConfig
from similarity.entailment.hyponymy import contexts_of
from similarity.entailment.opening import open_entailment
from similarity.entailment.profiles import ProfileEntailment
from similarity.errors import InputError
from similarity.given import check_several
from similarity.groups.own_words import first_of_wording, shared_words, unequal_numbers
from similarity.material import likelihood_matrix
from similarity.models.toy import ToyModel
from similarity.reliability import reliability
from similarity.scales import knots_of_judgements, order_of, scale_of_judgements
from similarity.scorers import open_scorer
from similarity.texts.familiarity import cuts_of, unfamiliar
from similarity.texts.truncation import Truncator
from similarity.vectors import ProfileConfig, VectorConfig, fit
from similarity.vectors.index import build_index
from similarity.vectors.stream import check_texts, write_vectors

MODEL = ToyModel()
CONFIG = VectorConfig(groups=(ProfileConfig(tokens=64, rank=8),))
PUBLIC = [name for names in NAMES.values() for name in names if not name.startswith("service.")]
PUBLIC += ["similarity.material", "similarity.models.base.LanguageModel"]
# What several texts may come in, and not what a caller gets or gives by name, such as a tuple.
SEVERAL = {Sequence, Iterable, list}


def _found(name: str) -> Any:
    try:
        return import_module(name)
    except ModuleNotFoundError:
        module, _, last = name.rpartition(".")
        return getattr(_found(module), last)


def _functions(found: Any) -> Iterator[Callable[..., Any]]:
    """Yield a function, or the public ones of a module or a class."""
    if inspect.isfunction(found):
        yield found
    elif inspect.isclass(found) or inspect.ismodule(found):
        own = getattr(found, "__module__", found.__name__)
        for name, member in vars(found).items():
            if not name.startswith("_") and getattr(member, "__module__", None) == own:
                yield from _functions(member)


def _may_be_text(hint: Any) -> bool:
    if isinstance(hint, TypeVar):
        return any(map(_may_be_text, hint.__constraints__))
    if get_origin(hint) in (Union, types.UnionType):
        return any(map(_may_be_text, get_args(hint)))
    return hint is str


def _wants_texts(hint: Any) -> bool:
    """Return whether a hint is of several texts, and not of one text as well."""
    if get_origin(hint) in (Union, types.UnionType):
        return str not in get_args(hint) and any(map(_wants_texts, get_args(hint)))
    return get_origin(hint) in SEVERAL and any(map(_may_be_text, get_args(hint)[:1]))


CASES = [
    pytest.param(function, name, id=f"{function.__module__}.{function.__qualname__}:{name}")
    for function in dict.fromkeys(f for name in PUBLIC for f in _functions(_found(name)))
    for name, hint in get_type_hints(function).items()
    if name != "return" and _wants_texts(hint)
]


@pytest.fixture(scope="module")
def owners() -> list[Any]:
    """Return what has public methods, or is wanted beside the texts."""
    vectors = fit(MODEL, [f"text number {number} of many" for number in range(40)], CONFIG)
    return [
        MODEL,
        vectors,
        similarity.open_scorer(MODEL),
        open_entailment(MODEL),
        ProfileEntailment(vectors=vectors),
        TrajectoryCrossEncoder(MODEL),
        VectorEncoder(vectors),
        SentEvalHook(MODEL),
    ]


def test_the_public_functions_of_texts_are_found() -> None:
    names = {case.id for case in CASES}
    assert "similarity.material.sample:texts" in names
    assert "similarity.models.base.LanguageModel.encode_all:texts" in names
    assert len(names) >= 15


@pytest.mark.parametrize(("function", "name"), CASES)
def test_one_text_is_no_list_of_letters(
    function: Callable[..., Any], name: str, owners: list[Any], tmp_path: Path
) -> None:
    hints = get_type_hints(function)
    given: dict[str, Any] = {}
    for other, parameter in inspect.signature(function).parameters.items():
        if other == "self":
            owner = next(o for o in owners if function in _inherited(type(o)))
            function = getattr(owner, function.__name__)
        elif other == name:
            given[other] = "ab"
        elif parameter.default is inspect.Parameter.empty:
            given[other] = _value(hints[other], owners, tmp_path)
    with pytest.raises(InputError, match=r"must be a list"):
        function(**given)


def _inherited(kind: type) -> list[Any]:
    return [member for base in kind.__mro__ for member in vars(base).values()]


def _value(hint: Any, owners: list[Any], folder: Path) -> Any:
    """Return something of a kind for the other arguments."""
    if _wants_texts(hint):
        return ["a", "b"]
    if hint is float:
        return 0.5
    if hint == FloatArray:
        return np.eye(2)
    kinds = get_args(hint) if get_origin(hint) in (Union, types.UnionType) else (hint,)
    if str in kinds:
        return str(folder / "new")
    classes = tuple(k for k in kinds if inspect.isclass(k) and k is not Any)
    return next((one for one in owners if isinstance(one, classes)), [])


def test_one_text_is_refused_by_what_these_functions_use(owners: list[Any]) -> None:
    vectors = owners[1]
    truncator = Truncator(vectors.tokens, "end")
    calls: list[Callable[[Any], Any]] = [
        truncator.warnings,
        lambda texts: check_texts(vectors, texts, truncator),
        lambda texts: contexts_of(("a", "b"), texts),
        lambda texts: cuts_of(MODEL, texts),
        lambda texts: unfamiliar(MODEL, texts),
        lambda texts: shared_words("a", texts),
        lambda texts: unequal_numbers("a", texts),
        first_of_wording,
    ]
    for call in calls:
        with pytest.raises(InputError, match="must be a list of them, got 'ab'"):
            call("ab")


# By name: a view of memory is shown by its address, which differs in each process.
@pytest.mark.parametrize("make", [bytes, bytearray, memoryview])
def test_bytes_are_no_list_of_numbers(make: Callable[[bytes], object]) -> None:
    with pytest.raises(InputError, match="^texts must be a list of them, got"):
        check_several(make(b"ab"))


@pytest.mark.parametrize("given", [["ab", 5], [["a"]], [[1, 10**6]], [b"ab"], "ab"], ids=repr)
def test_a_continuation_is_a_text_or_token_ids(given: Any) -> None:
    with pytest.raises(InputError, match="must be a list|is not of this model's vocabulary"):
        likelihood_matrix(MODEL, ["a"], given)


def test_a_continuation_may_show_nothing_but_is_neither_empty_nor_has_nul() -> None:
    assert np.isfinite(likelihood_matrix(MODEL, ["a"], ["\n", "\u200b"])).all()
    for given, said in (("", "is empty"), ("b\0", "has a NUL"), ("\ud800", "not valid Unicode")):
        with pytest.raises(InputError, match=f"^a continuation .*{said}"):
            likelihood_matrix(MODEL, ["a"], [given])


def test_ids_are_as_many_as_the_texts(owners: list[Any], tmp_path: Path) -> None:
    vectors, texts = owners[1], ["x", "y"]
    given = (vectors, texts, tmp_path / "v.jsonl", "jsonl", None, Truncator(vectors.tokens))
    for ids, message in (("ab", "ids must be a list"), (["a"], "2 texts and 1 ids")):
        with pytest.raises(InputError, match=message):
            build_index(tmp_path, vectors, texts, [vectors.encode(texts)], ids=ids)
        with pytest.raises(InputError, match=message):
            write_vectors(*given, lambda _: None, ids)


@pytest.mark.parametrize("kind", ["exact", "graph"])
def test_vectors_of_an_index_are_as_many_as_the_texts(
    kind: str, owners: list[Any], tmp_path: Path
) -> None:
    vectors = owners[1]
    rows = vectors.encode(["x", "y", "z"])
    for texts in (["x", "y"], ["x", "y", "z", "a"]):
        for parts in ([rows], [rows[:2], rows[2:]]):
            with pytest.raises(InputError, match=f"{len(texts)} texts and 3 vectors; give one"):
                build_index(tmp_path, vectors, texts, parts, kind)


def test_judgements_are_as_many_as_what_they_are_of() -> None:
    scorer = open_scorer(MODEL, config=ComparisonConfig.build(n_trajectories=2, max_tokens=2))
    three, pairs = np.array([0.1, 0.5, 0.9]), [("a", "b"), ("c", "d")]
    calls: list[Callable[[], Any]] = [
        lambda: scale_of_judgements(scorer, pairs, three.tolist(), (0, 1), {}),
        lambda: order_of(three[:2], three),
        lambda: knots_of_judgements(three[:2], three, (0, 1)),
        lambda: reliability(three[:2], three, 1),
    ]
    for call in calls:
        with pytest.raises(InputError, match="there are 2 .* and 3 judgements; give one each"):
            call()
