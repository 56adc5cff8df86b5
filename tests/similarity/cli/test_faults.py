"""Faults of disks and folders: work goes on, or one line says why not, and nothing is lost."""

import errno
import json
import resource
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner

from similarity.cli import cluster_commands
from similarity.cli.main import main
from similarity.storage.parts import parts_folder
from similarity.vectors.meaning import BATCH_TEXTS
from tests.conftest import ROOT

pytestmark = pytest.mark.longer

PAIR = ("A dog runs.", "A puppy is running.")
# Bytes of a file, beyond which a disk is full to a process.
SMALL = 2**16


def full_disk() -> None:
    resource.setrlimit(resource.RLIMIT_FSIZE, (SMALL, SMALL))


def trajsim(
    *arguments: str, cache: str | Path, model: str = "embedded", **options: object
) -> subprocess.CompletedProcess[str]:
    environment = {
        "PATH": "/usr/bin:/bin",
        "TRAJSIM_CACHE": str(cache),
        "TRAJSIM_MODEL": model,
        "PYTHONPATH": str(ROOT),
        "OMP_NUM_THREADS": "1",
    }
    return subprocess.run(  # type: ignore[call-overload,no-any-return]
        [sys.executable, "-m", "similarity", *arguments],
        check=False,
        capture_output=True,
        text=True,
        env=environment,
        timeout=120,
        **options,
    )


# Commands that would write into the current folder, or read from it.
IN_THIS_FOLDER = [
    ("batch", "{pairs}", "out.csv"),
    ("dedupe", "{pairs}", "--columns", "text1", "--out", "out.csv"),
    ("matrix", "{pairs}", "--columns", "text1", "--out", "out.npy"),
    ("embed", "{pairs}", "--columns", "text1", "--out", "out.npy"),
    ("fit", "--corpus", "{pairs}", "--columns", "text1", "--out", "fitted"),
    ("matrix", "texts.txt"),
]


@pytest.mark.parametrize("command", IN_THIS_FOLDER, ids=" ".join)
def test_a_current_folder_that_is_gone_is_named_as_that(
    command: tuple[str, ...], tmp_path: Path
) -> None:
    """It was: No such file or directory, and no word of which."""
    pairs, gone = tmp_path / "pairs.csv", tmp_path / "gone"
    pairs.write_text("text1,text2\na b,c d\n")
    gone.mkdir()
    result = trajsim(
        *(one.format(pairs=pairs) for one in command),
        cache=tmp_path / "cache",
        model="toy",
        cwd=gone,
        preexec_fn=gone.rmdir,
    )
    assert result.returncode == 2, result.stderr
    (said,) = lines_of(result.stderr)
    assert said.endswith(
        "the current folder is gone; go to another, and give the same command again"
    )


def lines_of(text: str) -> list[str]:
    return [line for line in text.splitlines() if line.strip()]


@pytest.fixture(scope="module")
def expected(tmp_path_factory: pytest.TempPathFactory) -> float:
    result = trajsim("compare", *PAIR, "--json", cache=tmp_path_factory.mktemp("cache"))
    assert result.returncode == 0, result.stderr
    found: float = json.loads(result.stdout)["similarity"]
    return found


def test_a_cache_on_a_full_disk_costs_time_and_nothing_else(
    expected: float, tmp_path: Path
) -> None:
    result = trajsim("compare", *PAIR, "--json", cache=tmp_path, preexec_fn=full_disk)
    assert result.returncode == 0, result.stderr
    assert json.loads(result.stdout)["similarity"] == pytest.approx(expected)
    assert "not kept: cannot write " in result.stderr
    assert "Traceback" not in result.stderr


def test_a_cache_where_nothing_can_be_written(expected: float, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    result = trajsim("compare", *PAIR, "--json", cache=tmp_path / "file")
    assert result.returncode == 0, result.stderr
    assert json.loads(result.stdout)["similarity"] == pytest.approx(expected)
    (line,) = (one for one in lines_of(result.stderr) if "nothing is kept: cannot open" in one)
    assert f"see that {tmp_path / 'file'}" in line
    assert line.endswith("; or set TRAJSIM_CACHE to another folder, or give --no-cache")
    assert "Traceback" not in result.stderr


@pytest.mark.parametrize(
    "arguments",
    [("compare", *PAIR), ("compare", *PAIR, "--json"), ("embed", "FILE"), ("matrix", "FILE")],
)
def test_standard_output_that_is_full(arguments: tuple[str, ...], tmp_path: Path) -> None:
    file = tmp_path / "texts.txt"
    file.write_text("a red car\nthe sea\n")
    given = [str(file) if argument == "FILE" else argument for argument in arguments]
    with Path("/dev/full").open("w") as full:
        result = subprocess.run(
            [sys.executable, "-m", "similarity", *given, "--model", "toy"],
            check=False,
            stdout=full,
            stderr=subprocess.PIPE,
            text=True,
            cwd=ROOT,
        )
    assert result.returncode == 2
    assert lines_of(result.stderr) == [
        "Error: standard output: No space left on device; free some space there, and give the "
        "same command again"
    ]


@pytest.mark.parametrize("name", ["out.npy", "out.jsonl"])
def test_an_output_that_a_full_disk_cut_is_made_when_there_is_room(
    name: str, tmp_path: Path
) -> None:
    file, straight, out = tmp_path / "texts.txt", tmp_path / f"straight-{name}", tmp_path / name
    file.write_text("".join(f"the red car {i}\n" for i in range(3 * BATCH_TEXTS)))

    def embed(to: Path, **more: object) -> subprocess.CompletedProcess[str]:
        return trajsim(
            *("embed", str(file), "--out", str(to), "--dimensions", "40"),
            cache=tmp_path / "cache",
            model="toy",
            **more,
        )

    assert embed(straight).returncode == 0
    refused = embed(out, preexec_fn=full_disk)
    assert refused.returncode == 2
    assert len(lines_of(refused.stderr)) == 1, refused.stderr
    assert f"cannot write {out}: File too large" in refused.stderr
    assert not out.exists()
    # What was done is there still, whole.
    assert list(parts_folder(out).glob("*.part"))
    assert embed(out).returncode == 0
    assert out.read_bytes() == straight.read_bytes()


def test_an_index_that_a_full_disk_cut_is_one_line_and_leaves_the_old_one(tmp_path: Path) -> None:
    """faiss writes by itself, and fails in words of its own."""
    pytest.importorskip("faiss")
    file, folder = tmp_path / "texts.txt", tmp_path / "index"

    def build(texts: int, **more: object) -> subprocess.CompletedProcess[str]:
        file.write_text("".join(f"car {i}\n" for i in range(texts)))
        arguments = ("index", "build", str(file), "--out", str(folder))
        return trajsim(*arguments, cache=tmp_path / "cache", model="toy", **more)

    assert build(3).returncode == 0
    before = {path.name: path.read_bytes() for path in folder.iterdir()}
    refused = build(500, preexec_fn=full_disk)
    assert (refused.returncode, len(lines_of(refused.stderr))) == (2, 1), refused.stderr
    assert f"cannot write {folder}: File too large; free some space there" in refused.stderr
    there = {path.name: path.read_bytes() for path in folder.iterdir()}
    assert before.items() <= there.items()
    assert build(3).returncode == 0


def cut(path: Path) -> None:
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])


def flip(path: Path) -> None:
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(content)


DAMAGES: dict[str, Callable[[Path], object]] = {
    "cut": cut,
    "flipped": flip,
    "empty": lambda path: path.write_bytes(b""),
    "deleted": Path.unlink,
}


@pytest.mark.parametrize("damage", DAMAGES)
@pytest.mark.parametrize("what", ["index", "vectors"])
def test_damage_of_an_index_or_of_vectors_is_one_line(
    what: str, damage: str, tmp_path: Path
) -> None:
    def run(*arguments: str) -> tuple[int, str]:
        result = CliRunner().invoke(main, [*arguments, "--model", "toy"])
        assert result.exception is None or isinstance(result.exception, SystemExit)
        return result.exit_code, result.stderr

    texts, folder = tmp_path / "texts.txt", tmp_path / what
    texts.write_text("".join(f"the red car number {i} of all\n" for i in range(40)))
    if what == "index":
        pytest.importorskip("faiss")
        made = run("index", "build", str(texts), "--out", str(folder))
        asked = ("index", "query", str(folder), "a car")
    else:
        made = run("fit", "--corpus", str(texts), "--out", str(folder), "--tokens", "32")
        asked = ("compare", "a car", "the sea", "--vectors", str(folder))
    assert made[0] == 0, made
    assert run(*asked)[0] == 0
    for path in sorted(folder.iterdir()):
        whole = path.read_bytes()
        DAMAGES[damage](path)
        code, message = run(*asked)
        assert code == 2, (path.name, message)
        assert len(lines_of(message)) == 1, message
        assert "damaged" in message or "No such file" in message
        assert "anew" in message or "makes such a folder" in message
        path.write_bytes(whole)
    assert run(*asked)[0] == 0


@pytest.mark.parametrize(("folder", "helped"), [("cache", True), ("elsewhere", False)])
def test_a_cache_of_another_user_is_refused_with_what_helps(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, folder: str, helped: bool
) -> None:
    monkeypatch.setenv("TRAJSIM_CACHE", str(tmp_path / "cache"))
    place = str(tmp_path / folder / "vectors")

    def denied(*_: object, **__: object) -> None:
        raise PermissionError(errno.EACCES, "Permission denied", place)

    monkeypatch.setattr("similarity.cli.compare_commands.chosen_scorer", denied)
    result = CliRunner().invoke(main, ["compare", "a", "b"])
    remedy = "; set TRAJSIM_CACHE to a folder that this user may read and write" * helped
    assert result.stderr.splitlines()[-1] == f"Error: {place}: Permission denied{remedy}"


def little_memory() -> None:
    resource.setrlimit(resource.RLIMIT_AS, (3 * 2**30, 3 * 2**30))


@pytest.mark.parametrize("command", ["matrix", "cluster", "dedupe", "consensus"])
def test_more_texts_than_memory_has_room_for_are_one_line(command: str, tmp_path: Path) -> None:
    many = tmp_path / "many.txt"
    many.write_text("".join(f"text {i}\n" for i in range(80_000)))
    result = trajsim(
        command, str(many), cache=tmp_path / "cache", model="toy", preexec_fn=little_memory
    )
    assert result.returncode == 2
    (line,) = lines_of(result.stderr)
    assert line.startswith("Error: all pairs of 80,000 × 80,000 texts need ")


def fails_by(error: Exception) -> Callable[..., object]:
    def fail(*_: object) -> None:
        raise error

    return fail


@pytest.mark.parametrize(
    "error",
    [
        MemoryError(),
        np._core._exceptions._ArrayMemoryError((80_000, 80_000), np.dtype(float)),
        RuntimeError("DefaultCPUAllocator: can't allocate memory: you tried to allocate 9 bytes."),
        RuntimeError("could not create a primitive"),
        RuntimeError("CUDA out of memory.\nTried to allocate 2 GiB. " + "See more. " * 100),
    ],
    ids=str,
)
def test_memory_that_is_out_is_one_line(
    error: Exception, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(cluster_commands, "deduplicate", fails_by(error))
    (tmp_path / "texts.txt").write_text("a\nb\n")
    command = ["dedupe", str(tmp_path / "texts.txt"), "--model", "toy", "-n", "1", "-m", "1"]
    result = CliRunner().invoke(main, command)
    assert result.exit_code == 1
    assert result.stderr.splitlines()[-1].startswith("Error: memory is out")
    assert "Traceback" not in result.stderr
    assert len(result.stderr.splitlines()[-1]) < 400


@pytest.mark.parametrize("said", ["can't start new thread", "Resource temporarily unavailable"])
def test_threads_that_are_out_are_one_line(
    said: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(cluster_commands, "deduplicate", fails_by(RuntimeError(said)))
    (tmp_path / "texts.txt").write_text("a\nb\n")
    command = ["dedupe", str(tmp_path / "texts.txt"), "--model", "toy", "-n", "1", "-m", "1"]
    result = CliRunner().invoke(main, command)
    assert result.exit_code == 1
    assert result.stderr.splitlines()[-1].startswith(f"Error: threads are out ({said}); ")
    assert "Traceback" not in result.stderr


def test_errors_of_other_kinds_are_not_taken_for_memory(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(cluster_commands, "deduplicate", fails_by(RuntimeError("a fault")))
    (tmp_path / "texts.txt").write_text("a\nb\n")
    command = ["dedupe", str(tmp_path / "texts.txt"), "--model", "toy", "-n", "1", "-m", "1"]
    assert str(CliRunner().invoke(main, command).exception) == "a fault"
