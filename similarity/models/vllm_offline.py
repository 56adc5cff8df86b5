"""The backend for bulk work on a GPU host: vLLM's engine in this process, with no server."""

import json
import os
from collections.abc import Mapping
from importlib import import_module
from pathlib import Path
from typing import Any

from similarity.errors import (
    ConfigError,
    MissingDependencyError,
    ModelNotFoundError,
    TrajsimError,
)
from similarity.extras import unusable
from similarity.models.base import ModelInfo
from similarity.models.checks import check_scores
from similarity.models.hub import on_hub
from similarity.models.loader import ENGINE_VARIABLE, OFFLINE, LoadOptions
from similarity.models.model_files import check_folder
from similarity.models.revision import revision
from similarity.models.vllm_engine import OfflineModel
from similarity.models.vllm_engine_images import opened
from similarity.models.vllm_engine_pooling import OfflinePoolingModel

# Without which scores would depend on each other, or sampling on the model's own settings.
FIXED = {"enable_prefix_caching": False, "generation_config": "vllm"}


def load(name: str, options: LoadOptions) -> OfflineModel | OfflinePoolingModel:
    """Load the model after "vllm:", for the table of backends."""
    if options.device != "auto":
        raise ConfigError("vLLM takes the device that it was built for; leave device at auto")
    settings = _engine_settings(os.environ.get(ENGINE_VARIABLE, "{}"))
    # The engine's own choice is half precision already.
    dtype = "auto" if options.dtype == "fastest" else options.dtype
    return load_offline(name.removeprefix(OFFLINE), dtype=dtype, settings=settings)


def _engine_settings(text: str) -> dict[str, Any]:
    try:
        settings = json.loads(text)
    except ValueError:
        settings = None
    if not isinstance(settings, dict):
        raise ConfigError(f"{ENGINE_VARIABLE} must be a JSON object, got {text!r}")
    return settings


def load_offline(
    source: str, *, dtype: str = "auto", settings: Mapping[str, Any] | None = None
) -> OfflineModel | OfflinePoolingModel:
    """Load a model from a folder or a hub id into vLLM's engine, and check its scores.

    Parameters
    ----------
    settings
        Further arguments of `vllm.LLM`, for example `{"tensor_parallel_size": 4}`.

    Raises
    ------
    MissingDependencyError
        If vLLM is not installed.
    ModelNotFoundError
        If nothing can be loaded from there.
    ModelError
        If a file of a folder is missing or damaged; the message names it.
    ConfigError
        If a setting is one that scores depend on.
    WrongAnswerError
        If the engine's scores are not what they must be.
    """
    if clash := sorted(FIXED.keys() & (settings or {}).keys()):
        raise ConfigError(f"{', '.join(clash)} cannot be set: scores depend on it; leave it out")
    vllm = _imported()
    folder, given = Path(source), {**FIXED, **(settings or {})}
    if folder.is_dir():
        check_folder(folder)
    elif commit := on_hub(source, given.get("revision")).get("revision"):
        given["revision"] = commit
    try:
        engine = vllm.LLM(model=source, dtype=dtype, **given)
    except (OSError, ValueError, RuntimeError) as error:
        first = (str(error).strip().splitlines() or [repr(error)])[0]
        raise ModelNotFoundError(
            f"vLLM cannot load {source!r}: {first}; give a folder or a hub id of a model that "
            "it knows"
        ) from error
    config = engine.llm_engine.model_config
    info = ModelInfo(
        name=folder.resolve().name if folder.is_dir() else source,
        revision=revision(folder, given.get("revision")),
        dtype=str(config.dtype).removeprefix("torch."),
        # Where the engine scores, it always samples one token more.
        context_length=config.max_model_len - 1,
    )
    model: OfflineModel | OfflinePoolingModel
    if getattr(config, "runner_type", "generate") == "pooling":
        model = OfflinePoolingModel(engine, vllm.PoolingParams, info)
    else:
        model = opened(engine, vllm.SamplingParams, info)
    model.assets = folder if folder.is_dir() else None
    try:
        _find_out(model)
    except TrajsimError:
        model.close()
        raise
    return model


def _find_out(model: OfflineModel | OfflinePoolingModel) -> None:
    """Raise the error of a failed check; find out what else the engine can do."""
    checks = model.checks() if isinstance(model, OfflinePoolingModel) else check_scores(model)
    found = []
    for check in checks:
        if check.error is not None:
            raise check.error
        found.append((check.name, check.found))
    if isinstance(model, OfflinePoolingModel):
        model.findings = found
    else:
        model.find_out()


def _imported() -> Any:
    """Import vLLM with its log on standard error, as standard output is for results."""
    os.environ.setdefault("VLLM_LOGGING_STREAM", "ext://sys.stderr")
    os.environ.setdefault("VLLM_LOGGING_LEVEL", "WARNING")
    try:
        return import_module("vllm")
    except ImportError as error:
        needed = "a model in vLLM's own engine needs vLLM, and a GPU host"
        raise MissingDependencyError(unusable(error, needed, "vllm")) from error
