"""Where a network of this process runs, and in which arithmetic."""

import time

import torch

from similarity.errors import ModelError
from similarity.models.threads import THREADS

# A product of the shape that a layer of a small model has with some texts: rows, in, out.
_SHAPE = (256, 1024, 1024)
_REPEATS = 5
# Half precision moves scores, so it has to be worth it.
_WORTH = 1.3


def find_device(name: str) -> torch.device:
    """Return a device by name; "auto" is a GPU where there is one.

    Raises
    ------
    ModelError
        If there is no such device, or this process cannot compute (`similarity.models.threads`).
    """
    THREADS.check()
    if name == "auto":
        name = "cuda" if torch.cuda.is_available() else "cpu"
    if name == "cuda" and not torch.cuda.is_available():
        raise ModelError("no CUDA device here; give --device cpu, or install a CUDA build of torch")
    return torch.device(name)


def dtype_on(device: str, dtype: str) -> str:
    """Return the type of weights to load.

    "auto" is float32 on a CPU, so that scores are the same on all machines. It is the model's own
    on a GPU. "fastest" is bfloat16 where matrix products are faster in it, by measurement.

    Raises
    ------
    ModelError
        If there is no such device.
    """
    place = find_device(device)
    if dtype == "fastest":
        return fastest_dtype(place)
    return "float32" if dtype == "auto" and place.type == "cpu" else dtype


@torch.inference_mode()
def fastest_dtype(device: torch.device) -> str:
    """Return "bfloat16" if this device multiplies faster in it by a good part, or "float32"."""
    plain = product_seconds(device, torch.float32)
    return "bfloat16" if plain > _WORTH * product_seconds(device, torch.bfloat16) else "float32"


def product_seconds(device: torch.device, dtype: torch.dtype) -> float:
    """Return the seconds of a matrix product, the least of some."""
    rows, inner, outer = _SHAPE
    values = torch.ones(rows, inner, device=device, dtype=dtype)
    weight = torch.ones(outer, inner, device=device, dtype=dtype)
    seconds = []
    for _ in range(_REPEATS + 1):
        start = time.perf_counter()
        # Read back, so that a GPU has finished.
        torch.nn.functional.linear(values, weight)[-1, -1].item()
        seconds.append(time.perf_counter() - start)
    # The first is of a cold start.
    return min(seconds[1:])
