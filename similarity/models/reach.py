"""Up to which length a fast way of reading was right, and where a fault would show first."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from similarity.models.packing import Pack


@dataclass
class Reach:
    """The longest rows, sequences and padding that were seen to be right, in positions."""

    row: int = 0
    sequence: int = 0
    padding: int = 0

    @classmethod
    def of(cls, batch: Sequence[Pack]) -> "Reach":
        """Return the lengths of a batch of packs."""
        lengths = [len(pack.ids) for pack in batch]
        sequence = max(max(pack.positions) + 1 for pack in batch)
        return cls(max(lengths), sequence, max(lengths) - min(lengths))

    def covers(self, other: "Reach") -> bool:
        """Return whether none of the other's lengths is greater."""
        return self.union(other) == self

    def union(self, other: "Reach") -> "Reach":
        """Return the greater of each of the two's lengths."""
        return Reach(
            max(self.row, other.row),
            max(self.sequence, other.sequence),
            max(self.padding, other.padding),
        )


def hardest(batch: Sequence[Pack]) -> Iterator[tuple[Pack, int]]:
    """Yield the packs where a fault would show first, each with the number of a target in it."""
    longest = max(batch, key=lambda pack: len(pack.ids))
    shortest = min(batch, key=lambda pack: len(pack.ids))
    yield longest, len(longest.targets) - 1
    if shortest is not longest:
        yield shortest, len(shortest.targets) - 1
    farthest = max(batch, key=lambda pack: max(pack.positions))
    at = max(range(len(farthest.targets)), key=lambda i: len(farthest.targets[i][2]))
    if (farthest, at) != (longest, len(longest.targets) - 1):
        yield farthest, at
