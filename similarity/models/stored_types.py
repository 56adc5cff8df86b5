"""What kind of numbers the weights of a checkpoint are stored as, of safetensors or pickled.

A matrix of whole numbers is quantised. transformers casts it, its scale is lost, and nothing shows.
"""

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

from similarity.errors import ModelError
from similarity.models.model_files import settings_of, stored_tensors, weight_files

# Types of numbers that are what they say, as safetensors and torch call them.
_REAL = frozenset({"F64", "F32", "F16", "BF16", "F8_E4M3", "F8_E5M2", "F8_E4M3FNUZ", "F8_E5M2FNUZ"})
_REAL_TORCH = frozenset({"float64", "float32", "float16", "bfloat16"})
_REAL_TORCH |= {"float8_e4m3fn", "float8_e5m2", "float8_e4m3fnuz", "float8_e5m2fnuz"}


@dataclass(frozen=True)
class Stored:
    """A matrix that is stored in whole, Boolean or complex numbers."""

    path: Path
    name: str
    dtype: str


def strange_matrices(folder: Path) -> list[Stored]:
    """Return the matrices of a checkpoint that are not of real numbers; no weight is read.

    None where config.json says how they were quantised.

    Raises
    ------
    ModelError
        If a pickled file is damaged, or holds more than weights.
    """
    quantised = bool(settings_of(folder).get("quantization_config"))
    return [
        Stored(path, name, dtype)
        for path in weight_files(folder)
        for name, dtype in (_of_header(path) if path.suffix == ".safetensors" else _pickled(path))
        if not quantised
    ]


def check_types(strange: Iterable[Stored], module: Any, unexpected: Iterable[str]) -> None:
    """Check that the network reads none of these matrices as real numbers.

    Parameters
    ----------
    unexpected
        The names that the network has no place for.

    Raises
    ------
    ModelError
        If it does: then the scale that belongs to them is lost.
    """
    left, names = set(unexpected), (*module.named_buffers(), *module.named_parameters())
    whole = {name.rpartition(".")[2] for name, one in names if not one.is_floating_point()}
    patterns = getattr(module, "_keys_to_ignore_on_load_unexpected", None) or ()
    for stored in strange:
        name = stored.name
        if name in left or name.rpartition(".")[2] in whole:
            continue
        if not any(re.search(pattern, name) for pattern in patterns):
            raise ModelError(
                f"{stored.path} has {name} in numbers of type {stored.dtype}, and config.json does "
                "not say how they were quantised; give the weights before quantisation"
            )


def _of_header(path: Path) -> Iterator[tuple[str, str]]:
    for name, entry in stored_tensors(path).items():
        if entry["dtype"] not in _REAL and len(entry["shape"]) > 1:
            yield name, entry["dtype"]


def _pickled(path: Path) -> Iterator[tuple[str, str]]:
    found = _unpickled(path)
    if not isinstance(found, dict) or not all(isinstance(name, str) for name in found):
        raise ModelError(
            f"{path} holds a {type(found).__name__} and not weights by name; save the network by "
            "`save_pretrained`"
        )
    for name, tensor in found.items():
        if isinstance(tensor, torch.Tensor) and tensor.dim() > 1:
            dtype = str(tensor.dtype).removeprefix("torch.")
            if dtype not in _REAL_TORCH:
                yield name, dtype


def _unpickled(path: Path) -> object:
    """Return what a pickled file has, without its numbers; nothing in it is run."""
    try:
        return torch.load(path, map_location="meta", weights_only=True)
    except Exception as error:  # of pickle, zip and torch, as the damage has it
        raise ModelError(
            f"{path} is damaged, or holds more than weights, which is never run; copy it again, or "
            f"give {path.with_suffix('.safetensors').name.replace('pytorch_', '')}"
        ) from error
