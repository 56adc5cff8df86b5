"""What one worker does: it loads one model, and makes partitions with it."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

from similarity.distributed.fingerprints import check_same
from similarity.distributed.partitions import Folder, Partition
from similarity.distributed.pool import Call
from similarity.distributed.work import Rows, Work, Worker
from similarity.errors import ModelError
from similarity.extras import optional_module
from similarity.lacking import is_out_of_memory
from similarity.models.loader import LoadOptions, load_model
from similarity.models.memory import keep_large_buffers
from similarity.slices import slices


class Replica:
    """One model on one worker, loaded when it is first needed, again after a restart elsewhere."""

    def __init__(self, model: str, options: LoadOptions, work: Work) -> None:
        self._name, self._options, self._work = model, options, work

    def fingerprint(self) -> dict[str, Any]:
        """Return all that this worker's rows depend on."""
        return self._worker.fingerprint

    def make(
        self, partition: Partition, folder: Folder, together: int, expected: dict[str, Any]
    ) -> int:
        """Make a partition, and return how many of its rows were refused.

        Parameters
        ----------
        together
            Rows to give to the model together; fewer are, where memory is out.
        expected
            The fingerprint of the job.

        Raises
        ------
        BackendRefusedError
            If this worker has another version, or another model.
        ModelError
            If memory is out even for one row.
        """
        check_same(self._worker.fingerprint, expected)
        rows = made_of(self._worker, partition, together)
        folder.write(partition, rows)
        return 0 if rows.refused is None else len(rows.refused)

    @cached_property
    def _worker(self) -> Worker:
        keep_large_buffers()
        return self._work.open(load_model(self._name, self._options))


@dataclass(frozen=True)
class PartitionCall(Call):
    """A partition for a worker to make; the answer is the number of refused rows.

    `together` is how many rows the model is given at once.
    """

    partition: Partition
    folder: Folder
    together: int
    losses: int = 0

    def send(self, worker: Any, fingerprint: dict[str, Any]) -> Any:
        """Have a worker make the partition; return Ray's reference to the answer."""
        return worker.make.remote(self.partition, self.folder, self.together, fingerprint)

    def after_loss(self) -> "PartitionCall | None":
        """Return the same call, then with ever fewer rows at once, as memory may be short."""
        if self.losses and self.together == 1:
            return None
        rows = min(self.together, len(self.partition.records))
        together = max(1, rows // 2) if self.losses else self.together
        return replace(self, together=together, losses=self.losses + 1)

    def describe(self) -> str:
        """Return the partition's number and its rows."""
        return self.partition.describe()


def made_of(worker: Worker, partition: Partition, together: int) -> Rows:
    """Return the rows of a partition, computed `together` rows at once.

    If memory is out, half as many are computed at once, and so on.

    Raises
    ------
    ModelError
        If memory is out even for one row.
    """
    while True:
        try:
            return _joined([worker.rows(some) for some in slices(partition.records, together)])
        except (MemoryError, RuntimeError) as error:
            if not is_out_of_memory(error):
                raise
            if together == 1:
                raise ModelError(
                    f"a worker has no memory for {partition.describe()}, one row at a time; give "
                    "workers more memory, or shorten its texts"
                ) from error
        together = max(1, min(together, len(partition.records)) // 2)


def _joined(parts: Sequence[Rows]) -> Rows:
    concat: Callable[[list[Any]], Any] = optional_module("pyarrow", "Parquet needs").concat_tables
    refused = [part.refused for part in parts if part.refused is not None]
    # Of an image that changed meanwhile the first digest counts: so that is found.
    images = {path: digest for part in reversed(parts) for path, digest in part.images.items()}
    return Rows(concat([part.done for part in parts]), concat(refused) if refused else None, images)
