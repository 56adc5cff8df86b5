"""Optional packages: imported where they are needed, with a message that says how to get them."""

import re
from collections.abc import Iterator
from contextlib import contextmanager
from importlib import import_module, metadata
from importlib.util import find_spec
from types import ModuleType

from similarity.errors import MissingDependencyError
from similarity.lacking import raise_lacking

_DISTRIBUTION = "trajsim"
# What a package is installed as, where that is not its name.
_INSTALLED_AS = {
    "faiss": "faiss-cpu",
    "fastapi_offline": "fastapi-offline",
    "httpx_retries": "httpx-retries",
    "opentelemetry": "opentelemetry-sdk",
    "PIL": "pillow",
    "prometheus_client": "prometheus-client",
    "pydantic_settings": "pydantic-settings",
    "sentence_transformers": "sentence-transformers",
    "yaml": "pyyaml",
}


def optional_module(name: str, purpose: str) -> ModuleType:
    """Return an optional module.

    Parameters
    ----------
    purpose
        Begins the message, as "figures need".

    Raises
    ------
    MissingDependencyError
        If its package is not installed, or is and cannot be loaded.
    MemoryError, RuntimeError
        If memory or threads are out.
    """
    package = name.partition(".")[0]
    try:
        return import_module(name)
    except ImportError as error:
        installed = _installed_as(package)
        message = unusable(error, f"{purpose} {installed}", installed)
        raise MissingDependencyError(message) from error


def unusable(error: ImportError, needed: str, packages: str) -> str:
    """Return what to do about packages that are missing, or are there and cannot be loaded.

    Parameters
    ----------
    needed
        Begins the message, as "figures need matplotlib".
    packages
        As pip names them, with spaces between.

    Raises
    ------
    MemoryError, RuntimeError
        If memory or threads are out, and there is nothing to install.
    """
    raise_lacking(error)
    if isinstance(error, ModuleNotFoundError):
        return f"{needed}: pip install {packages}"
    said = " ".join(str(error).split())
    return f"{needed}, which cannot be loaded here: {said}"


@contextmanager
def extra_needed(extra: str | None, purpose: str) -> Iterator[None]:
    """Say in one line what to install, where a package is missing.

    Parameters
    ----------
    extra
        Of this package, what has all that is needed; None where any may be.
    purpose
        Begins the message, as "the service needs".

    Raises
    ------
    MissingDependencyError
        In place of a `ModuleNotFoundError`, if the package is not installed at all.
    """
    try:
        yield
    except ModuleNotFoundError as error:
        package = (error.name or "").partition(".")[0]
        if not package or _is_there(package):
            raise
        lacking = [] if extra is None else _lacking(extra)
        what = f"the extra {extra!r}" if lacking else _installed_as(package)
        remedy = " ".join(lacking or [_installed_as(package)])
        raise MissingDependencyError(f"{purpose} {what}: pip install {remedy}") from error


def _installed_as(package: str) -> str:
    return _INSTALLED_AS.get(package, package)


def _is_there(package: str) -> bool:
    try:
        return find_spec(package) is not None
    except ImportError:
        return False


def _lacking(extra: str) -> list[str]:
    """Return what an extra brings that is not installed."""
    try:
        required = metadata.requires(_DISTRIBUTION) or []
    except metadata.PackageNotFoundError:  # run from its sources
        return []
    marker = re.compile(rf"extra == ['\"]{re.escape(extra)}['\"]")
    names = [re.split(r"[^\w.-]", one)[0] for one in required if marker.search(one)]
    return [name for name in dict.fromkeys(names) if not _is_installed(name)]


def _is_installed(distribution: str) -> bool:
    try:
        metadata.version(distribution)
    except metadata.PackageNotFoundError:
        return False
    return True
