"""Whatever a column has, each row is read or refused by its column's name, and loses no other."""

import io
import json
from decimal import Decimal
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from similarity.batch.carrying import carried_fields, repeated
from similarity.batch.lines import parse
from similarity.errors import InputError
from similarity.tabular.judged import read_judged_pairs
from similarity.tabular.records import Record, read_records
from similarity.tabular.texts import read_file

pa = pytest.importorskip("pyarrow", reason="Parquet needs pyarrow")
pq = pytest.importorskip("pyarrow.parquet", reason="Parquet needs pyarrow")

UNITS = ("s", "ms", "us", "ns")
ZONES = (None, "UTC", "Europe/Berlin", "Nowhere/Lost")
FIXED = [
    *(pa.int8(), pa.int16(), pa.int32(), pa.int64()),
    *(pa.uint8(), pa.uint16(), pa.uint32(), pa.uint64()),
    *(pa.float16(), pa.float32(), pa.float64(), pa.bool_()),
    *(pa.date32(), pa.date64(), pa.time32("s"), pa.time32("ms"), pa.time64("us"), pa.time64("ns")),
    *(pa.timestamp(unit, zone) for unit in UNITS for zone in ZONES),
    *map(pa.duration, UNITS),
    *(pa.decimal128(38, 3), pa.decimal256(76, 3), pa.binary(16)),
]
LONG = [pa.string(), pa.large_string(), pa.binary(), pa.large_binary()]
# Each kind of column that has others within it.
WITHIN = {
    "itself": lambda one: one,
    "list": lambda one: pa.ListArray.from_arrays(range(len(one) + 1), one),
    "large list": lambda one: pa.LargeListArray.from_arrays(range(len(one) + 1), one),
    "list of one": lambda one: pa.FixedSizeListArray.from_arrays(one, 1),
    "struct": lambda one: pa.StructArray.from_arrays([one], ["a"]),
    "map": lambda one: pa.MapArray.from_arrays(
        range(len(one) + 1), pa.array([f"key {i}" for i in range(len(one))]), one
    ),
}


def in_parquet(columns: dict[str, Any] | Any) -> io.BytesIO:
    written = io.BytesIO()
    table = pa.table(columns) if isinstance(columns, dict) else columns
    pq.write_table(table, written)
    written.seek(0)
    return written


def read(column: Any) -> list[Record]:
    return list(read_records(in_parquet({"x": column}), "parquet"))


def carried(record: Record) -> Any:
    """Return what the answer to a record repeats, after a way through JSON."""
    fields, _ = carried_fields([record], None)
    return json.loads(json.dumps(repeated(record, fields), allow_nan=False)).get("x")


def of_bytes(kind: Any, values: list[bytes]) -> Any:
    """Return an array of Arrow of any bytes, whatever they mean."""
    if kind in LONG:
        raw = pa.array(values, pa.large_binary() if "large" in str(kind) else pa.binary())
        return pa.Array.from_buffers(kind, len(values), raw.buffers())
    width = max(1, kind.bit_width // 8)
    data = b"".join(value[:width].ljust(width, value[-1:] or b"\0") for value in values)
    return pa.Array.from_buffers(kind, len(values), [None, pa.py_buffer(data)])


@pytest.mark.longer
@pytest.mark.parametrize("within", WITHIN)
@pytest.mark.parametrize("kind", [*FIXED, *LONG], ids=str)
@given(values=st.lists(st.binary(max_size=32), min_size=1, max_size=4))
@example(values=[b"", b"\xff", b"\x80", b"\x7f", b"\0" * 7 + b"\x40", b"\0" * 7 + b"\x80"])
def test_any_bytes_of_any_type_are_read_or_refused(
    kind: Any, within: str, values: list[bytes]
) -> None:
    try:
        source = in_parquet({"x": WITHIN[within](of_bytes(kind, values))})
    except pa.ArrowException:
        return  # what Arrow cannot write is in no file of it
    records = list(read_records(source, "parquet"))
    assert [record.number for record in records] == list(range(1, len(values) + 1))
    for record in records:
        carried(record)
        if record.error is not None:
            assert "column x cannot be read in this row: " in str(record.error)


@pytest.mark.parametrize(
    ("column", "expected"),
    [
        (pa.array([123456789, None], pa.time64("ns")), ["00:00:00.123456789", None]),
        (pa.array([5, 86399999], pa.time32("ms")), ["00:00:00.005", "23:59:59.999"]),
        (pa.array([2**62], pa.timestamp("us")), ["148108-07-06 14:00:27.387904"]),
        (pa.array([0], pa.timestamp("ms", "Europe/Berlin")), ["1970-01-01 00:00:00.000Z"]),
        (pa.array([1600000000123456789], pa.timestamp("ns")), ["2020-09-13 12:26:40.123456789"]),
        (pa.array([0, 2**31 - 1], pa.int32()).view(pa.date32()), ["1970-01-01", "5881580-07-11"]),
        (pa.array([-86400000], pa.date64()), ["1969-12-31"]),
        (pa.array([1_500_000, -1], pa.duration("us")), ["1.500000", "-0.000001"]),
        (pa.array([2**63 - 1], pa.duration("ns")), ["9223372036.854775807"]),
        (pa.array([b"\xff\x00id", None, b""]), ["/wBpZA==", None, ""]),
        (pa.array([[b"a"], None, []], pa.list_(pa.binary())), [["YQ=="], None, []]),
        (pa.array([{"a": 1}, None], pa.struct({"a": pa.date32()})), [{"a": "1970-01-02"}, None]),
        (pa.array([[("a", 1)], None], pa.map_(pa.string(), pa.int8())), [[["a", 1]], None]),
        (pa.array(["a", "b", "a"]).dictionary_encode(), ["a", "b", "a"]),
        (pa.array([1.5, None], pa.float16()), [1.5, None]),
        (pa.nulls(2), [None, None]),
    ],
    ids=lambda value: str(value.type) if isinstance(value, pa.Array) else "",
)
def test_values_come_back_as_they_were(column: Any, expected: list[Any]) -> None:
    assert [carried(record) for record in read(column)] == expected


@pytest.mark.skipif(not hasattr(pa, "bool8"), reason="this pyarrow has no such types")
def test_types_that_are_written_as_others() -> None:
    as_bool = pa.ExtensionArray.from_storage(pa.bool8(), pa.array([1, 0, None], pa.int8()))
    assert [carried(record) for record in read(as_bool)] == [True, False, None]
    as_uuid = pa.ExtensionArray.from_storage(pa.uuid(), pa.array([b"x" * 16], pa.binary(16)))
    assert [carried(record) for record in read(as_uuid)] == [
        f"{'78' * 4}-7878-7878-7878-{'78' * 6}"
    ]
    shape = pa.fixed_shape_tensor(pa.int8(), (2,))
    tensor = pa.FixedShapeTensorArray.from_numpy_ndarray(np.ones((1, 2), np.int8))
    assert tensor.type == shape
    assert [carried(record) for record in read(tensor)] == [[1, 1]]


def test_a_struct_with_a_name_twice_is_refused() -> None:
    twice = pa.StructArray.from_arrays([pa.array([1]), pa.array([2])], ["a", "a"])
    (record,) = read(twice)
    assert "column x cannot be read in this row: two of its fields" in str(record.error)


def test_columns_that_are_nested_too_deeply_are_refused_in_words() -> None:
    deep = pa.array([1])
    for _ in range(400):
        deep = pa.ListArray.from_arrays([0, 1], deep)
    with pytest.raises(InputError, match="nested"):
        raise read(deep)[0].error or InputError("none")


def broken(count: int, bad: int) -> Any:
    """Return texts of which one is no UTF-8."""
    values = [b"abc"] * count
    values[bad] = b"caf\xe9"
    return of_bytes(pa.string(), values)


def test_a_row_that_cannot_be_kept_is_refused_alone_and_keeps_its_other_fields() -> None:
    columns = {"id": list(range(300)), "note": broken(300, 200)}
    records = list(read_records(in_parquet(columns), "parquet"))
    bad = [record for record in records if record.error is not None]
    assert len(records) == 300
    assert [(record.number, record.value) for record in bad] == [(201, {"id": 200})]
    assert str(bad[0].error) == "column note cannot be read in this row: it is not UTF-8"


def test_columns_that_are_not_wanted_are_not_read(tmp_path: Path) -> None:
    texts = {"Text": ["a", "b"], "text.a": ["c", "d"], "note": broken(2, 1)}
    path = tmp_path / "a.parquet"
    path.write_bytes(in_parquet(texts).getvalue())
    assert read_file(str(path)).texts == ["a", "b"]
    assert read_file(str(path), columns="text.a").texts == ["c", "d"]
    with pytest.raises(InputError, match="line 2: column note cannot be read in this row"):
        read_file(str(path), columns="note")
    with pytest.raises(InputError, match=r"no column no; there are Text, text\.a, note"):
        read_file(str(path), columns="no")
    judged = {"s1": ["a", "b"], "s2": ["c", "d"], "score": [1, 2], "note": broken(2, 1)}
    path.write_bytes(in_parquet(judged).getvalue())
    assert [pair.judgement for pair in read_judged_pairs(str(path))] == [1, 2]


@pytest.mark.parametrize("kind", [pa.binary(), pa.timestamp("us"), pa.duration("s")], ids=str)
def test_what_is_no_text_is_not_taken_for_one(tmp_path: Path, kind: Any) -> None:
    path = tmp_path / "a.parquet"
    path.write_bytes(in_parquet({"text": of_bytes(kind, [b"\1\0\0\0\0\0\0\0"])}).getvalue())
    with pytest.raises(InputError, match="text must be a text, got "):
        read_file(str(path))


def test_a_file_that_is_damaged_is_refused_in_words() -> None:
    content = in_parquet({"x": ["some text"] * 9}).getvalue()
    said = {fault_of(content, i) for i in range(len(content))}
    assert len(said) > 2
    assert all(
        not one or one.startswith(("it is not Parquet: ", "it cannot be read as Parquet: "))
        for one in said
    )


def fault_of(content: bytes, place: int) -> str:
    """Return why a file with one damaged byte cannot be read, or ""."""
    damaged = content[:place] + bytes([content[place] ^ 0xFF]) + content[place + 1 :]
    try:
        list(read_records(io.BytesIO(damaged), "parquet"))
    except InputError as error:
        return str(error)
    return ""


@pytest.mark.parametrize(
    ("ids", "found"),
    [
        (pa.array([Decimal(10), Decimal(11)], pa.decimal128(38, 0)), ["10", "11"]),
        (pa.array([10.0, None], pa.float64()), ["10", "2"]),
        (pa.array([0, None], pa.date32()), ["1970-01-01", "2"]),
    ],
    ids=["decimal", "float", "date"],
)
def test_ids_of_any_type(ids: Any, found: list[str]) -> None:
    """Keys of databases were refused, and whole numbers as pandas has them where one is missing."""
    file = io.BytesIO()
    pq.write_table(pa.table({"id": ids, "text1": ["a", "b"], "text2": ["c", "d"]}), file)
    file.seek(0)
    assert [parse(row).custom_id for row in read_records(file, "parquet")] == found


def test_texts_that_are_bytes_say_how_they_become_texts(tmp_path: Path) -> None:
    path = tmp_path / "a.parquet"
    cells = {name: of_bytes(pa.binary(), [b"a cat"]) for name in ("text", "text1", "text2")}
    path.write_bytes(in_parquet({**cells, "score": [1]}).getvalue())
    how = r'write the column as texts, .* frame\[column\]\.str\.decode\("utf-8"\)'
    for read in (read_file, read_judged_pairs):
        with pytest.raises(InputError, match=how):
            read(str(path))
    (record,) = read_records(in_parquet(cells), "parquet")
    with pytest.raises(InputError, match=how):
        parse(record, ("text1", "text2"))
