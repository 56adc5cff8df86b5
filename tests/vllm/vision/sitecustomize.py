"""Lets torchvision be imported where its C++ operators cannot be loaded: beside a CPU torch.

Python imports this by itself where it is on its path. The package index has torchvision for CUDA
alone. Image processors need what it has in Python, and its import two declared operators.
"""

import importlib.util
import sys
from pathlib import Path
from typing import Any

_OPERATORS = ("nms", "qnms")
_KEPT: list[Any] = []


class _Declarer:
    """Declares the operators when torchvision is about to be imported, and finds no module."""

    def find_spec(self, name: str, path: Any = None, target: Any = None) -> None:
        if name == "torchvision":
            sys.meta_path.remove(self)
            found = importlib.util.find_spec(name)
            if found is not None and found.origin is not None:
                _declare_unless_loaded(Path(found.origin).parent)


def _declare_unless_loaded(package: Path) -> None:
    import torch  # noqa: PLC0415 - no program but one with torchvision needs it

    try:
        for library in package.glob("_C*.so"):
            torch.ops.load_library(str(library))
    except OSError:
        fragment = torch.library.Library("torchvision", "FRAGMENT")
        for operator in _OPERATORS:
            fragment.define(f"{operator}(Tensor dets, Tensor scores, float limit) -> Tensor")
        _KEPT.append(fragment)


sys.meta_path.insert(0, _Declarer())
