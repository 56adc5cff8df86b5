"""Tiny random vision-language networks of several architectures, with their processors.

Saved as folders that load like any other. Tokens are bytes, and each image has a few places.
"""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any
from unittest.mock import patch

import torch
import transformers
from safetensors.torch import load_file, save_file
from transformers.models.gemma3.image_processing_pil_gemma3 import Gemma3ImageProcessorPil
from transformers.models.idefics3.image_processing_pil_idefics3 import Idefics3ImageProcessorPil
from transformers.models.llava.image_processing_pil_llava import LlavaImageProcessorPil
from transformers.models.qwen2_vl.image_processing_pil_qwen2_vl import Qwen2VLImageProcessorPil

from tests.tiny_models import save_byte_tokenizer

SIDE, PATCH = 28, 14
ROWS = 512
_TEXT: dict[str, Any] = {
    "vocab_size": ROWS,
    "hidden_size": 32,
    "num_hidden_layers": 2,
    "num_attention_heads": 4,
    "num_key_value_heads": 2,
    "head_dim": 8,
    "intermediate_size": 64,
    "max_position_embeddings": 1024,
    "bos_token_id": 0,
    "eos_token_id": 1,
    "pad_token_id": 1,
}
_EYE: dict[str, Any] = {
    "hidden_size": 32,
    "intermediate_size": 64,
    "num_hidden_layers": 2,
    "num_attention_heads": 4,
    "image_size": SIDE,
    "patch_size": PATCH,
}
_CONTENT = "user:{% for p in m.content %}{{ p.text if p.type == 'text' else 'IMAGE' }}{% endfor %}"
Made = tuple[Any, Any]


def _tokenizer(folder: Path, *special: str, **names: str) -> Any:
    save_byte_tokenizer(folder)
    tokenizer = transformers.AutoTokenizer.from_pretrained(folder, extra_special_tokens=names)
    tokenizer.add_special_tokens({"additional_special_tokens": list(special)})
    tokenizer.model_max_length = 1024
    return tokenizer


def _llava(folder: Path) -> Made:
    tokenizer = _tokenizer(folder, "<image>")
    sizes = {"size": {"shortest_edge": SIDE}, "crop_size": {"height": SIDE, "width": SIDE}}
    processor = transformers.LlavaProcessor(
        LlavaImageProcessorPil(**sizes), tokenizer, patch_size=PATCH,
        vision_feature_select_strategy="default", num_additional_image_tokens=1,
    )  # fmt: skip
    config = transformers.LlavaConfig(
        vision_config=transformers.CLIPVisionConfig(**_EYE),
        text_config=transformers.LlamaConfig(**_TEXT),
        image_token_id=processor.image_token_id,
        vision_feature_layer=-1,
    )
    return transformers.LlavaForConditionalGeneration(config), processor


def _idefics3(folder: Path) -> Made:
    """One image in several tiles, so that images of other shapes have other numbers of tokens."""
    tiles = [f"<row_{row}_col_{column}>" for row in range(1, 5) for column in range(1, 5)]
    tokenizer = _tokenizer(
        folder, "<image>", "<fake_token_around_image>", "<global-img>", "<end_of_utterance>", *tiles
    )
    images = Idefics3ImageProcessorPil(
        size={"longest_edge": 2 * SIDE}, max_image_size={"longest_edge": SIDE}
    )
    processor = transformers.Idefics3Processor(images, tokenizer, image_seq_len=4)
    config = transformers.Idefics3Config(
        vision_config={**_EYE, "patch_size": 7},
        text_config=transformers.LlamaConfig(**_TEXT),
        scale_factor=2,
        image_token_id=processor.image_token_id,
        pad_token_id=1,
    )
    return transformers.Idefics3ForConditionalGeneration(config), processor


def _gemma3(folder: Path) -> Made:
    """Places of an image that see each other, and a sliding window in every other layer."""
    tokenizer = _tokenizer(folder, image_token="<img>", boi_token="<boi>", eoi_token="<eoi>")
    images = Gemma3ImageProcessorPil(size={"height": SIDE, "width": SIDE})
    processor = transformers.Gemma3Processor(images, tokenizer, image_seq_length=4)
    config = transformers.Gemma3Config(
        vision_config=transformers.SiglipVisionConfig(**_EYE),
        text_config=transformers.Gemma3TextConfig(
            **_TEXT, sliding_window=16, query_pre_attn_scalar=8,
            layer_types=["sliding_attention", "full_attention"],
        ),
        image_token_index=tokenizer.image_token_id,
        image_token_id=tokenizer.image_token_id,
        mm_tokens_per_image=4,
        boi_token_index=tokenizer.boi_token_id,
        eoi_token_index=tokenizer.eoi_token_id,
    )  # fmt: skip
    return transformers.Gemma3ForConditionalGeneration(config), processor


class _ImagesAlone(transformers.Qwen2VLProcessor):  # type: ignore[misc]
    """Does without what processes videos, which needs torchvision."""

    def check_argument_for_proper_class(self, argument_name: str, argument: Any) -> None:
        pass


def _qwen2_vl(folder: Path) -> Made:
    """Positions in three dimensions, and as many places as an image is large."""
    names = ("<|image_pad|>", "<|video_pad|>", "<|vision_start|>", "<|vision_end|>")
    tokenizer = _tokenizer(folder, *names)
    images = Qwen2VLImageProcessorPil(
        min_pixels=SIDE * SIDE, max_pixels=8 * SIDE * SIDE, patch_size=PATCH
    )
    processor = _ImagesAlone(images, tokenizer, None)
    half = _TEXT["head_dim"] // 2
    across = half * 3 // 8
    sections = [half - 2 * across, across, across]
    rope = {"rope_type": "default", "mrope_section": sections, "rope_theta": 10_000.0}
    config = transformers.Qwen2VLConfig(
        vision_config={
            "depth": 2, "embed_dim": _EYE["hidden_size"], "hidden_size": _TEXT["hidden_size"],
            "num_heads": _EYE["num_attention_heads"], "mlp_ratio": 2, "patch_size": PATCH,
        },
        text_config={**_TEXT, "rope_parameters": rope},
        image_token_id=processor.image_token_id,
        video_token_id=processor.video_token_id,
        vision_start_token_id=tokenizer.convert_tokens_to_ids("<|vision_start|>"),
        vision_end_token_id=tokenizer.convert_tokens_to_ids("<|vision_end|>"),
    )  # fmt: skip
    return transformers.Qwen2VLForConditionalGeneration(config), processor


VISION_ARCHITECTURES: dict[str, Callable[[Path], Made]] = {
    "llava": _llava,
    "idefics3": _idefics3,
    "gemma3": _gemma3,
    "qwen2_vl": _qwen2_vl,
}


def make_tiny_vision_model(architecture: str, folder: Path, *, scale: float = 4.0) -> Made:
    """Return a random network, its weights enlarged so that what it sees matters, and a processor.

    The folder gets a tokenizer.
    """
    torch.manual_seed(0)
    folder.mkdir(parents=True, exist_ok=True)
    network, processor = VISION_ARCHITECTURES[architecture](folder)
    with torch.no_grad():
        for weight in network.parameters():
            if not weight.any():
                weight.normal_(std=0.2)  # Gemma's projector begins with zeros
            elif weight.dim() >= 2:
                weight.mul_(scale)
    return network.eval(), processor


def save_tiny_vision_model(architecture: str, folder: Path) -> Path:
    """Save a random network and its processor."""
    network, processor = make_tiny_vision_model(architecture, folder)
    network.save_pretrained(folder)
    processor.save_pretrained(folder)
    return folder


def save_served_vision_model(architecture: str, folder: Path) -> Any:
    """Save a random network as vLLM reads it, and return its processor.

    It has heads of 32, LLaVA's names as in the files of llava-hf, and a chat template.
    """
    wide = {"hidden_size": 64, "num_attention_heads": 2, "head_dim": 32, "num_key_value_heads": 1}
    eye = {"hidden_size": 64, "num_attention_heads": 2}
    with patch.dict(_TEXT, wide), patch.dict(_EYE, eye):
        network, processor = make_tiny_vision_model(architecture, folder)
    template = f"{{% for m in messages %}}{_CONTENT}{{% endfor %}}"
    processor.tokenizer.chat_template = template.replace("IMAGE", processor.image_token)
    network.save_pretrained(folder)
    if isinstance(processor, _ImagesAlone):
        _save_parts(processor, folder)
    else:
        processor.save_pretrained(folder)
    if architecture == "llava":
        weights = folder / "model.safetensors"
        named = {
            name.replace("vision_tower.", "vision_tower.vision_model."): weight
            for name, weight in load_file(weights).items()
        }
        save_file(named, weights, {"format": "pt"})
    return processor


def _save_parts(processor: Any, folder: Path) -> None:
    """Save a processor that cannot be saved whole, as it has no processor of videos."""
    processor.tokenizer.save_pretrained(folder)
    processor.image_processor.save_pretrained(folder)
    config = folder / "preprocessor_config.json"
    content = json.loads(config.read_text()) | {"processor_class": "Qwen2VLProcessor"}
    config.write_text(json.dumps(content))
