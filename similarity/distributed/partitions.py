"""The partitions of a job: Parquet files in one folder, local or of an object store."""

import hashlib
import json
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from similarity.batch.images import changed_images, check_same_images
from similarity.distributed.work import Rows, Table
from similarity.errors import ConfigError, InputError
from similarity.extras import optional_module
from similarity.storage.differences import differences
from similarity.storage.files import is_temporary, replace_file
from similarity.tabular.records import Record
from similarity.tabular.values import json_text

# In the metadata of a partition's schema: the digest of the rows that it was made of.
_OF_INPUT = b"trajsim.input"
# As JSON, the digests of the images in them, where there are some.
_OF_IMAGES = b"trajsim.images"
# What the job is, and the rows that were refused.
MANIFEST, REFUSED = "job.json", "refused"


@dataclass(frozen=True)
class Partition:
    """Some rows of the input, which become one file.

    Attributes
    ----------
    number
        From 0, in the order of the input.
    start
        The number of its first row in the whole input, from 0.
    """

    number: int
    start: int
    records: Sequence[Record]

    @property
    def name(self) -> str:
        """Return the name of its file; in the order of names rows are in that of the input."""
        return f"part-{self.number:08d}.parquet"

    @property
    def digest(self) -> str:
        """Return a digest of the records of the partition."""
        values = [[record.number, record.value, str(record.error)] for record in self.records]
        canonical = json_text(values, default=str, sort_keys=True)
        return hashlib.sha256(canonical.encode()).hexdigest()

    def describe(self) -> str:
        """Return its number and its rows, from 1, for messages."""
        first = self.start + 1
        return f"batch {self.number} (rows {first:,} to {self.start + len(self.records):,})"


class Folder:
    """Where partitions are; sent to workers as its address.

    Parameters
    ----------
    address
        A path, or an address such as s3://bucket/folder. All workers must see the same place.
    """

    def __init__(self, address: str) -> None:
        # The place is that of the command, wherever a worker runs.
        self.address = absolute(address)
        filesystem = optional_module("pyarrow.fs", "Parquet needs").FileSystem
        try:
            self._files, self._path = filesystem.from_uri(self.address)
        except (OSError, ValueError) as error:
            raise InputError(f"cannot write to {address}: {error}") from error

    def __reduce__(self) -> tuple[Any, ...]:
        return Folder, (self.address,)

    def begin(self, header: Mapping[str, Any]) -> None:
        """Begin a job, or take up one that has the same header.

        Raises
        ------
        ConfigError
            If it was begun with another header; the message says what differs.
        InputError
            If it cannot be written.
        """
        found = self._read_header()
        if found is None:
            self._check_empty()
            text = json.dumps(header, sort_keys=True, indent=1)
            self._write(MANIFEST, lambda out: out.write(text.encode()))
        elif found != header:
            differing = "; ".join(differences(header, found))
            raise ConfigError(
                f"{self.address} was begun otherwise: {differing}. Repeat what it was begun with, "
                "or write to another place"
            )

    def has(self, partition: Partition) -> bool:
        """Return whether a partition is done.

        Raises
        ------
        ConfigError
            If it was made of other rows or images: the input was changed.
        InputError
            If it is there and cannot be read.
        """
        parquet = optional_module("pyarrow.parquet", "Parquet needs")
        arrow = optional_module("pyarrow", "Parquet needs")
        path = f"{self._path}/{partition.name}"
        try:
            made_of = parquet.read_schema(path, filesystem=self._files).metadata or {}
        except FileNotFoundError:
            return False
        except (OSError, arrow.ArrowException) as error:
            raise InputError(
                f"{path} is damaged ({error}); remove it, and it is made anew"
            ) from error
        if made_of.get(_OF_INPUT) != partition.digest.encode():
            raise ConfigError(
                f"{self.address}/{partition.name} is of other rows than {partition.describe()} of "
                "the input: the input was changed; write to another place"
            )
        images = changed_images(json.loads(made_of.get(_OF_IMAGES, b"{}")), elsewhere=True)
        anew = f"write to another place, or delete {self.address}/{partition.name} to make it anew"
        check_same_images(images, anew)
        return True

    def write(self, partition: Partition, rows: Rows) -> None:
        """Write a partition; the refused rows first, so that they are there if the partition is.

        Raises
        ------
        InputError
            If it cannot be written.
        """
        made_of = {_OF_INPUT: partition.digest.encode()}
        if rows.images:
            made_of[_OF_IMAGES] = json.dumps(rows.images).encode()
        if rows.refused is not None:
            self._write_table(f"{REFUSED}/{partition.name}", rows.refused, made_of)
        self._write_table(partition.name, rows.done, made_of)

    def _write_table(self, name: str, table: Table, made_of: Mapping[bytes, bytes]) -> None:
        parquet = optional_module("pyarrow.parquet", "Parquet needs")
        marked = table.replace_schema_metadata(made_of)
        self._write(name, lambda out: parquet.write_table(marked, out))

    def _write(self, name: str, write: Any) -> None:
        """Write a file whole or not at all: an object store does so, elsewhere it is renamed."""
        path = f"{self._path}/{name}"
        try:
            self._files.create_dir(path.rpartition("/")[0])
            if self._files.type_name == "local":
                replace_file(Path(path), lambda new: self._stream(str(new), write))
            else:
                self._stream(path, write)
        except OSError as error:
            raise InputError(f"cannot write {path}: {error}") from error

    def _stream(self, path: str, write: Any) -> None:
        try:
            with self._files.open_output_stream(path) as out:
                write(out)
        except OSError:
            with suppress(OSError):
                self._files.delete_file(path)
            raise

    def _read_header(self) -> Any:
        try:
            with self._files.open_input_stream(f"{self._path}/{MANIFEST}") as file:
                return json.loads(file.read())
        except FileNotFoundError:
            return None
        except (OSError, ValueError) as error:
            raise InputError(f"cannot read {self.address}/{MANIFEST}: {error}") from error

    def _check_empty(self) -> None:
        selector = optional_module("pyarrow.fs", "Parquet needs").FileSelector
        try:
            there = self._files.get_file_info(selector(self._path, allow_not_found=True))
        except OSError as error:
            raise InputError(f"cannot read {self.address}: {error}") from error
        # A process that was killed at the first file leaves no more than a part of that.
        if not all(is_temporary(file.base_name) for file in there):
            raise InputError(
                f"{self.address} has files and no {MANIFEST}, so it is of no job; write to a new "
                "place"
            )


def absolute(address: str) -> str:
    """Return a path as it is from any folder, and any other address as it is."""
    return address if "://" in address else str(Path(address).absolute())
