"""The published figures that a report has beside those of runs."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Published:
    """A published row: figures × 100 by task, of the test sets, by the aggregate `all`."""

    method: str
    model: str
    source: str
    average: float
    spearman: Mapping[str, float]
    note: str = ""


@dataclass(frozen=True)
class PublishedTable:
    """All published rows, what the tasks are called in papers, and title and address of sources."""

    columns: Mapping[str, str]
    sources: Mapping[str, Mapping[str, str]]
    rows: Sequence[Published]


def published() -> PublishedTable:
    """Return the published figures that come with this package."""
    content = json.loads(Path(__file__).with_name("published.json").read_text(encoding="utf-8"))
    rows = [Published(**{"spearman": {}} | row) for row in content["rows"]]
    return PublishedTable(content["columns"], content["sources"], rows)
