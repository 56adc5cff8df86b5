"""From a route to the engine: a request's work, cancelled when its client leaves."""

import asyncio
import time
from collections.abc import Awaitable, Callable, Coroutine, Iterable, Mapping, Sequence
from functools import partial
from typing import Annotated, Any, TypeVar

from anyio import CapacityLimiter, move_on_after
from fastapi import Depends, Request, Response

from service.engine.engine import Engine
from service.engine.exceptions import ClientGoneError, DeadlineError
from service.engine.limits import GivenPair, check_cost
from service.engine.request_model import RequestModel
from service.engine.usage import Usage
from service.engine.workers import run_in_turn
from service.http.body import Body
from service.http.fetching import FetchPlaces
from service.http.json_stream import json_answer
from service.http.schemas.truncation import PromptTruncation
from service.http.schemas.usage import TokenUsage
from service.settings import Settings
from similarity.errors import ConfigError, ImageError
from similarity.fingerprint import HALF_PRECISION, Fingerprint
from similarity.given import Pair
from similarity.presets import PRESETS, default_preset
from similarity.results import Score
from similarity.scorer import Scorer
from similarity.scorers import ScoringPlan, ScoringRequest, check_generates, plan_scoring
from similarity.texts.familiarity import shown_warnings
from similarity.texts.truncation import Check, TruncatingScorer, Truncator
from similarity.validation import shown

Result = TypeVar("Result")

# Work on more texts, pairs or cells is done in a thread, so that the event loop turns meanwhile.
ITEMS_AT_ONCE = 1_000


class Call:
    """Runs one HTTP request's work on the engine."""

    def __init__(self, request: Request) -> None:
        self._request = request
        self.engine: Engine = request.app.state.engine
        self.settings: Settings = request.app.state.settings
        # Why the model's vectors have no more groups, without its server's words.
        self.lacks: str = request.app.state.lacks
        # Images that are fetched at once, over all requests.
        self.fetches: FetchPlaces = request.app.state.fetches
        # And those that are decoded at once.
        self.decoders: CapacityLimiter = request.app.state.decoders
        self._helpers: CapacityLimiter = request.app.state.helpers
        self._began = time.monotonic()
        self._truncators: list[Truncator] = []
        # By the name that the library knows an image by: its URL in the request.
        self.images: Mapping[str, str] = {}

    @property
    def request_id(self) -> str:
        """Return the id in the answer's X-Request-Id."""
        return str(self._request.state.request_id)

    @property
    def model(self) -> str:
        """Return the name of the model that is served."""
        return self.engine.model.info.name

    async def run(
        self, function: Callable[[RequestModel], Result], cost: float
    ) -> tuple[Result, Usage]:
        """Return what the function makes of the model, and what that took.

        Parameters
        ----------
        cost
            As the checks of `service.engine.limits` return it.

        Raises
        ------
        ClientGoneError
            If the client goes away first; its work is given up.
        ServiceError, TrajsimError
            What the engine and the library raise.
        """
        try:
            result, usage = await self._watched(self.engine.run(function, cost, self._began))
        except ImageError as error:
            error.text = self.images.get(error.text or "", error.text)
            raise
        self._note(usage)
        return result, usage

    async def prepare(self, work: Callable[[], Awaitable[Result]], late: str) -> Result:
        """Return what is made for the work on the engine, by the same deadline.

        Parameters
        ----------
        late
            The message where it takes too long, with {} where the seconds stand.

        Raises
        ------
        ClientGoneError
            If the client goes away first; the work is cancelled.
        DeadlineError
            If it takes too long; the work is cancelled.
        """
        seconds = self.settings.deadline_seconds

        async def in_time() -> Result:
            with move_on_after(self._began + seconds - time.monotonic()):
                return await work()
            raise DeadlineError(late, seconds)

        return await self._watched(in_time())

    def hold_fetched(self, count: int) -> None:
        """Count bytes that were fetched for the request, until it is answered.

        Raises
        ------
        BusyError
            If there is no room for them beside what other requests have.
        """
        body: Body = self._request.state.body
        body.hold_fetched(count)

    async def _watched(self, work: Coroutine[Any, Any, Result]) -> Result:
        """Return the result of work, which is cancelled if the client goes away."""
        task = asyncio.ensure_future(work)
        gone = asyncio.ensure_future(self._gone())
        try:
            await asyncio.wait({task, gone}, return_when=asyncio.FIRST_COMPLETED)
            if not task.done():
                raise ClientGoneError("the client went away")
            return task.result()
        finally:
            task.cancel()
            gone.cancel()
            await asyncio.gather(task, gone, return_exceptions=True)

    async def score(
        self, pairs: Sequence[Pair], scoring: ScoringRequest | None = None
    ) -> tuple[Sequence[Score], Usage]:
        """Return the score of each pair, in order; a pair that repeats is compared once.

        Raises as `plan` and `run` do.
        """
        distinct = list(dict.fromkeys(pairs))
        plan, cost = await self.plan(distinct, scoring)
        scores, usage = await self.run(
            lambda model: self.scorer(plan, model).score(distinct, model.progress), cost
        )
        of_pair = dict(zip(distinct, scores, strict=True))
        return [of_pair[pair] for pair in pairs], usage

    async def plan(
        self, pairs: Sequence[GivenPair], scoring: ScoringRequest | None = None
    ) -> tuple[ScoringPlan, int]:
        """Return how to compare the pairs, and its cost, once that is found allowed.

        Raises
        ------
        RequestTooLargeError, ConfigError, UnsupportedError
            If it is not allowed, or cannot be done.
        """
        request = scoring or ScoringRequest()
        check_generates(self.engine.model, request)
        plan = plan_scoring(request, self.engine.groups, self.settings.preset, self.lacks)
        by_vectors = PRESETS[default_preset(self.engine.groups)].vectors
        instead = "compare by a preset of meaning vectors" if by_vectors else None
        check = partial(check_cost, plan, pairs, self.settings, instead)
        return plan, await self.aside(check, len(pairs))

    async def aside(self, function: Callable[[], Result], items: int) -> Result:
        """Return the result of work that needs no model, off the event loop if items are many.

        Raises
        ------
        NoResourcesError
            If the system has no thread or memory left.
        """
        few = items <= ITEMS_AT_ONCE
        return function() if few else await run_in_turn(function, "request", self._helpers)

    def scorer(self, plan: ScoringPlan, model: RequestModel) -> Scorer:
        """Return the scorer of a plan; it calls the model by the engine's queue and cache."""
        vectors = self.engine.vectors if plan.by_vectors else None
        scorer = plan.open(
            model,
            vectors,
            lambda texts, _: model.features(texts, plan.groups),
            self.settings.max_characters,
            self.engine.scales,
            # The vectors' own would count tokens for as long as it takes, whoever waits for it.
            partial(model.feature_tokens, groups=plan.groups) if plan.by_vectors else None,
        )
        if isinstance(scorer, TruncatingScorer):
            self._truncators.append(scorer.truncator)
        return scorer

    def prompt_truncation(self, body: PromptTruncation) -> ScoringRequest:
        """Return what a request in vLLM's shape says of texts that are too long.

        Raises
        ------
        ConfigError
            If it wants more tokens of each than the model takes.
        """
        asked, limit = body.truncate_prompt_tokens, self.engine.model.info.context_length
        if asked is not None and asked > limit:
            raise ConfigError(
                f"truncate_prompt_tokens is {shown(asked)}, and the model takes {limit} tokens; "
                "give at most that, or -1 for as many as it takes",
                "truncate_prompt_tokens",
            )
        return ScoringRequest(truncate=body.truncated(), max_text_tokens=body.most_tokens())

    def truncator(self, check: Check, truncate: str) -> Truncator:
        """Return what cuts texts that are too long; the answer will say how many it has cut."""
        made = Truncator(check, truncate, self.settings.max_characters)
        self._truncators.append(made)
        return made

    def answer(
        self,
        content: Mapping[str, Any],
        usage: Usage,
        fingerprint: Fingerprint[Any],
        warnings: Iterable[str] | None = None,
    ) -> Response:
        """Return an answer that says of which model it is, what it took and what it depends on.

        Its `warnings` are left out where there are none; None is for those of texts that were cut.
        """
        shown = self.cut_warnings if warnings is None else shown_warnings(warnings)
        return json_answer(
            {
                "model": self.model,
                **({"warnings": shown} if shown else {}),
                **content,
                "usage": TokenUsage.of(usage).model_dump(),
                "fingerprint": fingerprint.to_dict(),
            }
        )

    def compared(
        self,
        content: Mapping[str, Any],
        plan: ScoringPlan,
        warnings: Iterable[str],
        usage: Usage,
        fingerprint: Fingerprint[Any],
    ) -> Response:
        """Return an answer with scores, which says how texts were compared."""
        scoring = {
            "preset": plan.preset,
            "calibrated": fingerprint.calibrated,
            "scale": fingerprint.scale,
            "repeatable": fingerprint.repeatable or self._reads_alone(fingerprint),
        }
        noted = [*([plan.note] if plan.note else []), *warnings]
        return self.answer({**scoring, **content}, usage, fingerprint, noted)

    def _reads_alone(self, fingerprint: Fingerprint[Any]) -> bool:
        """Return whether a model of this process reads each text by itself, each time anew."""
        settings = self.settings
        alone = settings.batch_tokens == 1 and settings.cache_megabytes == 0
        return alone and fingerprint.model.dtype in HALF_PRECISION

    @property
    def cut_warnings(self) -> list[str]:
        """Return a line for each text that was cut, as far as they are shown."""
        lines = (line for made in self._truncators for line in made.warnings(list(made.kept)))
        return shown_warnings(lines)

    async def _gone(self) -> None:
        while (await self._request.receive())["type"] != "http.disconnect":
            pass

    def _note(self, usage: Usage) -> None:
        """Leave for the header, the log line and the trace what the answer took."""
        truncated = sum(len(made.kept) for made in self._truncators)
        self._request.state.work = {
            "sampled_tokens": usage.sampled_tokens,
            "scored_tokens": usage.scored_tokens,
            "cached_tokens": usage.cached_tokens,
            **({"truncated_texts": truncated} if truncated else {}),
            **{f"{stage}_seconds": round(spent, 4) for stage, spent in usage.seconds.items()},
        }


async def call(request: Request) -> Call:
    """Give a route its call; FastAPI would run what is not `async` in a thread."""
    return Call(request)


CallOf = Annotated[Call, Depends(call)]
