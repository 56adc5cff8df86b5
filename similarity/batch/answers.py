"""Answers as lines of the output: JSON, or rows of a table."""

import json
from collections.abc import Sequence

from similarity.batch.lines import Answer
from similarity.tabular.writing import csv_lines

_DELIMITERS = {"csv": ",", "tsv": "\t"}


def as_lines(answers: Sequence[Answer]) -> str:
    """Return answers as JSON lines."""
    return "".join(json.dumps(answer.content, allow_nan=False) + "\n" for answer in answers)


def as_rows(answers: Sequence[Answer], kind: str, header: bool) -> str:
    """Return answers as rows of "csv" or "tsv", all with the columns of the first.

    Parameters
    ----------
    header
        Whether the names of the columns go before them.
    """
    if not answers:
        return ""
    names = list(answers[0].content)
    rows = [[cells.get(name) for name in names] for cells in map(_cells, answers)]
    return "".join(csv_lines([names, *rows] if header else rows, _DELIMITERS[kind]))


def _cells(answer: Answer) -> dict[str, object]:
    """Return what a row has: a list, as of warnings, in one cell."""
    return {
        name: "; ".join(value) if isinstance(value, list) else value
        for name, value in answer.content.items()
    }
