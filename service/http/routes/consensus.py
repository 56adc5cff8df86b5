"""The route /v1/consensus."""

from dataclasses import asdict
from functools import partial

from fastapi import APIRouter, Response

from service.engine.costs import reading_cost
from service.engine.limits import check_cells, check_texts, refuse_above
from service.engine.request_model import RequestModel
from service.http.call import Call, CallOf
from service.http.json_body import JsonRoute
from service.http.routes.entailment import profile_scorer
from service.http.schemas.consensus import ConsensusRequest, ConsensusResponse
from service.http.schemas.errors import ERRORS
from service.settings import Settings
from similarity.entailment.estimators import DEFAULT
from similarity.groups.consensus import Consensus, check_of, find_consensus
from similarity.texts.truncation import REFUSE

router = APIRouter(route_class=JsonRoute, prefix="/v1", responses=ERRORS, tags=["trajsim"])


@router.post(
    "/consensus", summary="Find what a set of answers agrees on", response_model=ConsensusResponse
)
async def consensus(body: ConsensusRequest, call: CallOf) -> Response:
    """Return groups of one meaning, their semantic entropy, and the answer to believe."""
    check_cells(len(body.texts) ** 2, call.settings)
    cost = await call.aside(partial(_cost, body, call.settings), len(body.texts))
    found, usage = await call.run(lambda model: _found(body, call, model), cost)
    groups = [{**asdict(group), "members": list(group.members)} for group in found.groups]
    content = {
        "answer": found.answer,
        "entropy": found.entropy,
        "groups": groups,
        "threshold": found.threshold,
    }
    return call.answer(content, usage, found.fingerprint)


def _cost(body: ConsensusRequest, settings: Settings) -> int:
    """Return what it costs to read the texts with their question, unless it is too much."""
    check_texts(body.texts, settings, truncate=body.truncate)
    if body.question is not None:
        _check_question(body.question, body, settings)
    question = body.question or ""
    return sum(reading_cost(f"{question} {text}") for text in set(body.texts))


def _check_question(question: str, body: ConsensusRequest, settings: Settings) -> None:
    """Refuse a question of too many characters, alone or with the text that it is put before."""
    check_texts([question], settings)
    if body.truncate == REFUSE:
        longest = max(body.texts, key=len)
        what = f"characters in the question and the text that begins {longest[:40]!r}"
        size = len(question) + 1 + len(longest)
        refuse_above(size, settings.max_characters, what, longest)


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
