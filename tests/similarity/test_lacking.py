import io
from collections.abc import Callable, Iterator
from importlib import import_module
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from similarity.cli.main import main
from similarity.errors import InputError, MissingDependencyError
from similarity.extras import optional_module
from similarity.lacking import is_out_of_memory, raise_lacking
from similarity.models.failures import one_line
from similarity.tabular.parquet import open_parquet

OF_LIBRARIES = [
    "/a/libarrow.so.1: failed to map segment from shared object",
    "/a/libgomp.so.1: cannot allocate memory in static TLS block",
]
NO_THREAD = "Unknown error: Failed to launch worker thread: Resource temporarily unavailable"


@pytest.mark.parametrize(
    ("said", "out"),
    [
        ("CUDA out of memory. Tried to allocate 2.00 GiB", True),
        ("CUDA error: CUBLAS_STATUS_ALLOC_FAILED when calling `cublasCreate(handle)`", True),
        ("cuDNN error: CUDNN_STATUS_ALLOC_FAILED", True),
        ("DefaultCPUAllocator: can't allocate memory: you tried to allocate 9 bytes", True),
        ("unable to mmap 538090408 bytes from file <a>: Cannot allocate memory (12)", True),
        ("/a/libarrow.so.1: failed to map segment from shared object", True),
        ("/a/libgomp.so.1: cannot allocate memory in static TLS block", True),
        ("could not create a primitive", True),
        ("could not create a memory object", True),
        ("could not create a primitive descriptor for a matmul primitive", False),
        ("CUDA error: an illegal memory access was encountered", False),
        ("CUDA error: CUBLAS_STATUS_EXECUTION_FAILED", False),
    ],
)
def test_memory_that_is_out_is_known_by_what_libraries_say(said: str, out: bool) -> None:
    assert is_out_of_memory(RuntimeError(said)) is out


def load(name: str) -> None:
    with one_line(name):
        import_module(name)


@pytest.mark.parametrize("said", OF_LIBRARIES)
@pytest.mark.parametrize("loads", [lambda name: optional_module(name, "this needs"), load])
def test_a_library_for_which_memory_is_out_is_not_missing(
    said: str, loads: Callable[[str], Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "too_large_here.py").write_text(f"raise ImportError({said!r})")
    (tmp_path / "broken_here.py").write_text("raise ImportError('libx.so: undefined symbol')")
    monkeypatch.syspath_prepend(tmp_path)
    with pytest.raises(MemoryError, match=said.split(": ")[1]):
        loads("too_large_here")
    with pytest.raises(MissingDependencyError, match="undefined symbol"):
        loads("broken_here")


@pytest.mark.parametrize("said", OF_LIBRARIES)
def test_a_command_says_so_where_it_imports_late(
    said: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It was a traceback."""

    def fail(*_: object, **__: object) -> None:
        raise ImportError(said)

    texts = tmp_path / "texts.txt"
    texts.write_text("a dog\na cat\n")
    monkeypatch.setattr("similarity.cli.matrix_command.open_model", fail)
    result = CliRunner().invoke(main, ["matrix", str(texts), "--model", "toy"])
    assert result.exit_code == 1
    assert result.stderr.startswith(f"Error: memory is out ({said}); give fewer or shorter texts")
    assert result.stderr.count("\n") == 1


def test_a_sound_file_is_not_called_damaged_where_something_is_out(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    arrow = pytest.importorskip("pyarrow")
    parquet = import_module("pyarrow.parquet")
    written = io.BytesIO()
    parquet.write_table(arrow.table({"text": ["a dog"]}), written)
    failures = [
        (arrow.ArrowException(NO_THREAD), RuntimeError, "Failed to launch worker thread"),
        (arrow.ArrowMemoryError("malloc of size 64 failed"), MemoryError, "malloc of size 64"),
        (OSError("Cannot allocate memory"), MemoryError, "Cannot allocate"),
        (arrow.ArrowInvalid("no magic bytes"), InputError, "it is not Parquet: no magic bytes"),
    ]
    for error, kind, said in failures:

        class Failing:
            """A file that fails where it is opened, or where its rows are read."""

            schema_arrow = arrow.schema([("text", arrow.string())])

            def iter_batches(self, error: Exception = error, **_: object) -> Iterator[None]:
                yield from ()
                raise error

        with monkeypatch.context() as patch:
            patch.setattr(parquet, "ParquetFile", lambda _source: Failing())
            with pytest.raises(kind, match=said):
                list(open_parquet(written).rows)

            def fail(_source: object, error: Exception = error) -> None:
                raise error

            patch.setattr(parquet, "ParquetFile", fail)
            with pytest.raises(kind, match=said):
                open_parquet(written)


def test_what_a_file_or_a_connection_lacks_is_not_a_thread() -> None:
    raise_lacking(BlockingIOError("Resource temporarily unavailable"))
    raise_lacking(ValueError("a text"))
    with pytest.raises(RuntimeError, match="worker thread"):
        raise_lacking(ValueError(NO_THREAD))
