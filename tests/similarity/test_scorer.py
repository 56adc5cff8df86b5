"""What callers of the library's functions may give, and what they are told of all else."""

import pickle
from collections.abc import Callable
from typing import Any

import pandas as pd
import pyarrow as pa
import pytest

from similarity import (
    ConfigError,
    InputError,
    compare,
    compare_many,
    compare_matrix,
    compare_pairs,
    load_model,
    open_scorer,
)
from similarity.errors import UnsupportedError
from similarity.models.loader import examine_model
from similarity.models.local import LocalModel
from similarity.models.toy import ToyModel

TEXT = "a text must be a string, or an image of similarity.images.sources, got "
TABLE = (
    "pairs must be a list of pairs of texts, got a DataFrame of columns; give "
    "list(zip(first, second)) of the two that have the texts"
)
ARROW = "<pyarrow.StringScalar: 'x'>; give .to_pylist() of an array of pyarrow"
BLANK = (
    "a text is empty or only white space and other characters that show nothing; give at least one "
    "that can be seen"
)
PAIR = "a pair must be two texts, got "
Wrong = Callable[[ToyModel], Any]
WRONG: list[tuple[Wrong, str]] = [
    (lambda model: compare(model, None, "b"), f"{TEXT}None"),  # type: ignore[arg-type]
    (lambda model: compare(model, "a", 1), f"{TEXT}1"),  # type: ignore[arg-type]
    (lambda model: compare(model, b"a", "b"), f"{TEXT}b'a'"),  # type: ignore[arg-type]
    (lambda model: compare_pairs(model, ["ab"]), f"{PAIR}'ab'"),  # type: ignore[list-item]
    (lambda model: compare_pairs(model, "ab"), "pairs must be a list of pairs of texts, got 'ab'"),  # type: ignore[arg-type]
    (lambda model: compare_pairs(model, None), "pairs must be a list of pairs of texts, got None"),  # type: ignore[arg-type]
    (lambda model: compare_pairs(model, [3]), f"{PAIR}3"),  # type: ignore[list-item]
    (lambda model: compare_pairs(model, [("a", "b", "c")]), f"{PAIR}('a', 'b', 'c')"),  # type: ignore[list-item]
    (lambda model: compare_many(model, "a", "bc"), "targets must be a list of them, got 'bc'"),
    (lambda model: compare_matrix(model, "abc"), "rows must be a list of them, got 'abc'"),
    # A preset in the place of the columns.
    (
        lambda model: compare_matrix(model, ["a"], "fast"),
        "columns must be a list of them, got 'fast'",
    ),
    (
        lambda model: open_scorer(model, truncate="end").matrix(["a"], "fast"),
        "columns must be a list of them, got 'fast'",
    ),
    (lambda model: compare_matrix(model, ["a"], [None]), f"{TEXT}None"),  # type: ignore[list-item]
    (lambda model: open_scorer(model).explain([("a",)], 1), f"{PAIR}('a',)"),  # type: ignore[list-item]
    (lambda model: compare_pairs(model, pd.DataFrame({"a": ["x"], "b": ["y"]})), TABLE),  # type: ignore[arg-type]
    (lambda model: compare_pairs(model, {"a": "x"}), TABLE.replace("DataFrame", "dict")),  # type: ignore[arg-type]
    (
        lambda model: compare_pairs(model, pa.table({"a": ["x"]})),
        TABLE.replace("DataFrame", "Table"),
    ),  # type: ignore[arg-type]
    (lambda model: compare_pairs(model, [{"a": "x", "b": "y"}]), f"{PAIR}{{'a': 'x', 'b': 'y'}}"),  # type: ignore[list-item]
    (
        lambda model: compare_matrix(model, pd.DataFrame({"a": ["x"], "b": ["y"]})),
        "rows must be a list of them, got a DataFrame of columns; give the values of one column, "
        "as a list",
    ),
    (lambda model: compare_matrix(model, pa.array(["x", "y"])), f"{TEXT}{ARROW}"),
    (
        lambda model: compare_pairs(model, list(zip(pa.array(["x"]), ["y"], strict=True))),
        f"{TEXT}{ARROW}",
    ),  # type: ignore[arg-type]
    (lambda model: compare(model, "\u200b", "a"), BLANK),
    (lambda model: compare_pairs(model, [("\u200b", "\u200b")]), BLANK),
    (lambda model: compare_matrix(model, ["a", "\ufeff"]), BLANK),
    (lambda model: compare(model, "a", "\x01"), BLANK),
    (lambda model: compare(model, "a", "b\0"), "a text has a NUL character; take it out"),
    (lambda model: open_scorer(model).check([{}]), f"{TEXT}{{}}"),  # type: ignore[list-item]
]


@pytest.mark.parametrize(("call", "message"), WRONG)
def test_what_is_no_text_is_refused_in_words(
    call: Wrong, message: str, toy_model: ToyModel
) -> None:
    with pytest.raises(InputError) as found:
        call(toy_model)
    assert str(found.value) == message


@pytest.mark.parametrize("name", ["", " ", "\n"])
@pytest.mark.parametrize("call", [load_model, examine_model])
def test_an_empty_name_is_no_folder(name: str, call: Callable[[str], object]) -> None:
    """It was taken for the folder that one is in, whose files were listed."""
    with pytest.raises(ConfigError, match="^the name of a model is empty; give one, or leave it"):
        call(name)


@pytest.mark.parametrize("truncate", ["refuse", "end"])
@pytest.mark.parametrize("preset", ["paper", "meaning"])
def test_pairs_may_come_one_by_one_and_be_lists(
    preset: str, truncate: str, toy_model: ToyModel
) -> None:
    scorer = open_scorer(toy_model, preset, truncate=truncate)
    pairs = [("a red car", "the sea"), ("the sea", "the sea.")]
    expected = [score.distance for score in scorer.score(pairs)]
    given: Any = (list(pair) for pair in pairs)
    assert [score.distance for score in scorer.score(given)] == expected
    with pytest.raises(InputError, match="a pair must be two texts"):
        scorer.score([("a", "b", "c")])  # type: ignore[list-item]


WRONG_SETTINGS: list[tuple[Wrong, str]] = [
    (lambda _: compare("toy", "a", "b"), "model must be what load_model returns, got 'toy'"),  # type: ignore[arg-type]
    (lambda model: compare(model, "a", "b", {}), "config must be a ComparisonConfig, got {}"),  # type: ignore[arg-type]
    (lambda model: open_scorer(model, ["paper"]), "unknown preset ['paper']; allowed: "),  # type: ignore[arg-type]
]


@pytest.mark.parametrize(("call", "message"), WRONG_SETTINGS)
def test_settings_of_another_kind_are_refused_in_words(
    call: Wrong, message: str, toy_model: ToyModel
) -> None:
    with pytest.raises(ConfigError) as found:
        call(toy_model)
    assert str(found.value).startswith(message)


def test_the_name_of_a_model_is_a_string() -> None:
    with pytest.raises(ConfigError, match="the name of a model must be a string or a path, got 3"):
        load_model(3)  # type: ignore[arg-type]


@pytest.mark.parametrize("truncate", ["refuse", "end"])
@pytest.mark.parametrize("preset", ["paper", "meaning", "best"])
def test_a_scorer_can_be_sent_to_another_process_with_its_model(
    preset: str, truncate: str, toy_model: ToyModel
) -> None:
    scorer = open_scorer(toy_model, preset, truncate=truncate)
    sent = pickle.loads(pickle.dumps(scorer))
    pairs = [("a red car", "the sea")]
    assert sent.score(pairs)[0].numbers() == scorer.score(pairs)[0].numbers()


def test_a_network_stays_in_its_process(tiny: Callable[[str], LocalModel]) -> None:
    with pytest.raises(UnsupportedError, match="call load_model there"):
        pickle.dumps(open_scorer(tiny("llama"), "paper"))
