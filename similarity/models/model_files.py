"""What is in a model's folder: the files that its numbers depend on, and those that are damaged.

It reads names, headers and JSON, never weights, and knows nothing of networks.
"""

import json
from pathlib import Path
from typing import Any

from similarity.errors import ModelError, ModelNotFoundError

# What was fitted for a model, and names its revision, is not part of it.
FITTED = frozenset({"calibration.json"})

SAFE, PICKLED = "model.safetensors", "pytorch_model.bin"
# In the order in which transformers looks for them.
WEIGHTS = (SAFE, f"{SAFE}.index.json", PICKLED, f"{PICKLED}.index.json")
# What a folder of a model has beside the model: none of it moves a number.
_BESIDE = (".md", ".png", ".jpg", ".gif", ".pdf", ".log", ".lock")
# What stands in the place of a file that was left out of a checkout.
_POINTERS = {
    b"version https://git-lfs": ("Git LFS", "run `git lfs pull` there"),
    b"/annex/objects/": ("git-annex", "run `git annex get` there"),
}
# Longer ones take time to read, and whatever loads them says that they are damaged.
_MAX_JSON = 1 << 20


def check_folder(folder: Path) -> None:
    """Check that a folder has a model's files, and that those are whole.

    Raises
    ------
    ModelNotFoundError
        If there are no settings or no weights.
    ModelError
        For the first file that is missing or damaged; it says which, and what to do.
    """
    names = {path.name for path in folder.iterdir()}
    if "config.json" not in names or not names.intersection(WEIGHTS):
        raise _incomplete(folder, names)
    if "adapter_config.json" in names:
        raise ModelError(
            f"{folder / 'adapter_config.json'} is of an adapter, which would be left out; merge it "
            "into the weights and save those in a folder of their own"
        )
    files = model_files(folder)
    for path in files:
        check_file(path)
    if "quantization_config" not in _read(folder / "config.json"):
        for path in files:
            _check_not_quantised(path)


def check_file(path: Path) -> None:
    """Check that a file is there, and as long or as well-formed as it says.

    Raises
    ------
    ModelError
        If it is not; the message names it.
    """
    if not path.is_file():
        raise ModelError(f"{path} is missing, and another file names it; copy it there")
    if not path.stat().st_size:
        raise ModelError(f"{path} is empty; copy it again")
    with path.open("rb") as file:
        begin = file.read(64)
    for mark, (what, cure) in _POINTERS.items():
        if begin.startswith(mark):
            raise ModelError(f"{path} is a pointer of {what} and not the file itself; {cure}")
    if path.suffix == ".json" and path.stat().st_size <= _MAX_JSON:
        _read(path)
    if path.suffix == ".safetensors":
        _check_safetensors(path)


def _read(path: Path) -> dict[str, object]:
    """Return what a JSON file says.

    Raises
    ------
    ModelError
        If it is not JSON; the message names file and line.
    """
    try:
        content = json.loads(path.read_bytes())
    except (ValueError, RecursionError) as error:
        raise ModelError(f"{path} is damaged, not JSON: {error}; copy it again") from error
    # Some vocabularies are lists.
    return content if isinstance(content, dict) else {}


def model_files(folder: Path) -> list[Path]:
    """Return every file that tokenizer or weights may be read from, and the settings, in order.

    Shards that an index names may lie deeper than the folder itself, or be missing.
    """
    found = {path for path in folder.iterdir() if path.is_file() and _matters(path.name)}
    return sorted(found.union(*map(_named_by, found)))


def _matters(name: str) -> bool:
    return not (
        name in FITTED
        or name.startswith((".", "LICENSE", "README", "NOTICE"))
        or name.endswith(_BESIDE)
    )


def _named_by(path: Path) -> set[Path]:
    """Return what an index of weights, or the modules of a sentence encoder, name."""
    if path.name.endswith(".index.json"):
        shards = _read(path).get("weight_map")
        names = shards.values() if isinstance(shards, dict) else ()
        return {path.parent / str(name) for name in names}
    if path.name == "modules.json":
        return {file for file in path.parent.glob("[0-9]_*/**/*") if file.is_file()}
    return set()


def _incomplete(folder: Path, names: set[str]) -> ModelError:
    """Return the error for a folder without settings or weights."""
    if quantised := sorted(name for name in names if name.endswith(".gguf")):
        return ModelError(
            f"{folder} has {quantised[0]} and no weights of transformers; give that file itself "
            "as the model, or a folder with config.json and model.safetensors"
        )
    if "adapter_config.json" in names:
        return ModelError(
            f"{folder / 'adapter_config.json'} is of an adapter, without the model that it adapts; "
            "merge both and save the weights in a folder"
        )
    wanted = "config.json" if "config.json" not in names else f"weights ({SAFE} or {PICKLED})"
    has = ", ".join(sorted(names)[:8]) or "nothing"
    return ModelNotFoundError(
        f"no model in {folder}: it has no {wanted}, only {has}; give the folder of a causal "
        "language model, as `save_pretrained` writes it"
    )


def _check_safetensors(path: Path) -> None:
    """Raise ModelError unless the header can be read and tells of the bytes that are there."""
    size = path.stat().st_size
    with path.open("rb") as file:
        length = int.from_bytes(file.read(8), "little")
    if length > size - 8:
        raise ModelError(f"{path} is damaged: its header is cut short; copy it again")
    try:
        ends = [entry["data_offsets"][1] for entry in _tensors(path).values()]
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        raise ModelError(f"{path} is damaged: its header cannot be read; copy it again") from error
    whole = 8 + length + max(ends, default=0)
    if whole != size:
        raise ModelError(
            f"{path} is damaged: it has {size} bytes and its header tells of {whole}; copy it again"
        )


def _check_not_quantised(path: Path) -> None:
    """Raise ModelError if a matrix is of whole numbers: those of its scale are not there."""
    if path.suffix != ".safetensors":
        return
    for name, entry in _tensors(path).items():
        if name.endswith("weight") and entry.get("dtype", "")[:1] in ("I", "U"):
            raise ModelError(
                f"{path} has whole numbers ({entry['dtype']}) as {name}, and config.json does not "
                "say how they were quantised; give the weights before quantisation"
            )


def _tensors(path: Path) -> dict[str, Any]:
    """Return what a header tells of each tensor, by name."""
    with path.open("rb") as file:
        header = json.loads(file.read(int.from_bytes(file.read(8), "little")))
    return {name: entry for name, entry in header.items() if name[:2] != "__"}
