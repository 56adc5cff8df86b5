"""The identity of a served model: name, tokenizer, and numbers that only this model gives."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import product
from typing import Any

from similarity.arrays import LogProbs
from similarity.digests import digest, digest_of
from similarity.errors import BackendRefusedError, ModelChangedError, WrongAnswerError
from similarity.models.base import TokenIds
from similarity.models.checks import PARAGRAPH
from similarity.models.gaps import Gap, worst_gap
from similarity.models.vllm_server import wire
from similarity.models.vllm_server.address import ServerAddress
from similarity.models.vllm_server.pool import Pool
from similarity.models.vllm_server.scoring import read_scores, scoring_body
from similarity.models.vllm_server.wanted import (
    READING_PROBE,
    TOKENIZER_PROBES,
    Wanted,
    reading_of,
    tokenize_body,
)
from similarity.models.vllm_server.wire import Prompt

# By how much rounding may move a number of order 1 that names a model: half precision moves it by
# up to 0.001 (docs/log.md).
ROUNDED = 0.005
# Fewer are too few for a text with the shortest prompt, and for what is tried at loading.
LEAST_TOKENS = 32
# What a server does whose numbers moved little, perhaps by precision.
OTHER_SCORES = "gives other scores of one text"
# Tokens of the probe that names the model, and of the one that goes with every request to score.
LONG_PROBE, SHORT_PROBE = 96, 16


@dataclass(frozen=True, kw_only=True)
class ServedName:
    """What a server says of a model before it computes any numbers.

    Parameters
    ----------
    name
        As served.
    context_length
        Tokens of prefix and continuation together, at most.
    wanted
        What each server must go on to serve.
    tokenizer
        Digest of token ids and strings of some texts.
    begin, end
        What the tokenizer puts before and after a text.
    """

    name: str
    context_length: int
    wanted: Wanted
    tokenizer: str
    begin: TokenIds
    end: TokenIds

    def revision_of(self, kind: str, numbers: Sequence[float], wanted: str | None) -> str:
        """Return a digest that differs for another tokenizer or another number, in hundredths.

        Rounding in the model may carry a number over the edge between two hundredths. Then what
        was stored under the old revision would be another model's. So the wanted revision is
        returned, if there is one, where ROUNDED of rounding makes it so.
        """
        near = [(number + 0.0, number - ROUNDED, number + ROUNDED) for number in numbers]
        found = [self._revision(kind, each) for each in product(*near)]
        return wanted if wanted is not None and wanted in found else found[0]

    def _revision(self, kind: str, numbers: Sequence[float]) -> str:
        named = " ".join([self.tokenizer, *(f"{number:.2f}" for number in numbers)])
        return f"{kind}:{digest(named.encode())}"


@dataclass(frozen=True, kw_only=True)
class Identity(ServedName):
    """What makes two servers, or one server twice, give the same scores.

    Parameters
    ----------
    probe
        Scored with every request, because a server may be started anew with other weights.
    expected
        Log-probabilities of the probe, shape "token" in nats.
    long_probe, long_expected
        The same with more tokens, scored where the probe leaves a doubt.
    revision
        A digest that differs for another model: of the mean of the log-probabilities of a longer
        probe, nats per token.
    no_chosen
        Why the server does not give log-probabilities of chosen tokens; empty if it does.
    keeps_sampled
        Whether those of sampling are as good as those of scoring.
    image_token
        What stands for an image in a text; empty where none is read.
    image_chosen
        Tokens whose log-probabilities one request may choose after an image.
    """

    probe: Prompt
    expected: LogProbs
    long_probe: Prompt
    long_expected: LogProbs
    revision: str
    no_chosen: str = ""
    keeps_sampled: bool = False
    image_token: str = ""
    image_chosen: int = 0

    @property
    def lacks(self) -> str:
        """Return that no chosen tokens' log-probabilities are to be had, and why; else nothing."""
        if not self.no_chosen:
            return ""
        return f"no log-probabilities of chosen tokens are to be had ({self.no_chosen})"

    def drift(self, scored: LogProbs) -> Gap:
        """Return how far the probe's scores are from the expected."""
        return Gap.between(scored, self.expected)

    def check_long(self, scored: LogProbs) -> None:
        """Check the scores of the long probe; raise as `check_drift`."""
        self.check_drift(Gap.between(scored, self.long_expected))

    def check_drift(self, drift: Gap) -> None:
        """Raise ModelChangedError if a probe's scores are further away than by rounding."""
        if drift.is_rounding:
            return
        advice = drift.advice("serve the old model, or load this one anew")
        what = f"its scores of one text differ by {drift}, and {advice}"
        if drift.is_small:
            raise ModelChangedError(
                f"gives other scores than before as {self.name!r}: {what}", OTHER_SCORES
            )
        raise ModelChangedError(f"has another model than before as {self.name!r}: {what}")


async def identify_name(pool: Pool, address: ServerAddress) -> ServedName:
    """Return which model a server has, and how it reads texts.

    Raises
    ------
    BackendError
        If it does not serve the wanted model, takes fewer than LEAST_TOKENS, or does not answer.
    WrongAnswerError
        If its answers are not a vLLM server's.
    """
    models = await pool.request(wire.MODELS, wire.read_models)
    name = _chosen(models, address.name, pool.replicas[0].url)
    if models[name] < LEAST_TOKENS:
        raise BackendRefusedError(
            f"{pool.replicas[0].url} takes texts of {models[name]} tokens, and {LEAST_TOKENS} are "
            "the least that anything can be compared by; raise its --max-model-len"
        )
    begin, end = await _affixes(pool, name)
    encoded = [await tokenize(pool, name, text) for text in TOKENIZER_PROBES]
    reading = reading_of(await tokenize(pool, name, READING_PROBE))
    return ServedName(
        name=name,
        context_length=models[name],
        wanted=Wanted(name=name, max_model_len=models[name], reading=reading),
        tokenizer=digest_of(encoded),
        begin=begin,
        end=end,
    )


async def probe_tokens(pool: Pool, served: ServedName) -> tuple[TokenIds, int]:
    """Return the tokens of a paragraph, as many as fit, and where the scored part begins."""
    paragraph, _ = await tokenize(pool, served.name, PARAGRAPH)
    ids = paragraph[: min(LONG_PROBE, served.context_length)]
    return ids, max(1, len(served.begin))


async def identify(pool: Pool, address: ServerAddress) -> Identity:
    """Return the identity of a server that generates; raises as `identify_name` does."""
    served = await identify_name(pool, address)
    # Where a server scores, it always samples one token more.
    served = replace(served, context_length=served.context_length - 1)
    ids, start = await probe_tokens(pool, served)
    long = Prompt(ids[:start], ids[start:])
    short = Prompt(ids[:start], ids[start : start + SHORT_PROBE])
    (long_scores,) = await score_prompts(pool, served.name, [long])
    (short_scores,) = await score_prompts(pool, served.name, [short])
    revision = served.revision_of("probe", [float(long_scores.mean())], address.revision)
    identity = Identity(
        **vars(served),
        probe=short,
        expected=short_scores,
        long_probe=long,
        long_expected=long_scores,
        revision=revision,
    )

    def check(answer: Any) -> None:
        identity.check_drift(identity.drift(*read_scores(answer, [short])))

    probe = (wire.COMPLETIONS, scoring_body(served.name, [short]), check)
    return replace(identity, wanted=replace(served.wanted, probe=probe))


def same_model(first: Identity, second: Identity) -> bool:
    """Return whether two servers hold one model."""
    return (
        (first.name, first.tokenizer, first.begin, first.probe)
        == (second.name, second.tokenizer, second.begin, second.probe)
    ) and worst_gap(
        [[first.expected, first.long_expected]], [[second.expected, second.long_expected]]
    ).is_rounding


async def tokenize(
    pool: Pool, name: str, text: str, *, affixes: bool = True
) -> tuple[TokenIds, tuple[str, ...]]:
    """Return the ids of a text, and the string of each, with or without begin and end."""
    body = tokenize_body(name, text, affixes=affixes)
    return await pool.request(wire.TOKENIZE, wire.read_ids, body)


async def score_prompts(pool: Pool, name: str, prompts: Sequence[Prompt]) -> list[LogProbs]:
    """Return the log-probabilities of each continuation, by one request."""
    return await pool.request(
        wire.COMPLETIONS,
        lambda answer: read_scores(answer, prompts),
        scoring_body(name, prompts),
        tokens=sum(prompt.tokens for prompt in prompts),
    )


def _chosen(models: Mapping[str, int], wanted: str | None, url: str) -> str:
    if wanted is None and len(models) == 1:
        return next(iter(models))
    if wanted in models:
        return str(wanted)
    if not models:
        raise BackendRefusedError(f"{url} lists no model; start it with one, or see its log")
    names = ", ".join(models)
    if wanted is None:
        raise BackendRefusedError(f"{url} serves {names}; name one of them: {url}#NAME")
    raise BackendRefusedError(
        f"{url} serves {names}, not {wanted!r}; name what it serves, or give another address"
    )


async def _affixes(pool: Pool, name: str) -> tuple[TokenIds, TokenIds]:
    """Return the tokens that the tokenizer puts before and after a text."""
    whole, _ = await tokenize(pool, name, "a")
    bare, _ = await tokenize(pool, name, "a", affixes=False)
    starts = [i for i in range(len(whole)) if whole[i : i + len(bare)] == bare]
    if not bare or not starts:
        raise WrongAnswerError("the server's tokenizer reads a text in two ways; use another model")
    return whole[: starts[0]], whole[starts[0] + len(bare) :]
