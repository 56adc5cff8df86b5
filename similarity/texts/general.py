"""General sentences: what texts and models are measured against where nothing else is given."""

from functools import cache
from importlib import resources

from similarity.digests import digest


def general_sentences() -> tuple[str, ...]:
    """Return English sentences and phrases of many kinds, in a fixed order that is no order.

    Their sources and licences are in `similarity/data/README.md`.
    """
    return tuple(_contents("general.txt").splitlines())


def general_registers() -> tuple[str | None, ...]:
    """Return the register of each general sentence, such as "questions"; None for none."""
    labels = _contents("registers.txt").splitlines()
    return tuple(None if label == "-" else label for label in labels)


@cache
def general_digest() -> str:
    """Return the first 16 hexadecimal digits of the SHA-256 of the general sentences."""
    return digest(_contents("general.txt").encode())


@cache
def _contents(name: str) -> str:
    file = resources.files("similarity") / "data" / name
    return file.read_text(encoding="utf-8")
