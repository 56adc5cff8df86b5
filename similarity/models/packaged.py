"""Loads the models that this package itself brings: whole, or refused in one line."""

import json
from pathlib import Path
from types import SimpleNamespace
from typing import Any, Self

import torch
from safetensors.torch import load_file
from transformers import PreTrainedTokenizerFast

from similarity.errors import ModelError
from similarity.models.failures import one_line
from similarity.models.llama import LlamaNetwork
from similarity.models.model_files import SAFE, check_folder
from similarity.models.weights import check_weights


class Settings(SimpleNamespace):
    """The content of a JSON file of a model; transformers' classes for it are slow to import."""

    @classmethod
    def read(cls, path: Path) -> Self:
        """Read a file."""
        return cls(**json.loads(path.read_bytes()))

    def get_text_config(self, **_options: object) -> Self:
        """Return itself, as there is nothing but text."""
        return self


def load_llama(folder: Path, dtype: str) -> tuple[LlamaNetwork, Any]:
    """Load network and tokenizer from a folder with one file of weights.

    Parameters
    ----------
    dtype
        As `load_pretrained` takes it.

    Raises
    ------
    ModelError
        If a file or a weight is missing, damaged or of another model: the message names it.
    """
    with one_line(str(folder)):
        check_folder(folder)
        config = Settings.read(folder / "config.json")
        _check_shape(folder, config)
        tokenizer: Any = PreTrainedTokenizerFast.from_pretrained(folder)
        # Weights that keep their type are mapped from the file, until they are copied or ordered.
        weights = load_file(folder / SAFE)
        with torch.device("meta"):
            network = LlamaNetwork(config)
        loading_info = network.take(weights, None if dtype == "auto" else getattr(torch, dtype))
        check_weights(str(folder), network, loading_info)
        network.generation_config = Settings.read(folder / "generation_config.json")
    return network, tokenizer


def _check_shape(folder: Path, config: Any) -> None:
    """Refuse settings that this network does not compute."""
    settings = vars(config)
    rope = settings.get("rope_parameters") or {}
    plain = settings.get("model_type") == "llama" and settings.get("hidden_act") == "silu"
    biased = settings.get("attention_bias") or settings.get("mlp_bias")
    if not plain or biased or rope.get("rope_type") != "default":
        raise ModelError(f"{folder / 'config.json'} is of another network; copy the model again")
