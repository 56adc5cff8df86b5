"""Answers as lines of the output: JSON, or rows of a table."""

import json
from collections.abc import Sequence
from itertools import islice

from similarity.batch.carrying import cell
from similarity.batch.lines import Answer
from similarity.tabular.writing import table_lines


def as_lines(answers: Sequence[Answer]) -> str:
    """Return answers as JSON lines."""
    return "".join(json.dumps(answer.content, allow_nan=False) + "\n" for answer in answers)


def as_rows(answers: Sequence[Answer], columns: Sequence[str], kind: str, header: bool) -> str:
    """Return answers as rows of "csv" or "tsv".

    Parameters
    ----------
    columns
        Those of the table; a row that lacks one has an empty cell there.
    header
        Whether the names of the columns go before them.
    """
    if not answers:
        return ""
    rows = ([cell(answer.content.get(name)) for name in columns] for answer in answers)
    return "".join(islice(table_lines(columns, rows, kind), int(not header), None))
