"""Numbers as options take them: finite ones alone, as `nan` lies within every range of click."""

import math
from typing import Any

import click
from click.types import FloatParamType


class _Finite(FloatParamType):
    def convert(
        self, value: Any, param: click.Parameter | None, ctx: click.Context | None
    ) -> float:
        found: float = super().convert(value, param, ctx)
        if not math.isfinite(found):
            self.fail(f"it must be a finite number, got {value}", param, ctx)
        return found


class FiniteRange(_Finite, click.FloatRange):
    """Takes finite numbers of a range."""


FINITE = _Finite()
