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
    writer.writerows(answer.content for answer in answers)
    return written.getvalue()
