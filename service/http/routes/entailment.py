"""The route /v1/entailment."""

from collections.abc import Sequence
from dataclasses import asdict
from functools import partial
from itertools import combinations

from fastapi import APIRouter, Response

from service.engine.costs import judging_cost
from service.engine.limits import check_answer, check_pairs, check_texts
from service.engine.request_model import RequestModel
from service.http.call import Call, CallOf
from service.http.json_body import JsonRoute
from service.http.json_stream import JsonArray, json_bytes
from service.http.schemas.entailment import (
    EntailmentRequest,
    EntailmentResponse,
    EntailmentResult,
)
from service.http.schemas.errors import ERRORS
from service.http.schemas.sampling import SamplingSettings
from similarity.entailment.estimators import ESTIMATORS
from similarity.entailment.opening import PAPER, usual_estimator
from similarity.entailment.profiles import JUDGE, ProfileEntailment
from similarity.entailment.results import Entailment
from similarity.entailment.scorer import EntailmentScorer
from similarity.entailment.trajectories import UNRELATED, TrajectoryEntailment
from similarity.errors import ConfigError, UnsupportedError
from similarity.meaning import profile_group
from similarity.texts.general import general_sentences
from similarity.uncertainty import DEFAULT_CONFIDENCE

# Bytes of a judgement in an answer, about, and of each word that explains it.
RESULT_BYTES = 300
WORD_BYTES = 110

router = APIRouter(route_class=JsonRoute, prefix="/v1", responses=ERRORS, tags=["trajsim"])


@router.post(
    "/entailment", summary="Find which text entails the other", response_model=EntailmentResponse
)
async def entailment(body: EntailmentRequest, call: CallOf) -> Response:
    """Return for each pair of texts which entails the other, both or neither."""
    words = 3 * body.top if body.explain else 0
    check_answer(len(body.pairs) * (RESULT_BYTES + WORD_BYTES * words), call.settings)
    vectors = call.engine.vectors
    usual = usual_estimator(call.engine.model, vectors.config) if vectors else PAPER
    estimator = body.estimator or usual
    _check_used(estimator, body)
    pairs = list(dict.fromkeys(body.pairs))
    instead = None if usual == PAPER else "choose an estimator that reads profiles"
    check = partial(_check_cost, estimator, pairs, body, call, instead)
    cost = await call.aside(check, len(pairs))

    def work(model: RequestModel) -> tuple[list[bytes], Entailment]:
        scorer = _scorer_of(call, model, estimator, body)
        if ESTIMATORS[estimator].evidence == "profiles":
            model.usage.note_own(judging_cost(pairs, explain=body.explain))
        found = scorer.judge(pairs, model.progress)
        return [_json(one, body, model) for one in found], found[0]

    (cells, first), usage = await call.run(work, cost)
    of_pair = dict(zip(pairs, cells, strict=True))
    content = {
        "estimator": estimator,
        "thresholds": asdict(first.thresholds),
        "results": JsonArray.of([of_pair[pair] for pair in body.pairs]),
    }
    return call.answer(content, usage, first.fingerprint)


def _scorer_of(
    call: Call, model: RequestModel, estimator: str, body: EntailmentRequest
) -> EntailmentScorer:
    """Return what judges; it calls the model by the engine's queue and cache.

    Raises
    ------
    UnsupportedError
        If the estimator needs profiles and the service has none.
    """
    if ESTIMATORS[estimator].evidence == "trajectories":
        by_trajectories = TrajectoryEntailment(
            model=model, config=body.config(), estimator=estimator, confidence=body.confidence
        )
        by_trajectories.truncator = call.truncator(by_trajectories.check, body.truncate)
        return by_trajectories
    scorer = profile_scorer(call, model, estimator, body.confidence)
    scorer.truncator = call.truncator(scorer.check, body.truncate)
    return scorer


def profile_scorer(
    call: Call, model: RequestModel, estimator: str, confidence: float = DEFAULT_CONFIDENCE
) -> ProfileEntailment:
    """Return what judges by profiles; it calls the model by the engine's queue and cache.

    Raises
    ------
    UnsupportedError
        If the service has no profiles.
    """
    vectors = call.engine.vectors
    if vectors is None:
        raise UnsupportedError(
            f"estimator {estimator} reads profiles, and this service has none; choose {PAPER}"
        )
    groups = (profile_group(vectors, JUDGE).config.name,)
    return ProfileEntailment(
        vectors=vectors,
        estimator=estimator,
        confidence=confidence,
        read=lambda texts, _: model.features(texts, groups),
        encoder=model,
    )


def _check_used(estimator: str, body: EntailmentRequest) -> None:
    """Refuse what has no effect on what the estimator reads."""
    of_trajectories = [
        name for name in SamplingSettings.model_fields if name in body.model_fields_set
    ]
    evidence = ESTIMATORS[estimator].evidence
    if evidence == "profiles" and of_trajectories:
        name = of_trajectories[0]
        raise ConfigError(
            f"{name} is a setting of trajectories, and estimator {estimator} reads profiles; give "
            f"estimator {PAPER}, or leave it out",
            name,
        )
    if evidence == "trajectories" and body.explain:
        raise ConfigError(
            f"explain gives words of profiles, and estimator {estimator} reads trajectories; give "
            "an estimator that reads profiles, or leave it out",
            "explain",
        )


def _check_cost(
    estimator: str,
    pairs: Sequence[tuple[str, str]],
    body: EntailmentRequest,
    call: Call,
    instead: str | None,
) -> int:
    """Return the cost, unless it is too much; of trajectories the unrelated sentences cost too."""
    if ESTIMATORS[estimator].evidence == "trajectories":
        sentences = general_sentences()[:UNRELATED]
        crossed = [*pairs, *combinations(sentences, 2)]
        return check_pairs(crossed, body.config(), call.settings, body.truncate, instead)
    texts = {text for pair in pairs for text in pair}
    reading = check_texts(texts, call.settings, truncate=body.truncate)
    return reading + judging_cost(pairs, explain=body.explain)


def _json(found: Entailment, body: EntailmentRequest, model: RequestModel) -> bytes:
    model.check_cancelled()
    result = EntailmentResult.of(found, body.top if body.explain else None)
    return json_bytes(result.model_dump(mode="json", exclude_none=True))
