"""A job is taken up only as what it was begun as."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from similarity.distributed.job import Job
from similarity.distributed.partitions import Folder
from similarity.distributed.work import Embedding
from similarity.errors import ConfigError
from similarity.models.loader import LoadOptions

FINGERPRINT = {"model": "toy"}


def job_of(output: Path, *columns: str, **settings: Any) -> Job:
    job = Job(
        input="rows.csv",
        output=str(output),
        work=Embedding(vectors="general", columns=columns),
        model="toy",
        options=LoadOptions(),
        columns=columns,
    )
    return replace(job, **settings)


@pytest.mark.parametrize(
    ("settings", "named"),
    [({"columns": ("body",)}, "columns"), ({"kind": "tsv"}, "format"), ({"rows": 7}, "rows")],
)
def test_what_its_partitions_depend_on_may_not_change(
    settings: dict[str, Any], named: str, tmp_path: Path
) -> None:
    """Else one partition would be of the titles, and the next of the bodies."""
    job = job_of(tmp_path / "out", "title")
    folder = Folder(job.output)
    folder.begin(job.header(FINGERPRINT))
    folder.begin(job.header(FINGERPRINT))
    with pytest.raises(ConfigError, match=f"was begun otherwise: {named} "):
        folder.begin(replace(job, **settings).header(FINGERPRINT))
