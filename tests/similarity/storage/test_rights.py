"""Who may read what is written: as the user's umask has it, whichever library writes it."""

import errno
import os
import stat
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner
from safetensors.numpy import save_file

from similarity.calibration import load_calibrations
from similarity.cli.main import main
from similarity.errors import ConfigError, InputError
from similarity.storage.bundle import BundleKind, read_bundle, write_bundle
from similarity.storage.files import make_folder, replace_file
from similarity.storage.journal import Journal
from similarity.storage.store import Store

KIND = BundleKind("things.json", ("things.safetensors",), what="things", command="make")
TEXTS = "A dog runs.\nA cat sleeps.\nIt rains.\nThe sun is hot.\n"
COMMANDS = (
    "batch pairs.csv scores.csv",
    "batch pairs.csv scores.jsonl",
    "embed texts.txt --out vectors.npy",
    "embed texts.txt --out vectors.parquet",
    "embed texts.txt --out vectors.jsonl",
    "index build texts.txt --out index --kind exact",
    "index build texts.txt --out graph --kind graph",
    "matrix texts.txt --out matrix.npy",
    "matrix texts.txt --out matrix.csv",
    "matrix texts.txt --out pairs.parquet --top-k 2",
    "dedupe texts.txt --out kept.txt",
    "cluster texts.txt --out groups.json",
    "calibrate",
    "eval sts --data data --tasks data/mine.tsv --method meaning --out run",
)


@pytest.fixture(params=[0o022, 0o077, 0o002], ids=oct)
def umask(request: pytest.FixtureRequest) -> Iterator[int]:
    before = os.umask(request.param)
    yield request.param
    os.umask(before)


def odd_ones(folder: Path, umask: int) -> dict[str, str]:
    """Return the files and folders whose rights are not those that a new one has."""
    return {
        str(path.relative_to(folder)): oct(mode)
        for path in folder.rglob("*")
        if (mode := stat.S_IMODE(path.stat().st_mode))
        != (0o777 if path.is_dir() else 0o666) & ~umask
    }


def write_arrays(path: Path) -> None:
    """Write as safetensors does, for the owner alone."""
    save_file({"a": np.zeros(3)}, path)


def write_store(path: Path) -> None:
    with Store(path) as store:
        store.put("numbers", {b"key": b"value"})
        # While it is open there are files beside it.
        modes = [file.stat().st_mode for file in path.parent.iterdir()]
    assert len(modes) == 3
    assert set(modes) == {path.stat().st_mode}


WRITERS: dict[str, Callable[[Path], object]] = {
    "file": lambda path: replace_file(path, write_arrays),
    "folder": lambda path: make_folder(path, lambda new: write_arrays(new / "arrays")),
    "bundle": lambda path: write_bundle(KIND, path, {}, {KIND.names[0]: write_arrays}),
    "store": write_store,
    "journal": lambda path: Journal.open(path, {}).close(),
}


@pytest.mark.parametrize("name", WRITERS)
def test_what_is_written_has_the_rights_of_any_new_file(
    name: str, umask: int, tmp_path: Path
) -> None:
    """A model that one user had converted was its own alone, in a folder that all may read."""
    WRITERS[name](tmp_path / "made")
    assert list(tmp_path.iterdir())
    assert odd_ones(tmp_path, umask) == {}


@pytest.mark.longer
def test_so_has_all_that_commands_write(
    umask: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TRAJSIM_CACHE", str(tmp_path / "cache"))
    monkeypatch.chdir(tmp_path)
    Path("texts.txt").write_text(TEXTS)
    Path("pairs.csv").write_text("text1,text2\na dog,a cat\nrain,\nrain,sun\n")
    Path("data").mkdir()
    scored = "".join(f"x\t{i}\ta dog {i}\ta cat {2 * i}\n" for i in range(4))
    Path("data", "mine.tsv").write_text(f"subset\tscore\tsentence1\tsentence2\n{scored}")
    for command in COMMANDS:
        result = CliRunner().invoke(main, [*command.split(), "--model", "toy"])
        assert result.exit_code == 0, (command, result.output)
    assert len(list(tmp_path.rglob("*"))) > len(COMMANDS)
    assert odd_ones(tmp_path, umask) == {}


@pytest.mark.parametrize("mode", [0o600, 0o640, 0o444, 0o666], ids=oct)
def test_a_file_that_is_replaced_keeps_its_rights(mode: int, umask: int, tmp_path: Path) -> None:
    """One that its user had made private could be read by all after the next run."""
    path = tmp_path / "kept"
    path.touch()
    path.chmod(mode)
    seen = []

    def write(new: Path) -> None:
        seen.append(stat.S_IMODE(new.stat().st_mode))
        write_arrays(new)

    replace_file(path, write)
    assert path.stat().st_size
    assert stat.S_IMODE(path.stat().st_mode) == mode
    assert seen == [mode | 0o600]


@pytest.mark.skipif(os.geteuid() != 0, reason="the owner of a file is set by root alone")
def test_and_its_owner(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "kept"
    path.touch()
    path.chmod(0o660)
    os.chown(path, 65534, 65533)
    replace_file(path, write_arrays)
    found = path.stat()
    assert (found.st_uid, found.st_gid, stat.S_IMODE(found.st_mode)) == (65534, 65533, 0o660)

    def refuse(*_given: object) -> None:
        raise PermissionError

    monkeypatch.setattr(os, "chown", refuse)
    replace_file(path, write_arrays)
    assert stat.S_IMODE(path.stat().st_mode) == 0o600


def test_what_cannot_be_read_is_not_said_to_be_damaged(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It is another user's; what lies in the cache may be had in a cache of one's own."""
    monkeypatch.setenv("TRAJSIM_CACHE", str(tmp_path / "cache"))

    def denied(path: Path, *_: object, **__: object) -> bytes:
        raise PermissionError(errno.EACCES, "Permission denied", str(path))

    own = "set TRAJSIM_CACHE to a folder that this user may read and write"
    for folder, elsewhere in ((tmp_path / "cache" / "a", f", or {own}"), (tmp_path / "b", "")):
        write_bundle(KIND, folder, {}, {KIND.names[0]: write_arrays})
        said = f"Permission denied; let this user read it{elsewhere}$"
        for broken in (
            f"{Path.__module__}.Path.read_bytes",
            "similarity.storage.bundle._true_name",
        ):
            with monkeypatch.context() as patched:
                patched.setattr(broken, denied)
                with pytest.raises(ConfigError, match=f"^cannot read {folder}/.*{said}"):
                    read_bundle(KIND, folder, dict)
        scale = folder / "scale.json"
        scale.touch()
        with monkeypatch.context() as patched:
            patched.setattr(Path, "read_text", partial(denied, scale))
            with pytest.raises(InputError, match=f"^cannot read {scale}: {said}"):
                load_calibrations(scale)
