"""The files of a model's folder: which its numbers depend on, and which are damaged.

It reads names, headers and JSON, never weights, and knows nothing of networks.
"""

import json
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from similarity.errors import ModelError, ModelNotFoundError

# What was fitted for a model, and names its revision, is not part of it.
FITTED = frozenset({"calibration.json"})

SAFE, PICKLED = "model.safetensors", "pytorch_model.bin"
# In the order in which transformers looks for them.
WEIGHTS = (SAFE, f"{SAFE}.index.json", PICKLED, f"{PICKLED}.index.json")
# Under this name config.json may name other weights.
EXPLICIT = "transformers_weights"
# What a folder of a model has beside the model: none of it moves a number. Weights for other
# libraries and the state of a training are not read.
_TEXTS = (".md", ".png", ".jpg", ".gif", ".pdf", ".log", ".lock")
_BESIDE = (*_TEXTS, ".h5", ".msgpack", ".ot", ".onnx", ".gguf", ".pt", ".pth", ".npy", ".npz")
_OF_TRAINING = frozenset({"training_args.bin", "trainer_state.json", "all_results.json"})
# Settings that may name files in folders below.
_NAMING = frozenset({"config.json", "tokenizer_config.json"})
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
    _check_links(folder)
    names = {path.name for path in folder.iterdir() if path.is_file()}
    if "config.json" not in names:
        raise _incomplete(folder, names)
    if EXPLICIT not in settings_of(folder) and not names.intersection(WEIGHTS):
        raise _incomplete(folder, names)
    for name in sorted(names):
        if name.startswith(("adapter_config.", "adapter_model.")):
            raise ModelError(
                f"{folder / name} is of an adapter, which would be left out; merge it into the "
                "weights and save those in a folder of their own"
            )
    for path in model_files(folder):
        check_file(path)


def _check_links(folder: Path) -> None:
    """Raise ModelError for a link to nothing: it would be ignored as if there were no such file."""
    for path in sorted(folder.iterdir()):
        if path.is_symlink() and not path.exists() and _matters(path.name):
            raise ModelError(
                f"{path} is a link to {path.readlink()}, which is not there; copy the file itself"
            )


def check_file(path: Path) -> None:
    """Check that a file is there, has the length that it names, and can be parsed.

    Raises
    ------
    ModelError
        If it is not; the message names it.
    """
    if not path.is_file():
        raise ModelError(f"{path} is missing, and another file names it; copy it there")
    if not path.stat().st_size:
        raise ModelError(f"{path} is empty; copy it again")
    try:
        with path.open("rb") as file:
            begin = file.read(64)
    except OSError as error:
        raise ModelError(f"cannot read {path}: {error.strerror}; give it to this user") from error
    for mark, (what, cure) in _POINTERS.items():
        if begin.startswith(mark):
            raise ModelError(f"{path} is a pointer of {what} and not the file itself; {cure}")
    if path.suffix == ".json" and path.stat().st_size <= _MAX_JSON:
        _read(path)
    if path.suffix == ".safetensors":
        _check_safetensors(path)


def settings_of(folder: Path) -> dict[str, Any]:
    """Return the settings of config.json.

    Raises
    ------
    ModelError
        If it is not JSON, or says nothing by name.
    """
    path = folder / "config.json"
    if settings := _read(path):
        return settings
    raise ModelError(f"{path} has no settings by name; copy it again")


def _read(path: Path) -> dict[str, Any]:
    """Return the content of a JSON file.

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

    Shards that an index names may lie deeper than the folder itself, or be missing. Weights that
    transformers leaves for others are none of them.
    """
    names = {path.name for path in folder.iterdir() if path.is_file() and _matters(path.name)}
    found = {folder / name for name in names if not _is_left(name, names, folder)}
    return sorted(found.union(*map(_named_by, found)))


def weight_files(folder: Path) -> list[Path]:
    """Return the files of the weights alone."""
    ends = (".safetensors", ".bin")
    return [path for path in model_files(folder) if path.name.endswith(ends)]


def _matters(name: str) -> bool:
    return not (
        name in FITTED
        or name in _OF_TRAINING
        or name.startswith((".", "LICENSE", "README", "NOTICE"))
        or name.endswith(_BESIDE)
    )


def _is_left(name: str, names: set[str], folder: Path) -> bool:
    """Return whether a file has weights that transformers does not load from this folder."""
    if not (name in WEIGHTS or name.endswith((".safetensors", ".bin"))):
        return False
    if EXPLICIT in (_read(folder / "config.json") if "config.json" in names else {}):
        return True  # what is named is among the named
    return name != next((known for known in WEIGHTS if known in names), name)


def _named_by(path: Path) -> set[Path]:
    """Return the files that an index, settings, or the modules of a sentence encoder name."""
    if path.name.endswith(".index.json"):
        return {path.parent / name for name in _shards(path)}
    if path.name in _NAMING:
        return _named_in_settings(path)
    if path.name == "modules.json":
        return {file for file in path.parent.glob("[0-9]_*/**/*") if file.is_file()}
    return set()


def _shards(index: Path) -> set[str]:
    """Return the names of the files that an index of weights lists."""
    weight_map = _read(index).get("weight_map")
    if not isinstance(weight_map, dict) or not weight_map:
        raise ModelError(f"{index} is damaged: its weight_map names no weights; copy it again")
    names = {str(name) for name in weight_map.values()}
    for name in sorted(names):
        _check_inside(index, name)
    return names


def _check_inside(path: Path, name: str) -> None:
    if os.path.normpath(name).startswith("..") or Path(name).is_absolute():
        raise ModelError(
            f"{path} names {name}, which is outside its folder; copy that file into the folder"
        )


def _named_in_settings(path: Path) -> set[Path]:
    """Return the files in folders below that settings name, and the weights that they name."""
    content = _read(path)
    found = {
        path.parent / name
        for name in _strings(content)
        if "/" in name and not os.path.normpath(name).startswith("..")
    }
    found = {file for file in found if _is_file(file) and path.parent in file.parents}
    if isinstance(explicit := content.get(EXPLICIT), str):
        _check_inside(path, explicit)
        weights = path.parent / explicit
        found |= {weights} | (_named_by(weights) if _is_file(weights) else set())
    return found


def _is_file(path: Path) -> bool:
    try:
        return path.is_file()
    except (OSError, ValueError):  # a string that can be no name
        return False


def _strings(content: object) -> Iterator[str]:
    """Yield every string in the content of a JSON file."""
    if isinstance(content, str):
        yield content
    elif isinstance(content, (dict, list)):
        for inner in content.values() if isinstance(content, dict) else content:
            yield from _strings(inner)


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
    shards = sorted(name for name in names if name.endswith((".safetensors", ".bin")))
    if "config.json" in names and shards:
        return ModelNotFoundError(
            f"no model in {folder}: {shards[0]} is not a name that weights are looked for under; "
            f"copy the index that belongs to it ({SAFE}.index.json), or name it {SAFE}"
        )
    wanted = "config.json" if "config.json" not in names else f"weights ({SAFE} or {PICKLED})"
    has = f", only {', '.join(sorted(names)[:8])}" if names else ", as it is empty"
    return ModelNotFoundError(
        f"no model in {folder}: it has no {wanted}{has}; give the folder of a causal "
        "language model, as `save_pretrained` writes it"
    )


def _check_safetensors(path: Path) -> None:
    """Raise ModelError unless the header can be read and names as many bytes as are there."""
    size = path.stat().st_size
    with path.open("rb") as file:
        length = int.from_bytes(file.read(8), "little")
    if length > size - 8:
        raise ModelError(f"{path} is damaged: its header is cut short; copy it again")
    try:
        entries = stored_tensors(path).values()
        ends = [entry["data_offsets"][1] for entry in entries]
        known = all(isinstance(entry["dtype"], str) for entry in entries)
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        raise ModelError(f"{path} is damaged: its header cannot be read; copy it again") from error
    if not known:
        raise ModelError(f"{path} is damaged: its header cannot be read; copy it again")
    whole = 8 + length + max(ends, default=0)
    if whole != size:
        raise ModelError(
            f"{path} is damaged: it has {size} bytes and its header names {whole}; copy it again"
        )


def stored_tensors(path: Path) -> dict[str, Any]:
    """Return the header's entry of each tensor of a .safetensors file, by name."""
    with path.open("rb") as file:
        header = json.loads(file.read(int.from_bytes(file.read(8), "little")))
    return {name: entry for name, entry in header.items() if name[:2] != "__"}
