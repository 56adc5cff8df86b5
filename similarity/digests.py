"""Short digests, which distinguish contents and files."""

import hashlib
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any


def digest(content: bytes) -> str:
    """Return the first 16 hexadecimal digits of the SHA-256 of bytes."""
    return hashlib.sha256(content).hexdigest()[:16]


def digest_of(content: object) -> str:
    """Return the digest of what JSON can say, whatever the order of names."""
    return digest(json.dumps(content, sort_keys=True).encode())


def digest_of_texts(texts: Sequence[str]) -> dict[str, Any]:
    """Return the number of texts and their digest, as plain values."""
    return {"texts": len(texts), "sha256": digest_of(list(texts))}


def digest_of_file(path: Path) -> str:
    """Return the digest of a file, as `digest` of all its bytes."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()[:16]
