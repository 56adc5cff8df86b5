"""The fields of a record that its answer repeats: a table comes back with its scores."""

import math
from collections import Counter
from collections.abc import Iterable, Mapping
from typing import Any

from similarity.printable import encodable
from similarity.prompts import is_unicode
from similarity.tabular.records import Record
from similarity.tabular.values import WrittenNumber, json_text

ID = "custom_id"
# What an answer says itself; a field of the input that is called so is renamed.
SCORES = ("similarity", "distance")
MATRICES = ("similarities", "distances")
WARNINGS = "warnings"
MADE_BY = ("calibrated", "scale", WARNINGS, "fingerprint")
_OWN = (ID, *SCORES, *MATRICES, *MADE_BY)
_BEFORE = "input_"

# The names of fields in the input, each with that in the output.
Carried = Mapping[str, str]


def carried_fields(records: Iterable[Record], id_column: str | None) -> tuple[Carried, int]:
    """Return the fields of all records in the order in which they come, and how many records.

    A field whose name is one of an answer's own, in any case, is called input_… in the output:
    spreadsheets and databases ignore case. Any other is called as the file has it.

    Parameters
    ----------
    id_column
        The field that has the id, if that is named; else custom_id has it, in any case. Where it
        is called so it is no other field.
    """
    # The fields, each with its name as the file has it.
    names: dict[str, str] = {}
    count = 0
    for record in records:
        count += 1
        if isinstance(record.value, dict):
            new = [name for name in record.value if name not in names]
            names |= {name: record.written.get(name, name) for name in filter(is_unicode, new)}
    # Two lines of JSON may write one name otherwise, each as a third has another.
    counts = Counter(names.values())
    names = {name: written if counts[written] == 1 else name for name, written in names.items()}
    if (of_id := _id_field(names, id_column)) is not None:
        del names[of_id]
    taken = {name.casefold() for name in (*_OWN, *names, *names.values())}
    found: dict[str, str] = {}
    for name, written in names.items():
        is_own = name.strip().casefold() in _OWN
        found[name] = _free(name.strip(), taken) if is_own else written
        taken.add(found[name].casefold())
    return found, count


def _id_field(names: Iterable[str], id_column: str | None) -> str | None:
    """Return the field that the answers have as custom_id, if one has it in all records."""
    alike = [name for name in names if name.lower() == ID]
    if id_column is None and len(alike) == 1:
        return alike[0]
    return next((name for name in alike if name == (id_column or ID)), None)


def repeated(record: Record, carried: Carried) -> dict[str, Any]:
    """Return the fields of a record that its answer repeats, as JSON has them."""
    if not isinstance(record.value, dict):
        return {}
    fields = record.value.items()
    return {carried[name]: plain(value) for name, value in fields if name in carried}


def table_columns(carried: Carried) -> list[str]:
    """Return the columns of a table of answers to pairs."""
    return [ID, *carried.values(), *SCORES, *MADE_BY]


def cell(name: str, value: Any) -> Any:
    """Return the cell of a table for a value of an answer: warnings for people, else JSON."""
    if name == WARNINGS:
        value = "; ".join(value or ())
    if isinstance(value, list | dict):
        value = json_text(value, ensure_ascii=False)
    # JSON may have half of a character, which no file of UTF-8 can.
    return encodable(value) if isinstance(value, str) else value


def _free(name: str, taken: set[str]) -> str:
    while name.casefold() in taken:
        name = f"{_BEFORE}{name}"
    return name


def plain(value: Any) -> Any:
    """Return a value of Parquet, or of JSON with NaN, as JSON has it."""
    if isinstance(value, WrittenNumber):
        return value
    if isinstance(value, dict):
        return {str(key): plain(one) for key, one in value.items()}
    if isinstance(value, list | tuple):
        return [plain(one) for one in value]
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    return value if value is None or isinstance(value, bool | int | str) else str(value)
