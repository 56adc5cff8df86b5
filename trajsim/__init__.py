"""The library `similarity` under the name that is installed: `import trajsim` does as well.

>>> import trajsim
>>> model = trajsim.load_model("toy")
>>> trajsim.compare(model, "a red car", "a red car.").distance
0.0
"""

from importlib import import_module

# As in `similarity`.
TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from similarity import *  # noqa: F403  # the names of its __all__
    from similarity import __all__ as __all__


def __getattr__(name: str) -> "Any":
    """Return a name of the library, imported when it is asked for: the command begins here."""
    library = import_module("similarity")
    if name != "__all__" and name not in library.__all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}", name=name)
    return getattr(library, name)


def __dir__() -> list[str]:
    return [*globals(), *import_module("similarity").__all__]
