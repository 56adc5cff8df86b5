"""A job: the rows of an input, read by Ray Data, to the partitions of a folder."""

import logging
import pickle
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from io import BytesIO
from itertools import islice
from typing import Any

from similarity.distributed.cluster import Cluster, connect, place_workers
from similarity.distributed.partitions import Folder, Partition, absolute
from similarity.distributed.pool import Pool, start_workers
from similarity.distributed.replica import PartitionCall, Replica
from similarity.distributed.work import Work
from similarity.errors import ConfigError, InputError
from similarity.models.base import OnProgress
from similarity.models.loader import LoadOptions
from similarity.tabular.dialects import bare_mark, note_bare_mark
from similarity.tabular.formats import READ_FORMATS, format_of, rule_of
from similarity.tabular.lines import read_lines
from similarity.tabular.records import Record, read_records
from similarity.tabular.texts import has_header

PARTITION_ROWS = 1024


@dataclass(frozen=True, kw_only=True)
class Job:
    """What to do with which input, and where to write it.

    Parameters
    ----------
    input
        A file or a folder, by any path or address that Ray Data knows; all machines must see it.
    output
        A folder for partitions, that all machines see.
    kind
        Format of the input, of `READ_FORMATS`; None is that of its ending.
    columns
        The columns to read, where they are named.
    rows
        Of one partition: what a job that is stopped loses at most, for each worker.
    """

    input: str
    output: str
    work: Work
    model: str
    options: LoadOptions
    kind: str | None = None
    columns: tuple[str, ...] = ()
    rows: int = PARTITION_ROWS

    def __post_init__(self) -> None:
        if self.rows < 1:
            raise ConfigError(f"--partition-rows must be at least 1, got {self.rows}")
        _ = self.read_as

    @property
    def read_as(self) -> str:
        """Return the format of the input."""
        return format_of(self.input, self.kind, allowed=READ_FORMATS)

    def header(self, fingerprint: Mapping[str, Any]) -> dict[str, Any]:
        """Return all that its partitions depend on, besides the rows of the input.

        Parameters
        ----------
        fingerprint
            That of the work with its model.
        """
        return {
            "job": self.work.name,
            "format": rule_of(self.read_as),
            "columns": ",".join(self.columns),
            "rows": self.rows,
            "fingerprint": fingerprint,
            "schema": 3,
        }


@dataclass
class Done:
    """How many rows a job has, how many an earlier run had made, and how many this run refused."""

    rows: int = 0
    before: int = 0
    refused: int = 0


def run(job: Job, cluster: Cluster, on_progress: OnProgress) -> Done:
    """Make the partitions of a job that are missing.

    Parameters
    ----------
    on_progress
        Called with the number of rows of each partition.

    Raises
    ------
    InputError
        If the input cannot be read, or the output cannot be written.
    ConfigError
        If the output is of another input, model or setting.
    BackendError, ModelError
        If the cluster or a worker fails; the same job can be taken up later.
    """
    ray = connect(cluster)
    try:
        folder, done = Folder(job.output), Done()
        placement = place_workers(cluster, ray)
        workers = start_workers(ray, placement, Replica, job.model, job.options, job.work)
        pool = Pool[PartitionCall](ray, workers)
        folder.begin(job.header(pool.fingerprint))

        def missing() -> Iterator[PartitionCall]:
            for partition in partitions(records(ray, job), job.rows):
                rows = len(partition.records)
                done.rows += rows
                if folder.has(partition):
                    done.before += rows
                    on_progress(rows)
                else:
                    yield PartitionCall(partition, folder, job.work.together)

        for call, refused in pool.run(missing()):
            done.refused += refused
            on_progress(len(call.partition.records))
        if not done.rows:
            raise InputError(f"{job.input} has no rows")
        return done
    finally:
        ray.shutdown()


def partitions(records: Iterator[Record], rows: int) -> Iterator[Partition]:
    """Cut records into partitions of so many rows, the last of fewer."""
    number = 0
    while some := list(islice(records, rows)):
        yield Partition(number, number * rows, some)
        number += 1


def records(ray: Any, job: Job) -> Iterator[Record]:
    """Yield the records of a job's input in order; no more are held than Ray Data reads ahead.

    Raises
    ------
    InputError
        If it cannot be read.
    """
    _quieten(ray)
    try:
        for batch in _dataset(ray, job).iter_batches(batch_size=job.rows, batch_format="pyarrow"):
            for row in batch.to_pylist():
                if row["bare mark"]:
                    note_bare_mark(row["bare mark"])
                record: Record = pickle.loads(row["record"])
                yield record
    except (OSError, ray.exceptions.RayTaskError, ValueError) as error:
        cause = getattr(error, "cause", error)
        said = next(
            (line for line in str(cause).splitlines() if line.strip()), type(cause).__name__
        )
        raise InputError(f"cannot read {job.input}: {said}") from error


def _dataset(ray: Any, job: Job) -> Any:
    """Return the dataset of an input; reading it takes no worker's place.

    Files of all formats are read whole: Ray Data's own reader of Parquet waits for a free CPU, and
    there is none where the workers have them all.
    """
    files = ray.data.read_binary_files(absolute(job.input), num_cpus=0)
    return files.flat_map(Splitter(job.read_as, job.columns, job.work.only), num_cpus=0)


@dataclass(frozen=True)
class Splitter:
    """Gives the records of a whole file, as one machine reads them."""

    kind: str
    columns: Sequence[str]
    only: Sequence[str]

    def __call__(self, row: dict[str, Any]) -> list[dict[str, Any]]:
        """Return a row for each record of a file, whose content is "bytes"."""
        # What a worker warns of is seen nowhere: it goes with the records.
        sample = (line.sampled for line in read_lines(BytesIO(row["bytes"])))
        bare = bare_mark(sample) if self.kind == "tsv" else None
        found = read_records(
            BytesIO(row["bytes"]),
            self.kind,
            header=has_header(self.columns),
            names=self.columns,
            only=self.only,
        )
        # Whole, as JSON would make texts of values that are none.
        return [{"record": pickle.dumps(record), "bare mark": bare or 0} for record in found]


def _quieten(ray: Any) -> None:
    """Keep the order of the input, and leave standard error to the command."""
    context = ray.data.DataContext.get_current()
    context.execution_options.preserve_order = True
    context.enable_progress_bars = False
    context.print_on_execution_start = False
    logging.getLogger("ray.data").setLevel(logging.ERROR)
