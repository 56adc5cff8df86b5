"""What the interfaces of sentence-transformers have in common."""

import sys
import warnings
from collections.abc import Collection, Iterable, Mapping
from typing import Any

import numpy as np

from similarity.arrays import FloatArray, Rows
from similarity.errors import ConfigError
from similarity.extras import optional_module
from similarity.texts.familiarity import shown_warnings


def as_tensor(rows: FloatArray | Rows) -> Any:
    """Return an array as a tensor of torch."""
    return optional_module("torch", "convert_to_tensor needs").from_numpy(np.array(rows))


def is_tensor(given: object) -> bool:
    """Return whether this is a tensor of torch, which is not imported for that."""
    torch = sys.modules.get("torch")
    return torch is not None and isinstance(given, torch.Tensor)


def warn_of(lines: Iterable[str]) -> None:
    """Issue what to know of texts as Python's warnings."""
    for line in shown_warnings(lines):
        warnings.warn(line, stacklevel=3)


class Evaluations:
    """What evaluators reported, newest last: all that they want of a model's card."""

    def __init__(self) -> None:
        self.metrics: list[dict[str, float]] = []

    def set_evaluation_metrics(
        self, _evaluator: object, metrics: dict[str, float], _epoch: int = 0, _step: int = 0
    ) -> None:
        """Keep the metrics."""
        self.metrics.append(metrics)


def check_options(
    options: Mapping[str, Any],
    unchanged: Mapping[str, tuple[Any, ...]],
    without_effect: Collection[str],
    why: str,
) -> None:
    """Refuse options of sentence-transformers that are unknown, or would change what comes back.

    Parameters
    ----------
    unchanged
        Of options that could, the values that do not.
    without_effect
        Those that never do.
    why
        There is no other answer.

    Raises
    ------
    ConfigError
        Naming the option.
    """
    for name, value in options.items():
        if name in unchanged and value not in unchanged[name]:
            raise ConfigError(f"{name} {value!r} is not possible here: {why}")
        if name not in unchanged and name not in without_effect:
            raise ConfigError(f"unknown option {name!r}")
