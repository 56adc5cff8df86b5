"""Loads a folder or a hub id: a vision-language model whole, and any other as a text model."""

import logging
from functools import partial
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import transformers
from transformers.models.auto.modeling_auto import (
    MODEL_FOR_CAUSAL_LM_MAPPING_NAMES,
    MODEL_FOR_IMAGE_TEXT_TO_TEXT_MAPPING_NAMES,
)

from similarity.errors import MissingDependencyError, ModelError
from similarity.images.sources import probe_images
from similarity.lacking import raise_lacking
from similarity.models import local
from similarity.models.failures import one_line, words_of
from similarity.models.hub import on_hub
from similarity.models.loader import LoadOptions
from similarity.models.model_files import settings_of
from similarity.models.pretrained import quiet
from similarity.models.vision.model import VisionModel

logger = logging.getLogger(__name__)


def load(name: str, options: LoadOptions) -> local.LocalModel:
    """Load a folder or a hub id, for the table of backends.

    A vision-language model is loaded with what reads images, if its processor can be. Else its
    texts have the same scores, where transformers has the language model in it by itself.
    """
    config = _config(name)
    if config is None or not _reads_images(config):
        return local.load(name, options)
    try:
        processor = _processor(name)
    except ModelError as error:
        if config["model_type"] not in MODEL_FOR_CAUSAL_LM_MAPPING_NAMES:
            raise
        logger.warning("%s is loaded for texts alone: %s", name, error)
        return local.load(name, options)
    return load_vision(name, processor, options)


def _reads_images(config: dict[str, Any]) -> bool:
    """Return whether a model is made for images and texts, by its configuration."""
    network = MODEL_FOR_IMAGE_TEXT_TO_TEXT_MAPPING_NAMES.get(config.get("model_type", ""))
    return network is not None and network in (config.get("architectures") or ())


def _config(source: str) -> dict[str, Any] | None:
    folder = Path(source)
    try:
        if folder.is_dir():
            return settings_of(folder)
        found: dict[str, Any]
        found, _ = transformers.PreTrainedConfig.get_config_dict(source, **on_hub(source))
    except Exception as error:  # loading says better what is wrong
        logger.debug("the configuration of %s cannot be read: %s", source, error)
        return None
    return found


def load_vision(source: str, processor: Any, options: LoadOptions) -> VisionModel:
    """Load a vision-language model; remote code is never run.

    Raises
    ------
    ModelError
        As `load_local`, and if the network does not see images.
    """
    model = local.load_local(
        source,
        device=options.device,
        dtype=options.dtype,
        networks=transformers.AutoModelForImageTextToText,
        kind=partial(VisionModel, processor),
    )
    assert isinstance(model, VisionModel)
    with one_line(source):
        model.check_images(*probe_images())
    model.findings = [*model.findings, ("images", "read, each alone")]
    return model


def _processor(source: str) -> Any:
    if find_spec("PIL") is None:
        raise MissingDependencyError("images need pillow: pip install pillow")
    where = {} if Path(source).is_dir() else on_hub(source)
    with one_line(source, found=Path(source).exists()), quiet():
        try:
            processors: Any = transformers.AutoProcessor
            return processors.from_pretrained(source, trust_remote_code=False, **where)
        except ImportError as error:
            raise_lacking(error)
            raise MissingDependencyError(
                f"the processor of {source} needs a package: {words_of(error)}"
            ) from error
