"""Optional packages: imported where they are needed, with a message that says how to get them."""

from importlib import import_module
from types import ModuleType

from similarity.errors import MissingDependencyError

# What a package is installed as, where that is not its name.
_INSTALLED_AS = {
    "faiss": "faiss-cpu",
    "PIL": "pillow",
    "sentence_transformers": "sentence-transformers",
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
        If its package is not installed.
    """
    package = name.partition(".")[0]
    try:
        return import_module(name)
    except ImportError as error:
        installed = _INSTALLED_AS.get(package, package)
        raise MissingDependencyError(f"{purpose} {installed}: pip install {installed}") from error
