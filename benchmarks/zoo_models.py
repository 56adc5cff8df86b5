"""Builds a tiny random network of any causal architecture that the installed transformers knows.

Widths, layers and windows are made small under whatever names a configuration has for them;
what cannot be built so is skipped, with the reason.
"""

from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import torch
import transformers
from tokenizers import Tokenizer, decoders, pre_tokenizers
from tokenizers.models import BPE
from tokenizers.processors import TemplateProcessing
from transformers.models.auto.configuration_auto import CONFIG_MAPPING
from transformers.models.auto.modeling_auto import MODEL_FOR_CAUSAL_LM_MAPPING_NAMES

SPECIAL = ("<s>", "</s>")
VOCABULARY = 256 + len(SPECIAL)
CONTEXT, WINDOW = 128, 16
MAX_PARAMETERS = 20_000_000
_MAX_LAYERS = 8

_WIDTHS = """hidden_size d_model n_embd dim_model embedding_size emb_dim word_embed_proj_dim
    input_embedding_size output_embedding_size embed_dim attention_hidden_size lru_width
    backbone_hidden_size"""
_INNER_WIDTHS = """intermediate_size ffn_dim d_ff decoder_ffn_dim encoder_ffn_dim ffn_hidden_size
    n_inner dff dim_ff d_inner moe_intermediate_size shared_expert_intermediate_size
    intermediate_size_mlp feed_forward_size dense_intermediate_size shared_intermediate_size
    shared_experts_intermediate_size moe_shared_expert_intermediate_size expert_ffn_hidden_size
    hidden_size_per_layer_input"""
_LAYERS = """num_hidden_layers n_layer n_layers num_layers decoder_layers encoder_layers
    num_decoder_layers num_encoder_layers depth"""
_HEADS = """num_attention_heads n_head n_heads num_heads decoder_attention_heads
    encoder_attention_heads num_decoder_attention_heads num_encoder_attention_heads
    linear_num_key_heads linear_num_value_heads linear_num_heads index_n_heads mamba_n_heads
    mamba_num_heads swa_num_attention_heads"""
_KEY_HEADS = "num_key_value_heads kv_n_heads num_kv_heads swa_num_key_value_heads num_query_groups"
_HEAD_WIDTHS = """head_dim dim_head d_head linear_head_dim linear_key_head_dim d_kv
    linear_value_head_dim attention_head_dim kv_channels index_head_dim swa_head_dim
    global_head_dim"""
_POSITIONS = "max_position_embeddings n_positions n_ctx max_seq_len context_length"
_WINDOWS = """sliding_window window_size attention_chunk_size local_attention
    attention_window_size sliding_window_size"""
_EXPERTS = "num_experts n_routed_experts num_local_experts moe_num_experts"
_CHOSEN = "num_experts_per_tok num_experts_per_token moe_topk moe_k moe_top_k top_k_experts"
_GROUPS = "n_group topk_group num_expert_group n_groups mamba_n_groups"
_RANKS = "q_lora_rank kv_lora_rank o_lora_rank"

SMALL: dict[str, Any] = {
    **dict.fromkeys(_WIDTHS.split(), 32),
    **dict.fromkeys(_INNER_WIDTHS.split(), 32),
    **dict.fromkeys(_LAYERS.split(), 2),
    **dict.fromkeys(_HEADS.split(), 4),
    **dict.fromkeys(_KEY_HEADS.split(), 2),
    **dict.fromkeys(_HEAD_WIDTHS.split(), 8),
    **dict.fromkeys(_POSITIONS.split(), CONTEXT),
    **dict.fromkeys(_WINDOWS.split(), WINDOW),
    **dict.fromkeys(_EXPERTS.split(), 4),
    **dict.fromkeys(_CHOSEN.split(), 2),
    **dict.fromkeys(_GROUPS.split(), 1),
    **dict.fromkeys(_RANKS.split(), 16),
    "rotary_dim": 4,
    "qk_nope_head_dim": 8,
    "qk_rope_head_dim": 8,
    "qk_head_dim": 16,
    "v_head_dim": 8,
    "vocab_size": VOCABULARY,
    "vocab_size_per_layer_input": VOCABULARY,
    "bos_token_id": 0,
    "eos_token_id": 1,
    "pad_token_id": 1,
    "is_decoder": True,
}
_SLIDING, _FULL, _LINEAR = "sliding_attention", "full_attention", "linear_attention"
_HYBRIDS = [_LINEAR, _LINEAR, "hybrid", _LINEAR, _LINEAR, "hybrid"]
_ROTARY = {"rope_type": "default", "rope_theta": 10000.0}
_ZAMBA: dict[str, Any] = {
    "num_hidden_layers": 6,
    "layers_block_type": _HYBRIDS,
    "attention_hidden_size": 64,
    "attention_head_dim": 16,
    "use_mamba_kernels": False,
}
_NOTE: dict[str, Any] = {"num_key_value_heads": 4, "head_dim": 16, "per_layer_config": {}}
_QWEN_4: dict[str, Any] = {
    "hc_lowrank": 8,
    "ngram_vocab_size_base": 128,
    "split_ngram_parts": 1,
    "ple_embed_dim": 32,
    "indexer_n_heads": 4,
    "indexer_kv_heads": 1,
    "indexer_head_dim": 8,
    "indexer_budget": 64,
    "indexer_compress_ratio": 2,
}
# What one architecture wants beside: sizes that must fit each other.
WANTED: dict[str, dict[str, Any]] = {
    "blt": {"encoder_hash_byte_group_vocab": 128, "hidden_size_global": 32},
    "cohere_compass_text": {
        "layer_types": [_SLIDING, _FULL],
        "rope_parameters": {_SLIDING: _ROTARY, _FULL: _ROTARY},
    },
    "dbrx": {"attn_config": {"kv_n_heads": 2, "rope_theta": 10000.0, "clip_qkv": 8.0}},
    # All experts are chosen: a choice turns with the rounding of half precision.
    "dots1": {"n_shared_experts": 1, "n_routed_experts": 2, "num_experts_per_tok": 2},
    "dots3_note": {"num_key_value_heads": 4},
    "dots3_note_text": _NOTE,
    "gemma3n_text": {
        "num_hidden_layers": 5,
        "num_kv_shared_layers": 0,
        "layer_types": [*[_SLIDING] * 4, _FULL],
        "intermediate_size": [32] * 5,
        "activation_sparsity_pattern": [0.95, 0.95, 0.0, 0.0, 0.0],
        "laurel_rank": 8,
    },
    "gemma4_assistant": {"hidden_size_per_layer_input": 0},
    "gpt_neo": {"attention_types": [[["global", "local"], 1]]},
    "lfm2_moe": {
        "num_hidden_layers": 3,
        "layer_types": ["conv", _FULL, "conv"],
        "num_dense_layers": 1,
    },
    "mamba2": {"num_heads": 8},
    "qwen4_exp": _QWEN_4,
    "qwen4_exp_text": _QWEN_4,
    "reformer": {
        "axial_pos_embds_dim": [16, 16],
        "axial_pos_shape": [8, 16],
        "attn_layers": ["local", "lsh"],
    },
    "xmod": {"default_language": "en_XX"},
    "zamba": {**_ZAMBA, "mamba_dt_rank": 4},
    "zamba2": {
        **_ZAMBA,
        "layer_types": _HYBRIDS,
        "hybrid_layer_ids": [2, 5],
        "mamba_headdim": 16,
        "n_mamba_heads": 4,
        "kv_channels": 8,
        "num_key_value_heads": 4,
        "num_query_groups": 4,
        "adapter_rank": 4,
        "chunk_size": 16,
    },
    "zaya": {"num_experts_per_tok": 1},
}


class NotBuiltError(Exception):
    """An architecture that cannot be built small; the message is the reason, in one line."""


def architectures() -> list[str]:
    """Return the model types of all causal language models of the installed transformers."""
    return sorted(MODEL_FOR_CAUSAL_LM_MAPPING_NAMES)


def save_tiny(architecture: str, folder: Path, *, scale: float = 4.0, **changes: Any) -> Path:
    """Save a random network and a tokenizer of bytes, as a folder that loads like any other.

    Parameters
    ----------
    scale
        By which matrices are enlarged, so that what the network reads matters.
    changes
        Settings of the configuration that are not those of the zoo.

    Raises
    ------
    NotBuiltError
        If it cannot be built, or not small.
    """
    try:
        network = _network(architecture, changes)
        _enlarge(network, scale)
        network.save_pretrained(folder)
    except NotBuiltError:
        raise
    except Exception as error:  # each architecture refuses in a way of its own
        line = " ".join(str(error).split())[:160]
        raise NotBuiltError(f"{type(error).__name__}: {line}") from error
    save_byte_tokenizer(folder)
    return folder


def save_byte_tokenizer(folder: Path) -> None:
    """Save a tokenizer whose tokens are the 256 bytes, with a beginning-of-text token."""
    alphabet = sorted(pre_tokenizers.ByteLevel.alphabet())
    vocabulary = {token: i for i, token in enumerate([*SPECIAL, *alphabet])}
    tokenizer = Tokenizer(BPE(vocab=vocabulary, merges=[]))
    tokenizer.add_special_tokens(list(SPECIAL))
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    tokenizer.post_processor = TemplateProcessing(single="<s> $A", special_tokens=[("<s>", 0)])
    kind: Any = transformers.PreTrainedTokenizerFast
    fast = kind(tokenizer_object=tokenizer, bos_token="<s>", eos_token="</s>", pad_token="</s>")
    fast.save_pretrained(folder)


def _network(architecture: str, changes: dict[str, Any]) -> Any:
    config, kind = tiny_config(architecture, changes), _auto_class()
    with torch.device("meta"):
        shape = kind.from_config(config)
    count = sum(weight.numel() for weight in shape.parameters())
    if count > MAX_PARAMETERS:
        raise NotBuiltError(f"it has {count / 1e6:.0f} M parameters at its smallest")
    torch.manual_seed(0)
    return kind.from_config(config)


def _auto_class() -> Any:
    return transformers.AutoModelForCausalLM


def tiny_config(architecture: str, changes: dict[str, Any]) -> Any:
    """Return a configuration with all sizes made small under the names that it has for them."""
    kind = CONFIG_MAPPING[architecture]
    wanted = {**WANTED.get(architecture, {}), **changes}
    small = _small(kind(), {**SMALL, **wanted}, wanted)
    config: Any = kind(**small, **{name: changes[name] for name in changes.keys() - small})
    return config


def _small(config: Any, values: dict[str, Any], wanted: dict[str, Any]) -> dict[str, Any]:
    """Return what of the values a configuration, or one inside it, has a name for.

    Parameters
    ----------
    wanted
        Those that are taken as they are.
    """
    known = {**vars(config), **dict.fromkeys(_named(config)), "per_layer_config": None}
    found = {name: values[name] for name in values.keys() & known.keys()}
    layers = _layers_of_all_kinds(config)
    found |= dict.fromkeys(found.keys() & set(_LAYERS.split()), layers)
    if "kv_lora_rank" in found:  # keys of all heads are made of one low rank
        found |= dict.fromkeys(
            found.keys() & set(_KEY_HEADS.split()), values["num_attention_heads"]
        )
    for name, inner in vars(config).items():
        if isinstance(inner, transformers.PreTrainedConfig):
            found[name] = _small(inner, values, wanted)
    return found | {name: wanted[name] for name in wanted.keys() & known.keys()}


def _named(config: Any) -> Iterator[str]:
    """Yield the attributes that are other names of one."""
    yield from getattr(config, "attribute_map", {}).values()


def _layers_of_all_kinds(config: Any) -> int:
    """Return how many layers from the first on have every kind that the whole has."""
    kinds = [value for value in vars(config).values() if _is_kinds(value)]
    wanted = max((max(map(value.index, set(value))) + 1 for value in kinds), default=2)
    return min(max(2, wanted), _MAX_LAYERS)


def _is_kinds(value: object) -> bool:
    return isinstance(value, list) and bool(value) and isinstance(value[0], str)


def _enlarge(network: Any, scale: float) -> None:
    with torch.no_grad():
        for name, weight in _matrices(network.named_parameters()):
            if "A_log" not in name:
                weight.mul_(scale)


def _matrices(weights: Iterable[tuple[str, Any]]) -> Iterator[tuple[str, Any]]:
    return ((name, weight) for name, weight in weights if weight.dim() >= 2)
