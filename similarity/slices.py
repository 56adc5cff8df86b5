"""Parts of a sequence that are worked on at a time."""

from collections.abc import Iterator, Sequence
from typing import TypeVar

T = TypeVar("T")


def slices(items: Sequence[T], size: int) -> Iterator[Sequence[T]]:
    """Yield `size` items at a time, and at last those that are left."""
    return (items[start : start + size] for start in range(0, len(items), size))
