"""Takes the weights of transformers' Llama into this package's own network, which is faster.

Here a beginning that many rows share is read once (`branches`), states are computed only at the
places where they are needed, and on a GPU fewer passes go over them.
"""

import logging
from typing import Any

import torch
from torch import nn

from similarity.models.llama import LlamaNetwork
from similarity.models.network import Network
from similarity.models.probes import probe_ids

logger = logging.getLogger(__name__)

# Kinds of rotary positions that turn by the same angles whatever the length of a text.
_FIXED = ("default", "linear", "llama3", "yarn")


@torch.inference_mode()
def native(module: nn.Module) -> nn.Module:
    """Return this package's network of the same weights, or the module if it is of another kind.

    Parameters
    ----------
    module
        A network of transformers, on its device.
    """
    if not _is_plain(module):
        return module
    try:
        own = _taken(module)
        if own is not None and _agree(own, module):
            return own
        why = "its weights or numbers are of another"
    except Exception as error:  # what is not seen by its settings shows in its names or shapes
        why = str(error)
    logger.info("this Llama is left to transformers: %s", why)
    return module


def _is_plain(module: Any) -> bool:
    """Return whether `LlamaNetwork` knows all the settings, and the layers are plain ones."""
    if type(module).__name__ != "LlamaForCausalLM" or hasattr(module, "_hf_hook"):
        return False
    config = module.config
    rope = (getattr(config, "rope_parameters", None) or {}).get("rope_type")
    biased = config.attention_bias or config.mlp_bias
    linear = [part for part in module.modules() if isinstance(part, nn.Linear)]
    types = {weight.dtype for weight in module.parameters()}
    plain = all(type(part) is nn.Linear for part in linear) and len(types) == 1
    return config.hidden_act == "silu" and not biased and rope in _FIXED and plain


def _taken(module: Any) -> LlamaNetwork | None:
    """Return a network that holds the same tensors; None if its own are others."""
    with torch.device("meta"):
        own = LlamaNetwork(module.config)
    loading_info = own.take(module.state_dict(), None)
    if any(loading_info.values()):
        return None
    rotary = module.model.rotary_emb
    own.model.frequencies = rotary.inv_freq.float()
    own.model.rotation_scale = float(rotary.attention_scaling)
    own.generation_config = module.generation_config
    return own.eval()


def _agree(own: LlamaNetwork, module: Any) -> bool:
    mine, theirs = Network(own), Network(module)
    ids = probe_ids(mine)
    return mine.agree(mine.read(ids), theirs.read(ids))
