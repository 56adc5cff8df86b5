"""Semantic similarity of texts from the trajectories of an autoregressive language model.

>>> import similarity
>>> model = similarity.load_model("toy")
>>> similarity.compare(model, "a red car", "a red car.").distance
0.0
"""

from importlib import import_module

# Of typing, whose import a signal might meet before the command can end quietly at one.
TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from similarity.exports import *  # noqa: F403  # the names of its __all__
    from similarity.exports import __all__ as __all__


def __getattr__(name: str) -> "Any":
    """Return a name of the library, imported when it is asked for: the command begins here."""
    exports = import_module("similarity.exports")
    if name == "__all__":
        return exports.__all__
    if name in exports.__all__:
        return getattr(exports, name)
    # What was imported with them is here now, such as `similarity.errors`.
    if name in globals():
        return globals()[name]
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}", name=name)


def __dir__() -> list[str]:
    return [*globals(), *import_module("similarity.exports").__all__]
