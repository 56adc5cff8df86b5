"""The route /v1/models."""

from fastapi import APIRouter

from service.http.call import CallOf
from service.http.schemas.errors import ERRORS
from service.http.schemas.models import ModelCard, ModelList
from similarity.scorers import default_preset, possible_presets

# Settings that bound a request, without their "max_".
LIMITS = (
    "body_bytes",
    "items",
    "texts",
    "characters",
    "cells",
    "trajectories",
    "continuation_tokens",
    "request_tokens",
    "answer_bytes",
)

router = APIRouter(prefix="/v1", responses=ERRORS, tags=["trajsim"])


@router.get("/models", summary="The model that is served")
async def models(call: CallOf) -> ModelList:
    """Return the model's name, revision and context, and what a request may ask for."""
    info, settings = call.engine.model.info, call.settings
    groups = call.engine.groups
    card = ModelCard(
        id=info.name,
        created=call.engine.loaded_at,
        revision=info.revision,
        dtype=info.dtype,
        context_length=info.context_length,
        preset=settings.preset or default_preset(groups),
        presets=possible_presets(groups),
        limits={name: getattr(settings, f"max_{name}") for name in LIMITS},
    )
    return ModelList(data=[card])
