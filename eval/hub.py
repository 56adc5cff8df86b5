"""Fetches benchmarks from the hub of datasets, at pinned revisions."""

from dataclasses import dataclass
from typing import Any

from similarity.errors import InputError
from similarity.extras import optional_module


@dataclass(frozen=True)
class HubSource:
    """A split of a dataset at one commit."""

    dataset: str
    revision: str
    split: str

    def __str__(self) -> str:
        return f"{self.dataset}@{self.revision[:12]} ({self.split})"


def hub_rows(source: HubSource) -> list[dict[str, object]]:
    """Return the rows as they are on the hub: score, sentence1 and sentence2 of each pair.

    Raises
    ------
    MissingDependencyError
        If the `datasets` package is not installed.
    InputError
        If the hub cannot be reached and its cache has no such revision.
    """
    datasets: Any = optional_module("datasets", "benchmarks from the hub need")
    try:
        rows = datasets.load_dataset(source.dataset, revision=source.revision, split=source.split)
    except Exception as error:  # of whichever HTTP library the package is built on
        raise InputError(
            f"cannot fetch {source}: {error}; give a folder of <task>.tsv files as the data"
        ) from error
    return [{name: row[name] for name in ("score", "sentence1", "sentence2")} for row in rows]
