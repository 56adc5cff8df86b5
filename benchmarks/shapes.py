"""Networks of a size and no learning: what they cost is that of a trained one of the shape."""

import json
from typing import Any

import click
import psutil
import torch
import transformers
from tokenizers import Tokenizer

from similarity.models.loader import EMBEDDED_PATH
from similarity.models.local import LocalModel, local_model

# Of Llama 3.2 1B and Llama 3.1 8B.
SHAPES: dict[str, dict[str, Any]] = {
    "1B": {
        "hidden_size": 2048,
        "num_hidden_layers": 16,
        "intermediate_size": 8192,
        "num_attention_heads": 32,
        "num_key_value_heads": 8,
        "tie_word_embeddings": True,
        "parameters": 1_240_000_000,
    },
    "8B": {
        "hidden_size": 4096,
        "num_hidden_layers": 32,
        "intermediate_size": 14336,
        "num_attention_heads": 32,
        "num_key_value_heads": 8,
        "tie_word_embeddings": False,
        "parameters": 8_030_000_000,
    },
}
VOCABULARY = 128_256


def random_model(shape: str) -> tuple[LocalModel, Any]:
    """Return a Llama of random weights, and its network in transformers' own class.

    It has the embedded model's tokenizer, and is in bfloat16 on a GPU, where there is one, else in
    float32.
    """
    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    dtype = torch.bfloat16 if device.type == "cuda" else torch.float32
    settings = dict(SHAPES[shape])
    _check_memory(shape, settings.pop("parameters"), device, dtype)
    config = transformers.LlamaConfig(
        vocab_size=VOCABULARY, max_position_embeddings=8192, eos_token_id=1, **settings
    )
    torch.manual_seed(0)
    with device:
        make: Any = transformers.AutoModelForCausalLM.from_config
        module = make(config, dtype=dtype)
    model = local_model(
        module,
        _tokenizer(),
        name=f"random {shape}",
        revision="random",
        device=device.type,
        assets=None,
    )
    return model, module


def _tokenizer() -> Any:
    """Return the embedded model's, with as many ordinary tokens more as the shapes have."""
    own = transformers.AutoTokenizer.from_pretrained(EMBEDDED_PATH)
    content = json.loads(own.backend_tokenizer.to_str())
    for number in range(len(own), VOCABULARY):
        content["model"]["vocab"][f"<{number}>"] = number
    make: Any = transformers.PreTrainedTokenizerFast
    return make(tokenizer_object=Tokenizer.from_str(json.dumps(content)), eos_token=own.eos_token)


def _check_memory(shape: str, parameters: int, device: torch.device, dtype: torch.dtype) -> None:
    needed = parameters * dtype.itemsize * 1.3
    there = (
        torch.cuda.mem_get_info(device)[0]
        if device.type == "cuda"
        else psutil.virtual_memory().available
    )
    if there < needed:
        raise click.UsageError(
            f"a random {shape} needs {needed / 2**30:.0f} GiB in {dtype}, and {there / 2**30:.0f} "
            "are free; take a smaller shape or another machine"
        )
