"""A job is taken up only as what it was begun as."""

import pickle
from dataclasses import replace
from io import BytesIO
from pathlib import Path
from typing import Any

import pytest

from similarity.distributed.job import Job, Splitter
from similarity.distributed.partitions import Folder
from similarity.distributed.work import Embedding
from similarity.errors import ConfigError
from similarity.models.loader import LoadOptions
from similarity.tabular.records import read_records

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


def test_a_worker_gives_the_records_that_one_machine_reads() -> None:
    """A time is no text there either, and a column that is not needed is not read."""
    arrow = pytest.importorskip("pyarrow", reason="Parquet needs pyarrow")
    parquet = pytest.importorskip("pyarrow.parquet", reason="Parquet needs pyarrow")
    written = BytesIO()
    broken = arrow.Array.from_buffers(arrow.string(), 1, arrow.array([b"\xe9"]).buffers())
    when = arrow.array([2**62], arrow.timestamp("us"))
    table = {"text": ["a"], "body": when, "note": broken}
    parquet.write_table(arrow.table(table), written)
    for work in (Embedding(vectors="general"), Embedding(vectors="general", columns=("note",))):
        found = Splitter("parquet", work.columns, work.only)({"bytes": written.getvalue()})
        here = read_records(written, "parquet", only=work.only)
        assert [pickle.loads(row["record"]).value for row in found] == [one.value for one in here]
        assert all(pickle.loads(row["record"]).columns == tuple(table) for row in found)
