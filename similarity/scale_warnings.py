"""Warnings of scales that were fitted to too little, or to what has no order."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np

from similarity.scales import ORDER

# Judged pairs of which a scale is worth something.
ENOUGH_JUDGED = 100
# Of a rank correlation without any order, in standard errors: chance gives it, of either sign, once
# in 20 times.
_MAYBE_CHANCE = 1.96
# Texts of one's own of which the median distance is known well: at 95 % it lies between the 10th
# and the 21st of 30 random pairs. Of fewer than 6 it may lie beyond them all.
ENOUGH_TEXTS, LEAST_TEXTS = 30, 6
# The share of the scale that judgements fill at least, if they are on it.
_FILLED = 0.25


def few_judgements(count: int) -> Iterator[str]:
    """Warn of a scale that is fitted to so few judged pairs that others would give another."""
    if count < ENOUGH_JUDGED:
        yield f"{count} judged pairs make a rough scale; judge {ENOUGH_JUDGED} or more"


def weak_order(record: Mapping[str, Any]) -> Iterator[str]:
    """Warn of a scale whose pairs are ordered no better than chance orders them.

    Parameters
    ----------
    record
        What the scale was fitted to, with `ORDER` and "pairs".
    """
    order, pairs = record[ORDER], record["pairs"]
    if order is None:
        yield "the model finds all judged pairs equally far apart, so the scale tells none apart"
    elif order * np.sqrt(pairs - 1) > -_MAYBE_CHANCE:
        yield (
            f"the distances of the judged pairs say nothing sure of the judgements (rank "
            f"correlation {order:+.2f} over {pairs} pairs, which may be chance), and neither does "
            "the scale; judge more pairs, see whether the right column was read, or use another "
            "model"
        )


def few_texts(count: int) -> Iterator[str]:
    """Warn of a scale of so few texts of one's own that others would give another."""
    if count < ENOUGH_TEXTS:
        beyond = " (of fewer than 6, even their range may leave it out)" * (count < LEAST_TEXTS)
        yield (
            f"the median of {count} random pairs makes a rough scale{beyond}; give "
            f"{ENOUGH_TEXTS} texts or more"
        )


def narrow_judgements(judgements: Sequence[float], ends: tuple[float, float]) -> Iterator[str]:
    """Warn of judgements that fill so little of the scale that they seem to be on another one."""
    low, high = min(judgements), max(judgements)
    if low < high and high - low < _FILLED * (ends[1] - ends[0]):
        yield (
            f"the judgements are from {low:g} to {high:g}, a small part of the scale from "
            f"{ends[0]:g} to {ends[1]:g}, and similarities are so too; if they are on another, "
            f"give it, such as --scale {np.floor(low):g} {np.ceil(high):g}"
        )
