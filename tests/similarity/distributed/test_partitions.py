import json
from collections.abc import Sequence
from dataclasses import replace
from io import BytesIO
from pathlib import Path
from typing import Any

import pyarrow
import pyarrow.parquet
import pytest

from similarity.batch.answering import Answering
from similarity.distributed.job import Job, partitions
from similarity.distributed.partitions import Folder, Partition
from similarity.distributed.replica import PartitionCall, Replica, made_of
from similarity.distributed.work import Embedding, Rows, Scoring, Worker
from similarity.errors import BackendRefusedError, ConfigError, InputError, ModelError
from similarity.models.loader import LoadOptions, load_model
from similarity.scorers import ScoringRequest, open_scorer
from similarity.tabular.records import Record, read_records
from similarity.tabular.writing import write_rows

RECORDS = [Record(number, f"text {number}", "") for number in range(1, 11)]
PARTITION = Partition(3, 20, RECORDS)
HEADER = {"job": "embed", "fingerprint": {"model": {"revision": "a"}}}


def numbers(records: Sequence[Record]) -> Any:
    return pyarrow.table({"number": [record.number for record in records]})


class Small(Worker):
    """A worker that has memory for so many rows."""

    def __init__(self, room: int, error: Exception) -> None:
        self.fingerprint = {"model": "small"}
        self.room, self.error = room, error
        self.given: list[int] = []

    def rows(self, records: Sequence[Record]) -> Rows:
        self.given.append(len(records))
        if len(records) > self.room:
            raise self.error
        return Rows(numbers(records))


def test_partitions_are_in_the_order_of_the_input() -> None:
    cut = list(partitions(iter(RECORDS), 4))
    assert [(each.number, each.start) for each in cut] == [(0, 0), (1, 4), (2, 8)]
    assert [record for each in cut for record in each.records] == RECORDS
    assert [each.name for each in cut] == sorted(each.name for each in cut)
    assert cut[2].describe() == "batch 2 (rows 9 to 10)"


@pytest.mark.parametrize(
    "error",
    [
        MemoryError(),
        RuntimeError("CUDA out of memory. Tried to allocate 2.00 GiB"),
        RuntimeError("DefaultCPUAllocator: can't allocate memory: you tried to allocate 1 bytes"),
    ],
)
@pytest.mark.parametrize("room", [1, 3, 10])
def test_where_memory_is_out_fewer_rows_are_given_together(error: Exception, room: int) -> None:
    worker = Small(room, error)
    assert made_of(worker, PARTITION, 1000).done.equals(numbers(RECORDS))
    assert max(given for given in worker.given if given <= room) * 2 > room


def test_a_batch_for_which_there_is_no_memory_is_named() -> None:
    with pytest.raises(ModelError, match=r"batch 3 \(rows 21 to 30\), one row at a time"):
        made_of(Small(0, MemoryError()), PARTITION, 8)


def test_another_fault_is_not_taken_for_want_of_memory() -> None:
    worker = Small(0, RuntimeError("shapes differ"))
    with pytest.raises(RuntimeError, match="shapes differ"):
        made_of(worker, PARTITION, 8)
    assert worker.given == [8]


def test_after_losses_fewer_rows_are_given_together(tmp_path: Path) -> None:
    call: PartitionCall | None = PartitionCall(PARTITION, Folder(str(tmp_path)), 64)
    together = []
    while call is not None:
        together.append(call.together)
        call = call.after_loss()
    assert together == [64, 64, 5, 2, 1]


def test_a_partition_is_there_when_it_is_written(tmp_path: Path) -> None:
    out = tmp_path / "new" / "out"
    folder = Folder(str(out))
    folder.begin(HEADER)
    assert not folder.has(PARTITION)
    folder.write(PARTITION, Rows(numbers(RECORDS), numbers(RECORDS[:1])))
    assert folder.has(PARTITION)
    names = {str(path.relative_to(out)) for path in out.rglob("*") if path.is_file()}
    assert names == {"job.json", PARTITION.name, f"refused/{PARTITION.name}"}
    found = pyarrow.parquet.read_table(out / PARTITION.name)
    assert found.replace_schema_metadata(None).equals(numbers(RECORDS))


def test_a_partition_of_other_rows_is_refused(tmp_path: Path) -> None:
    folder = Folder(str(tmp_path))
    folder.write(PARTITION, Rows(numbers(RECORDS)))
    with pytest.raises(ConfigError, match="the input was changed"):
        folder.has(replace(PARTITION, records=RECORDS[1:]))


def test_a_damaged_partition_is_named(tmp_path: Path) -> None:
    (tmp_path / PARTITION.name).write_bytes(b"half a file")
    with pytest.raises(InputError, match=f"{PARTITION.name} is damaged"):
        Folder(str(tmp_path)).has(PARTITION)


def test_what_a_killed_writer_left_counts_for_nothing(tmp_path: Path) -> None:
    (tmp_path / f".trajsim-0123abcd.{PARTITION.name}").write_bytes(b"half a file")
    assert not Folder(str(tmp_path)).has(PARTITION)
    (tmp_path / ".trajsim-0123abcd.job.json").write_bytes(b"{")
    Folder(str(tmp_path)).begin(HEADER)
    assert not (tmp_path / ".trajsim-0123abcd.job.json").exists()


def test_a_job_of_another_model_is_refused(tmp_path: Path) -> None:
    folder = Folder(str(tmp_path))
    folder.begin(HEADER)
    folder.begin(HEADER)
    other = {**HEADER, "fingerprint": {"model": {"revision": "b"}}}
    with pytest.raises(ConfigError, match=r'fingerprint.model.revision is "b", there "a"'):
        folder.begin(other)


def test_a_folder_of_other_files_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / "mine.txt").write_text("mine", encoding="utf-8")
    with pytest.raises(InputError, match=r"has files and no job.json"):
        Folder(str(tmp_path)).begin(HEADER)


def test_a_place_that_cannot_be_written_is_reported(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("", encoding="utf-8")
    with pytest.raises(InputError, match="cannot"):
        Folder(str(tmp_path / "file" / "out")).begin(HEADER)


def test_a_worker_makes_scores_and_names_what_it_refused(tmp_path: Path) -> None:
    replica = Replica("toy", LoadOptions(), Scoring(request=ScoringRequest(preset="paper")))
    lines = [{"pair": ["a red car", "the sea"], "custom_id": "a"}, {"pair": ["a", ""]}, 5]
    records = [Record(number, value, json.dumps(value)) for number, value in enumerate(lines, 1)]
    partition, folder = Partition(0, 0, records), Folder(str(tmp_path))
    assert replica.make(partition, folder, 64, replica.fingerprint()) == 2
    (row,) = pyarrow.parquet.read_table(tmp_path / partition.name).to_pylist()
    scorer = open_scorer(load_model("toy"), "paper")
    (answer,) = Answering(scorer, (), matrices=False).answers(records[:1])
    assert json.loads(row.pop("input")) == lines[0]
    assert row == answer.content
    refused = pyarrow.parquet.read_table(tmp_path / "refused" / partition.name).to_pylist()
    assert [each["line"] for each in refused] == [2, 3]
    with pytest.raises(BackendRefusedError, match="version"):
        replica.make(partition, folder, 64, {**replica.fingerprint(), "version": "0"})


@pytest.mark.parametrize("kind", ["csv", "jsonl", "parquet"])
def test_a_row_has_the_names_and_numbers_that_the_file_has(kind: str, tmp_path: Path) -> None:
    names = (" text1", "text2 ", " note ", "price")
    rows = [("a red car", "the sea", "x", "0.1000000000000000055"), ("a", "", "y", "1")]
    place = tmp_path / f"in.{kind}"
    if kind == "jsonl":
        lines = [[*map(json.dumps, row[:3]), row[3]] for row in rows]
        fields = [", ".join(f'"{n}": {v}' for n, v in zip(names, ln, strict=True)) for ln in lines]
        place.write_text("".join(f"{{{line}}}\n" for line in fields))
    else:
        write_rows([dict(zip(names, row, strict=True)) for row in rows], kind, str(place))
    with place.open("rb") as source:
        records = list(read_records(source, kind))
    replica = Replica("toy", LoadOptions(), Scoring(request=ScoringRequest(preset="paper")))
    replica.make(Partition(0, 0, records), Folder(str(tmp_path / "out")), 64, replica.fingerprint())
    for part, row in zip(("", "refused/"), rows, strict=True):
        (found,) = tmp_path.glob(f"out/{part}part-*.parquet")
        (made,) = pyarrow.parquet.read_table(found).to_pylist()
        if part and kind == "csv":  # a refused line is there whole
            assert made["input"] == ",".join(row)
            continue
        price = row[3] if kind == "jsonl" else f'"{row[3]}"'
        assert made["input"].endswith(f'"price": {price}}}')
        assert tuple(json.loads(made["input"])) == names


def test_rows_whose_numbers_differ_in_a_late_digit_are_other_rows() -> None:
    def digest(line: bytes) -> str:
        return Partition(0, 0, list(read_records(BytesIO(line), "jsonl"))).digest

    # A job that another version began goes on.
    assert digest(b'{"a": 0.1}').startswith("89e949ee15ba")
    assert digest(b'{"a": 0.1000000000000000055}') != digest(b'{"a": 0.1}')


def test_a_partition_of_other_images_is_refused(tmp_path: Path) -> None:
    photo, out = tmp_path / "photo.png", tmp_path / "out"
    photo.write_bytes(b"first")
    value = {"pair": [{"image": str(photo)}, "a dog"]}
    partition, folder = Partition(0, 0, [Record(1, value, "")]), Folder(str(out))
    replica = Replica("toy", LoadOptions(), Scoring(request=ScoringRequest(preset="paper")))
    # It is no image, and refused: that is an answer too.
    assert replica.make(partition, folder, 64, replica.fingerprint()) == 1
    assert folder.has(partition)
    photo.write_bytes(b"other")
    with pytest.raises(ConfigError, match=f"image '{photo}' changed .* delete .*{partition.name}"):
        folder.has(partition)
    # A worker's image need not be on the machine of the command.
    photo.unlink()
    assert folder.has(partition)


def test_a_worker_makes_the_vectors_of_texts() -> None:
    model = load_model("embedded", LoadOptions(device="cpu"))
    worker = Embedding(vectors="general", dimensions=8).open(model)
    table = worker.rows(RECORDS[:3]).done
    assert table.column("text").to_pylist() == ["text 1", "text 2", "text 3"]
    assert table.schema.field("vector").type == pyarrow.list_(pyarrow.float32(), 8)
    assert worker.fingerprint["dimensions"] == 8
    fast = Embedding(vectors="general", preset="fast").open(model)
    assert fast.fingerprint["settings"] != worker.fingerprint["settings"]
    with pytest.raises(InputError, match="line 1: "):
        worker.rows([Record(1, " ", "")])


def test_a_job_of_no_rows_or_of_no_format_is_refused() -> None:
    given: dict[str, Any] = {
        "output": "out",
        "work": Embedding(vectors="general"),
        "model": "toy",
        "options": LoadOptions(),
    }
    with pytest.raises(ConfigError, match="--partition-rows"):
        Job(input="a.txt", rows=0, **given)
    with pytest.raises(ConfigError, match="is of no known format"):
        Job(input="s3://bucket/texts", **given)
