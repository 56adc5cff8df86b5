"""Compares a GGUF file with the network that transformers made of it: nothing may be left out.

transformers ignores tensors and settings that it has no place for. The network then gives other
numbers than the file's own.
"""

import re
from collections.abc import Iterator
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from similarity.errors import MissingDependencyError, ModelError, WrongAnswerError
from similarity.models.model_files import check_file

# Settings that change a model's numbers and that no shape shows, and the names that
# transformers' configurations have for them.
_MOVING = {
    r"rope\.scaling\.": r"rope_type|factor|beta|original|mscale|theta",
    r"rope\.freq_base": r"theta",
    r"softcapping$": r"softcap",
    r"sliding_window": r"window",
    r"epsilon$": r"eps",
    r"(logit|residual|embedding|attention)[._]scale$": r"scal|multiplier",
    r"expert_(weights_scale|weights_norm|gating_func)": r"scal|norm_topk|scoring",
}
_BLOCK = re.compile(r"^blk\.(\d+)\.")
# Values that say that there is no such thing.
_NONE = ("none", "", 0, False)


def check_gguf(path: Path) -> None:
    """Raise an error unless it is a GGUF file, and the packages that read it are installed."""
    check_file(path)
    with path.open("rb") as file:
        if file.read(4) != b"GGUF":
            raise ModelError(f"{path} is no GGUF file; copy it again")
    if missing := [name for name in ("gguf", "accelerate") if find_spec(name) is None]:
        raise MissingDependencyError(
            f"a GGUF file needs {' and '.join(missing)}: pip install {' '.join(missing)}"
        )


def check_parts(path: Path, module: Any) -> None:
    """Check that a network has every tensor of a file, and heeds its settings.

    Raises
    ------
    WrongAnswerError
        If transformers leaves one out; the message names it.
    """
    reader: Any = import_module("gguf").GGUFReader(path)
    config = module.config.get_text_config()
    for what in (
        *_tensors_left_out(reader, config),
        *_settings_left_out(reader, config),
        *_numbers_left_out(reader, module, config),
    ):
        raise WrongAnswerError(
            f"cannot load {path}: transformers leaves out {what}, and the numbers would be "
            "others than the file's; give the weights as they were before conversion to GGUF"
        )


def _tensors_left_out(reader: Any, config: Any) -> Iterator[str]:
    for tensor in reader.tensors:
        block = _BLOCK.match(tensor.name)
        behind = block and int(block[1]) >= config.num_hidden_layers + _predicting(reader)
        # Factors of rotary positions, as Llama 3 has them.
        if behind or (tensor.name.startswith("rope_f") and (tensor.data != 1).any()):
            yield f"its tensor {tensor.name}"


def _numbers_left_out(reader: Any, module: Any, config: Any) -> Iterator[str]:
    """Count numbers left out that no block's number and no name shows, as a bias of one layer."""
    saved, layers = module.state_dict().keys(), config.num_hidden_layers
    buffers = (one for name, one in module.named_buffers() if name in saved)
    taken = sum(weight.numel() for weight in (*module.parameters(), *buffers))
    stored = 0
    for tensor in reader.tensors:
        block = _BLOCK.match(tensor.name)
        tied = tensor.name == "output.weight" and config.tie_word_embeddings
        if not (tied or tensor.name.startswith("rope_f") or (block and int(block[1]) >= layers)):
            stored += int(tensor.n_elements)
    if stored > taken:
        yield f"{stored - taken} of its {stored} numbers"


def _predicting(reader: Any) -> int:
    """Return how many extra layers at the end predict further tokens; they are not needed."""
    fields = (one for name, one in reader.fields.items() if name.endswith("nextn_predict_layers"))
    return next((int(field.contents()) for field in fields), 0)


def _settings_left_out(reader: Any, config: Any) -> Iterator[str]:
    known = list(_leaves(config.to_dict()))
    for name, field in reader.fields.items():
        pattern = next((ours for theirs, ours in _MOVING.items() if re.search(theirs, name)), None)
        value = field.contents()
        if pattern is None or value in _NONE:
            continue
        if not any(_same(value, other) for key, other in known if re.search(pattern, key)):
            yield f"its setting {name} = {value}"


def _leaves(settings: dict[str, Any]) -> Iterator[tuple[str, Any]]:
    """Yield the name and the value of every setting, those of nested settings too."""
    for name, value in settings.items():
        if isinstance(value, dict):
            yield from _leaves(value)
        else:
            yield str(name), value


def _same(value: Any, other: Any) -> bool:
    if isinstance(value, float) and isinstance(other, (int, float)):
        # A file has single precision.
        return abs(value - other) <= 1e-6 * max(abs(value), abs(other))
    return bool(value == other)
