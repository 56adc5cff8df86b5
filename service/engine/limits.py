"""What a request costs, and whether that is allowed: known before anything is sampled.

What is allowed has a cost, as `service.engine.costs` counts it.
"""

from collections.abc import Hashable, Iterable, Sequence

from service.engine.costs import (
    COST_OF_TOKEN,
    READINGS_OF_A_PAIR,
    reading_cost,
    tokens_of_text,
)
from service.engine.exceptions import RequestTooLargeError
from service.settings import Settings
from similarity.config import ComparisonConfig, SamplingConfig
from similarity.errors import ConfigError
from similarity.likelihood import blocks_of_pairs
from similarity.models.base import TokenIds
from similarity.scorers import ScoringPlan
from similarity.texts.truncation import REFUSE

# A pair of texts, or of what stands for an image that is not read yet.
GivenPair = tuple[Hashable, Hashable]


def check_settings(
    config: ComparisonConfig,
    settings: Settings,
    instead: str | None = None,
) -> None:
    """Refuse sampling settings beyond what the service allows.

    Parameters
    ----------
    instead
        What the client can do besides, to get what it asks for without sampling; None if nothing.

    Raises
    ------
    ConfigError
        Saying which is too much, how much is allowed, and what to send.
    """
    sampling = config.sampling
    usual = SamplingConfig()
    for name, allowed in (
        ("n_trajectories", settings.max_trajectories),
        ("max_tokens", settings.max_continuation_tokens),
    ):
        got = getattr(sampling, name)
        if got > allowed:
            default = " (as in requests without it)" if got == getattr(usual, name) else ""
            other = f" where the call takes it, or {instead}" if instead else ""
            raise ConfigError(
                f"{name} is {got}{default}; this service allows at most {allowed}: send {name} of "
                f"at most {allowed}{other}",
                name,
            )


def check_usual(plan: ScoringPlan, settings: Settings) -> None:
    """Refuse limits by which every request that says nothing of how to compare is refused.

    A smaller number in silence would be another scale.

    Parameters
    ----------
    plan
        Of such requests.

    Raises
    ------
    ConfigError
        Saying which limit it is, what the preset needs, and what to set.
    """
    if plan.by_vectors:
        return
    sampling = plan.config.sampling
    for name, needed in (
        ("max_trajectories", sampling.n_trajectories),
        ("max_continuation_tokens", sampling.max_tokens),
        ("max_request_tokens", READINGS_OF_A_PAIR * tokens_of_text(plan.config)),
    ):
        allowed = getattr(settings, name)
        if allowed < needed:
            raise ConfigError(
                f"{name} is {allowed}, and a pair by preset {plan.preset} needs {needed}: each "
                "request that names no preset would be refused; give "
                f"--{name.replace('_', '-')} {needed} or more, or a --preset or --vectors of "
                "meaning vectors"
            )


def check_cost(
    plan: ScoringPlan,
    pairs: Sequence[GivenPair],
    settings: Settings,
    instead: str | None = None,
) -> int:
    """Return what pairs of texts cost to compare, if that is no more than the service allows.

    `instead` is as in `check_settings`.

    Raises
    ------
    RequestTooLargeError, ConfigError
        Saying what is too much, and how much is allowed.
    """
    if plan.by_vectors:
        texts = {text for pair in pairs for text in pair}
        return check_texts(texts, settings, truncate=plan.truncate)
    return check_pairs(pairs, plan.config, settings, plan.truncate, instead)


def check_pairs(
    pairs: Sequence[GivenPair],
    config: ComparisonConfig,
    settings: Settings,
    truncate: str = REFUSE,
    instead: str | None = None,
) -> int:
    """Return what pairs cost by trajectories, if that is no more than the service allows.

    `instead` is as in `check_settings`.

    Raises
    ------
    RequestTooLargeError, ConfigError
        Saying what is too much, and how much is allowed.
    """
    check_settings(config, settings, instead=instead)
    numbers = {text: i for i, text in enumerate(dict.fromkeys(t for pair in pairs for t in pair))}
    reading = check_texts(numbers, settings, truncate=truncate)
    blocks = blocks_of_pairs((numbers[u], numbers[v]) for u, v in pairs)
    crossed = sum(u != v for u, v in blocks)
    tokens = (len(numbers) + crossed) * tokens_of_text(config)
    check_tokens(tokens, settings)
    return reading + COST_OF_TOKEN * tokens


def check_sampling(
    texts: Sequence[str], config: ComparisonConfig, settings: Settings, truncate: str = REFUSE
) -> int:
    """Return what it costs to sample from texts, if that is no more than the service allows.

    Raises
    ------
    RequestTooLargeError, ConfigError
        Saying what is too much, and how much is allowed.
    """
    check_settings(config, settings)
    reading = check_texts(texts, settings, truncate=truncate)
    tokens = len(set(texts)) * tokens_of_text(config)
    check_tokens(tokens, settings)
    return reading + COST_OF_TOKEN * tokens


def check_scoring(
    texts: Sequence[str],
    continuations: Sequence[str | TokenIds],
    settings: Settings,
    truncate: str = REFUSE,
) -> int:
    """Return what it costs to score continuations, if that is no more than the service allows.

    Raises
    ------
    RequestTooLargeError
        Saying what is too much, and how much is allowed.
    """
    reading = check_texts(texts, settings, truncate=truncate)
    check_texts([c for c in continuations if isinstance(c, str)], settings)
    # A character is a token at most in no tokenizer but of bytes; a bound is enough here.
    tokens = sum(
        len(c.encode(errors="replace")) if isinstance(c, str) else len(c) for c in continuations
    )
    check_tokens(len(set(texts)) * tokens, settings)
    return reading + len(set(texts)) * tokens


def check_texts(
    texts: Iterable[Hashable], settings: Settings, most: int | None = None, truncate: str = REFUSE
) -> int:
    """Return what it costs to read texts, if they are no more and no longer than is allowed.

    What is no text, as an image, is one of no length. Texts that repeat count once, as they are
    computed once.

    Parameters
    ----------
    most
        Texts that are allowed; None is for `max_texts`.
    truncate
        What is done with texts that are too long: those that will be cut may have any length.

    Raises
    ------
    RequestTooLargeError
        Saying what is too much, and how much is allowed.
    """
    texts = tuple(dict.fromkeys(texts))
    refuse_above(len(texts), settings.max_texts if most is None else most, "different texts")
    if truncate == REFUSE:
        longest = max((text for text in texts if isinstance(text, str)), key=len, default="")
        where = f"characters in the text that begins {longest[:40]!r}"
        refuse_above(len(longest), settings.max_characters, where, longest)
    return sum(map(reading_cost, texts))


def check_tokens(tokens: int, settings: Settings) -> None:
    """Refuse too many tokens.

    Raises
    ------
    RequestTooLargeError
        Saying how many, and how many are allowed.
    """
    refuse_above(
        tokens,
        settings.max_request_tokens,
        "tokens to sample and score (texts and their pairs × n_trajectories × max_tokens, of which "
        f"{SamplingConfig.n_trajectories} and {SamplingConfig.max_tokens} hold in requests without "
        "them)",
    )


def check_cells(cells: int, settings: Settings) -> None:
    """Refuse too many cells: pairs of rows and columns, or of texts and continuations.

    Raises
    ------
    RequestTooLargeError
        Saying how many, and how many are allowed.
    """
    refuse_above(cells, settings.max_cells, "cells (rows × columns, or texts × continuations)")


def check_answer(size: float, settings: Settings) -> None:
    """Refuse a request whose answer would have more than so many bytes, about.

    Raises
    ------
    RequestTooLargeError
        Saying how many, and how many are allowed.
    """
    refuse_above(int(size), settings.max_answer_bytes, "bytes of answer, about")


def refuse_above(
    got: int, allowed: int, what: str, text: str | None = None, param: str | None = None
) -> None:
    """Refuse a request that has more of something than is allowed.

    `text` is that which has more, where it is one; `param` is the field, where it is one.

    Raises
    ------
    RequestTooLargeError
        Saying how much, and how much is allowed.
    """
    if got > allowed:
        raise RequestTooLargeError(
            f"the request has {got} {what}; at most {allowed} are allowed here, so send less",
            text,
            param,
        )
