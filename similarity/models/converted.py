"""The backend for SmolLM2-135M of the wheel: converted once, then loaded as any other folder."""

import json
import logging
import shutil
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from similarity.digests import digest_of_file
from similarity.errors import ModelError
from similarity.models.devices import dtype_on
from similarity.models.loader import SMOLLM2_ASSETS, LoadOptions
from similarity.models.local import LocalModel, local_model
from similarity.models.packaged import load_llama
from similarity.models.pretrained import load_pretrained, quiet
from similarity.models.revision import unchanged
from similarity.models.wheel import (
    DIGESTS,
    INSTALL,
    SHA256,
    check_digest,
    converted_folders,
    found_folder,
    is_installed,
    wheel_file,
)
from similarity.storage.files import alone_in, make_folder, space_remedy
from similarity.storage.user_cache import access_remedy, reading_remedy

logger = logging.getLogger(__name__)

# Bytes of the converted model, in single precision, and some more.
NEEDED = 600_000_000
# Without any of these the model is another or none.
_LOADED = {"model.safetensors", "config.json", "tokenizer.json"}


class DamagedError(ModelError):
    """A file of the converted model is not what was written."""


def load(name: str, options: LoadOptions) -> LocalModel:
    """Load SmolLM2, for the table of backends; convert it first if that was not done yet.

    Where a file of it is damaged, it is converted anew.

    Raises
    ------
    ModelNotFoundError
        If it was not converted, and the wheel is not installed.
    ModelError
        If the wheel has another file, there is no room to convert it, or it is damaged where
        this cannot be mended.
    """
    folder = converted()
    try:
        return _load(folder, name, options)
    except DamagedError as damage:
        if folder != converted_folders()[-1] or not is_installed():
            raise ModelError(
                f"{damage}; delete the folder, and it is converted anew from the wheel ({INSTALL})"
            ) from damage
        logger.warning("%s", damage)
        return _load(_mended(folder), name, options)


def _load(folder: Path, name: str, options: LoadOptions) -> LocalModel:
    # The files are checked while they are loaded: each takes half a second.
    with ThreadPoolExecutor(max_workers=1) as pool:
        checking = pool.submit(_check_files, folder)
        try:
            with unchanged(folder):
                module, tokenizer = load_llama(folder, dtype_on(options.device, options.dtype))
                return local_model(
                    module,
                    tokenizer,
                    name=name,
                    # Of what it was made of: files of other releases of transformers differ.
                    revision=f"sha256:{SHA256[:16]}",
                    device=options.device,
                    assets=SMOLLM2_ASSETS,
                )
        finally:
            # Damage says better than whatever it led to what is wrong, also where another process
            # has begun to mend it.
            checking.result()


def _check_files(folder: Path) -> None:
    try:
        digests = json.loads((folder / DIGESTS).read_bytes())
        written = digests.items()
        # A list that has lost its entries would check nothing.
        damaged = [] if digests.keys() >= _LOADED else [DIGESTS]
        damaged += [name for name, digest in written if digest_of_file(folder / name) != digest]
    except PermissionError as error:
        # What cannot be read may be whole: it is another user's, and no reason to convert anew.
        raise _unreadable(error) from error
    except (OSError, ValueError, TypeError, AttributeError):
        damaged = [DIGESTS]  # or a file that it names is not there
    if damaged:
        place = f"the converted model in {folder}"
        raise DamagedError(f"{place} is damaged: {damaged[0]} is not what was written there")


def _unreadable(error: OSError) -> ModelError:
    return ModelError(f"cannot read {error.filename}: {error.strerror}{reading_remedy(error)}")


def converted() -> Path:
    """Return the folder of the converted model; convert it if there is none."""
    try:
        if (found := found_folder()) is not None:
            return found
    except PermissionError as error:
        raise _unreadable(error) from error
    folder = converted_folders()[-1]
    source = wheel_file()
    check_digest(source)
    with _alone_beside(folder):
        # By a process that this one waited for.
        return found_folder() or _converted_into(folder, source)


def _mended(folder: Path) -> Path:
    """Return the folder of a damaged model, converted anew by this process or by another."""
    with _alone_beside(folder):
        if folder.is_dir():
            with suppress(DamagedError):
                _check_files(folder)
                return folder
        source = wheel_file()
        check_digest(source)
        return _converted_into(folder, source)


@contextmanager
def _alone_beside(folder: Path) -> Iterator[None]:
    """Let one process at a time make a folder; the others wait, and say so."""

    def on_wait() -> None:
        logger.warning("another process is converting the model into %s; waiting for it", folder)

    try:
        folder.parent.mkdir(parents=True, exist_ok=True)
        with alone_in(folder.parent, on_wait):
            yield
    except OSError as error:
        reason = error.strerror or error
        remedy = f"; {_ELSEWHERE}" if space_remedy(error) else access_remedy(error)
        raise ModelError(f"cannot write {folder}: {reason}{remedy}") from error


def _converted_into(folder: Path, source: Path) -> Path:
    if folder.is_dir():  # damaged, or of a version that wrote no digests
        shutil.rmtree(folder)
    _check_room(folder)
    how_long = "about a minute, or some minutes on a busy machine"
    logger.warning("converting %s into %s, once; it takes %s", source.name, folder, how_long)

    def write(new: Path) -> None:
        convert(source, new)
        digests = {path.name: digest_of_file(path) for path in sorted(new.iterdir())}
        (new / DIGESTS).write_text(json.dumps(digests, indent=1), encoding="utf-8")

    make_folder(folder, write)
    return folder


def convert(source: Path, folder: Path) -> None:
    """Write the weights of a GGUF file, dequantised, and its tokenizer as transformers does."""
    bars = sys.stderr.isatty()
    module, tokenizer, _ = load_pretrained(
        str(source.parent), dtype="float32", gguf_file=source.name, bars=bars
    )
    # A network that was read from a GGUF file refuses to be saved: its weights move into another.
    plain: Any = type(module)(module.config)
    plain.load_state_dict(module.state_dict())
    plain.tie_weights()
    plain.generation_config = module.generation_config
    with quiet(bars):
        plain.save_pretrained(folder)
        tokenizer.save_pretrained(folder)


_ELSEWHERE = "make room, or set TRAJSIM_CACHE to a folder elsewhere"


def _check_room(folder: Path) -> None:
    parent = next(path for path in folder.parents if path.is_dir())
    free = shutil.disk_usage(parent).free
    if free < NEEDED:
        raise ModelError(
            f"no room to convert smollm2: it takes {NEEDED / 1e6:.0f} MB, and {parent} has "
            f"{free / 1e6:.0f} MB; {_ELSEWHERE}"
        )
