"""Values in files of others."""

import json
import math
import pickle
import re
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from similarity.tabular.values import (
    MAX_DEPTH,
    json_fault,
    json_text,
    json_value,
    to_number,
    without_repeats,
)

# Numbers of JSON that a float or an int would not give back as they are written.
LONG = (
    *("12345678901234567890.123", "0.1000000000000000055", "1e400", "-1e-400", "-0", "1E5"),
    *("1.50", "1e5", "100000000000000000000000000000000000000001"),
)


@given(st.floats(allow_nan=False))
def test_what_is_written_is_read(number: float) -> None:
    assert to_number(repr(number)) == number
    assert to_number(number) == number


@pytest.mark.parametrize(("text", "number"), [(" 3 ", 3), ("+3", 3), (".5", 0.5), ("2.", 2)])
def test_numbers_as_people_write_them(text: str, number: float) -> None:
    assert to_number(text) == number


@pytest.mark.parametrize(
    "value",
    # Python's own reading takes the first four.
    ["1_0", "٣", "３", True, "", " ", "1,5", "0x10", "1 0", "1e", "--1", ".", None, [], 1j],
)
def test_all_else_is_none(value: Any) -> None:
    assert to_number(value) is None


def test_decimals_of_tables_are_numbers() -> None:
    assert to_number(Decimal("2.5")) == 2.5


def test_what_is_too_large_is_infinite() -> None:
    assert to_number("1e400") == math.inf
    assert to_number(10**400) == math.inf
    assert to_number(-(10**400)) == -math.inf
    assert math.isnan(to_number("NaN") or 0)


def test_a_name_that_stands_twice() -> None:
    assert json.loads('{"a": 1, "b": {"a": 2}}', object_pairs_hook=without_repeats) == {
        "a": 1,
        "b": {"a": 2},
    }
    with pytest.raises(ValueError, match="the name 'a' stands twice in an object; keep one"):
        json.loads('{"b": {"a": 1, "a": 2}}', object_pairs_hook=without_repeats)


@pytest.mark.parametrize(
    "text",
    ['"a', '["a', '"a\nb"', '"\\x"', '"\\u12"', "[1,", '{"a"', "{", "tru", "1 2", '{"a": 1,}', ""],
)
def test_a_fault_has_its_place_once(text: str) -> None:
    with pytest.raises(json.JSONDecodeError, match="char") as caught:
        json_value(text)
    assert re.fullmatch(r".*[^ ] at character \d+", json_fault(caught.value))
    assert " at at " not in json_fault(caught.value)


@pytest.mark.parametrize("ends", ["[]", ('{"a":', "}")])
def test_a_value_may_be_nested_so_deep_and_no_deeper(ends: Any) -> None:
    begin, end = ends

    def nested(depth: int) -> str:
        return begin * depth + ("1" if end == "}" else "") + end * depth

    assert json.dumps(json_value(nested(MAX_DEPTH))).count(end) == MAX_DEPTH
    with pytest.raises(ValueError, match="nested more than 200 deep"):
        json_value(nested(MAX_DEPTH + 1))
    # As many brackets beside each other are no depth.
    assert json_value(f"[{'[],' * MAX_DEPTH}1]")[-1] == 1


@pytest.mark.parametrize("number", [*LONG, "0.5", "-0.0", "17", "1e-07"])
def test_a_number_of_json_comes_back_as_it_is_written(number: str) -> None:
    line = f'{{"b": {number}, "a": [{{"c": [{number}, "é", null]}}, true]}}'
    value = json_value(line)
    assert json_text(value, ensure_ascii=False) == line
    assert json_text(pickle.loads(pickle.dumps(value)), ensure_ascii=False) == line
    assert to_number(value["b"]) == float(number)
    by_name = json_text(value, sort_keys=True)
    assert by_name == f'{{"a": [{{"c": [{number}, "\\u00e9", null]}}, true], "b": {number}}}'
