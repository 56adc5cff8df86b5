"""Tasks of which not all pairs were scored, as `--limit` has it."""

from collections.abc import Mapping
from typing import Any

from eval.datasets import BENCHMARKS

# In a file of results, of a task, the number of pairs of which its pairs were taken.
WHOLE = "whole"


def part_in_words(task: str, content: Mapping[str, Any]) -> str:
    """Return how many pairs of a task were scored, if it is a part of it; else "".

    Parameters
    ----------
    content
        With the number of pairs, and that of which they were taken.
    """
    whole = whole_of(task, content)
    return f"{content['pairs']} of the {whole} pairs of {task}" if content["pairs"] < whole else ""


def whole_of(task: str, content: Mapping[str, Any]) -> int:
    """Return how many pairs a task has; results of earlier releases know it of benchmarks."""
    official = BENCHMARKS[task].pairs if task in BENCHMARKS else content["pairs"]
    return int(content.get(WHOLE, official))
