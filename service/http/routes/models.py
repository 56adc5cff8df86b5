"""The route /v1/models."""

from fastapi import APIRouter
from starlette.exceptions import HTTPException

from service.http.call import Call, CallOf
from service.http.schemas.errors import ERRORS, error_answer
from service.http.schemas.models import ModelCard, ModelList
from similarity.models.base import Ability
from similarity.presets import default_preset, possible_presets

# Settings that bound a request, without their "max_".
LIMITS = (
    "body_bytes",
    "items",
    "texts",
    "inputs",
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
    """Return the model's name, revision and context, and the limits of a request."""
    return ModelList(data=[_card(call)])


@router.get(
    "/models/{name:path}",
    summary="The model of this name",
    responses={404: error_answer("Another model is served.")},
)
async def model(name: str, call: CallOf) -> ModelCard:
    """Return what /v1/models says of the model, if it is the one that is served."""
    if name != call.model:
        raise HTTPException(404, f"the model that is served is {call.model}; see /v1/models")
    return _card(call)


def _card(call: Call) -> ModelCard:
    info, settings = call.engine.model.info, call.settings
    groups = call.engine.groups
    return ModelCard(
        id=info.name,
        created=call.engine.loaded_at,
        revision=info.revision,
        dtype=info.dtype,
        context_length=info.context_length,
        preset=settings.preset or default_preset(groups),
        presets=possible_presets(groups, generates=call.engine.model.generates),
        images=Ability.IMAGES in call.engine.model.abilities,
        limits={name: getattr(settings, f"max_{name}") for name in LIMITS},
    )
