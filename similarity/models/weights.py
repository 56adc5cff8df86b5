"""Checks that the weights of a network are those of its checkpoint, and numbers."""

import logging
import math
import re
from collections.abc import Iterable
from typing import Any

import torch

from similarity.errors import ModelError, WrongAnswerError
from similarity.models.failures import line_of

logger = logging.getLogger(__name__)

# Weights of a checkpoint that a language network has no place for and does not need: encoders of
# images and sound, heads of other tasks, further heads that speculate. In a layer of the network,
# which has a number, none is one of those.
_FOREIGN = re.compile(
    r"^([^.\d]+\.)*?([^.\d]*_)?(vision|visual|image|audio|speech|video|multi_modal|mtp|score|"
    r"classifier|v_head|value_head|pooler|seq_relationship)([._]|\d|$)"
)
# Constants, which old checkpoints have in every layer.
_CONSTANT = re.compile(r"(^|[._])(inv_freq|masked_bias|position_ids)$")


def check_weights(source: str, module: Any, loading_info: dict[str, Any]) -> None:
    """Check that every weight of a network is the checkpoint's, and the other way round.

    Parameters
    ----------
    loading_info
        What transformers returns of loading, by `output_loading_info`.

    Raises
    ------
    WrongAnswerError
        If weights are missing, of another shape, left out, or no numbers.
    """
    for found, keys in (
        ("is missing from the checkpoint, and random numbers would be in its place", "missing"),
        ("has another shape in the checkpoint than in the network", "mismatched"),
        ("is in the checkpoint, and the network has no place for it", "unexpected"),
    ):
        names = {_name(key) for key in loading_info[f"{keys}_keys"]}
        if keys == "unexpected":
            names = {n for n in names if not (_FOREIGN.search(n) or _CONSTANT.search(n))}
        if names:
            raise _wrong(source, names, found)
    if errors := loading_info.get("error_msgs") or loading_info.get("conversion_errors"):
        raise WrongAnswerError(f"cannot load {source}: {line_of(errors)}")
    if (
        getattr(module.config, "quantization_config", None)
        and getattr(module, "hf_quantizer", None) is None
    ):
        raise ModelError(
            f"{source} is quantised in a way that this transformers does not know; give the "
            "weights before quantisation"
        )
    _check_numbers(source, module)


def _check_numbers(source: str, module: Any) -> None:
    """Refuse weights that are no numbers; warn of matrices of zeros alone."""
    infinite, flat, saved = set[str](), list[str](), module.state_dict().keys()
    for name, weight in (*module.named_parameters(), *module.named_buffers()):
        if name in saved and weight.is_floating_point() and weight.numel():
            low, high = _ends(weight)
            if not math.isfinite(low) or not math.isfinite(high):
                infinite.add(name)
            elif low == high == 0 and weight.dim() > 1 and min(weight.shape) > 1:
                flat.append(name)
    if infinite:
        raise _wrong(source, infinite, "has values that are not finite numbers")
    if flat:
        logger.warning(
            "weight %s of %s is zero everywhere%s, as in a copy that was cut short; if it "
            "was not trained so, copy the weights again",
            flat[0], source, f", and so are {len(flat) - 1} more" if flat[1:] else "",
        )  # fmt: skip


def _wrong(source: str, names: Iterable[str], found: str) -> WrongAnswerError:
    first, *others = sorted(names)
    more = f" (and {len(others)} more)" if others else ""
    return WrongAnswerError(
        f"cannot load {source}: weight {first}{more} {found}; give the checkpoint whole, with the "
        "config.json that belongs to it"
    )


@torch.inference_mode()
def _ends(weight: torch.Tensor) -> tuple[float, float]:
    """Return the least and the greatest number; both are NaN if any number is NaN."""
    low, high = torch.aminmax(weight)
    return float(low), float(high)


def _name(key: Any) -> str:
    """Return the name of a weight, which comes with its shapes where those do not match."""
    return str(key[0] if isinstance(key, tuple) else key)
