"""The route /v1/consensus."""

from dataclasses import asdict

from fastapi import APIRouter, Response

from service.engine.limits import check_cells, check_texts
from service.engine.request_model import RequestModel
from service.http.call import Call, CallOf
from service.http.json_body import JsonRoute
from service.http.routes.entailment import profile_scorer
from service.http.schemas.consensus import ConsensusRequest, ConsensusResponse
from service.http.schemas.errors import ERRORS
from similarity.entailment.estimators import DEFAULT
from similarity.groups.consensus import Consensus, check_of, find_consensus

router = APIRouter(route_class=JsonRoute, prefix="/v1", responses=ERRORS, tags=["trajsim"])


@router.post(
    "/consensus", summary="Find what a set of answers agrees on", response_model=ConsensusResponse
)
async def consensus(body: ConsensusRequest, call: CallOf) -> Response:
    """Return groups of one meaning, their semantic entropy, and the answer to believe."""
    distinct = dict.fromkeys(body.texts)
    check_cells(len(body.texts) ** 2, call.settings)
    check_texts([body.question or ""], call.settings)
    with_question = [f"{body.question or ''} {text}" for text in distinct]
    check_texts(with_question, call.settings, truncate=body.truncate)
    found, usage = await call.run(lambda model: _found(body, call, model))
    groups = [{**asdict(group), "members": list(group.members)} for group in found.groups]
    content = {
        "warnings": call.cut_warnings,
        "answer": found.answer,
        "entropy": found.entropy,
        "groups": groups,
        "threshold": found.threshold,
    }
    return call.answer(content, usage, found.fingerprint)


def _found(body: ConsensusRequest, call: Call, model: RequestModel) -> Consensus:
    scorer = profile_scorer(call, model, DEFAULT)
    return find_consensus(
        scorer,
        body.texts,
        question=body.question,
        log_probs=body.log_probs,
        threshold=body.threshold,
        truncator=call.truncator(check_of(scorer.check, body.question), body.truncate),
        progress=model.progress,
    )
