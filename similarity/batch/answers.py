"""Answers as lines of the output: JSON, or rows of a table."""

import csv
import io
import json
from collections.abc import Sequence

from similarity.batch.lines import Answer

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
    written = io.StringIO()
    writer = csv.DictWriter(
        written, list(answers[0].content), delimiter=_DELIMITERS[kind], lineterminator="\n"
    )
    if header:
        writer.writeheader()
    writer.writerows(map(_cells, answers))
    return written.getvalue()


def _cells(answer: Answer) -> dict[str, object]:
    """Return what a row has: a list, as of warnings, in one cell."""
    return {
        name: "; ".join(value) if isinstance(value, list) else value
        for name, value in answer.content.items()
    }
