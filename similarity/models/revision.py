"""What names the weights and the tokenizer of a model: a commit of a hub, or a folder's hash."""

import hashlib
from collections.abc import Iterator
from pathlib import Path

# What was fitted for a model, and names its revision, is not part of it.
FITTED = frozenset({"calibration.json"})


def revision(source: Path, commit: str | None) -> str:
    """Return a hash of a folder's weights, tokenizer and settings, or the hub's commit."""
    if not source.is_dir():
        return str(commit or "unknown")
    digest = hashlib.sha256()
    for path in _model_files(source):
        digest.update(path.name.encode())
        with path.open("rb") as file:
            digest.update(hashlib.file_digest(file, "sha256").digest())
    return f"sha256:{digest.hexdigest()[:16]}"


def _model_files(folder: Path) -> Iterator[Path]:
    patterns = ("*.json", "*.safetensors", "*.bin", "*.model")
    found = (path for pattern in patterns for path in folder.glob(pattern))
    yield from sorted(path for path in found if path.name not in FITTED)
