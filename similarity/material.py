"""The raw material of a comparison, for research: trajectories, and likelihoods of given ones."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from similarity.arrays import FloatArray
from similarity.config import ComparisonConfig
from similarity.errors import InputError
from similarity.given import check_several, given_strings
from similarity.likelihood import log_likelihoods
from similarity.models.base import Continuation, LanguageModel, TokenIds
from similarity.prompts import checked_continuation
from similarity.trajectories import Prefix, encode_prefixes, sample_trajectories


@dataclass(frozen=True, kw_only=True)
class SampledTrajectory:
    """A continuation of a text.

    `log_likelihood` is log M_s(t), the mean log-probability in nats per token. `ended` is whether
    the model ended it, rather than the length limit.
    """

    text: str
    token_ids: TokenIds
    log_likelihood: float
    ended: bool


def sample(
    model: LanguageModel, texts: Sequence[str], config: ComparisonConfig | None = None
) -> list[list[SampledTrajectory]]:
    """Return the trajectories of each text, shape "text trajectory"; a repeated text costs once.

    Raises
    ------
    InputError
        If a text is empty, not valid Unicode, or too long for the model.
    """
    texts, config = given_strings(texts), config or ComparisonConfig()
    model.check_scoring(config.scoring_law)
    encoded = encode_prefixes(model, texts, config.prompt, config.sampling.max_tokens)
    prefixes = list(dict.fromkeys(encoded))
    trajectories = sample_trajectories(model, prefixes, config)
    own = log_likelihoods(
        model,
        prefixes,
        trajectories,
        [(i, i) for i in range(len(prefixes))],
        config.scoring_law,
        sampling_law=config.sampling.law,
    )
    described = {
        prefix: [
            SampledTrajectory(
                text=model.decode(t.token_ids) if t.text is None else t.text,
                token_ids=t.token_ids,
                log_likelihood=float(mean),
                ended=t.ended,
            )
            for t, mean in zip(trajectories[i], own[i, i], strict=True)
        ]
        for i, prefix in enumerate(prefixes)
    }
    return [described[prefix] for prefix in encoded]


def likelihood_matrix(
    model: LanguageModel,
    texts: Sequence[str],
    continuations: Sequence[str | TokenIds],
    config: ComparisonConfig | None = None,
) -> FloatArray:
    """Return log M_s(t), nats per token, shape "text continuation", of given continuations.

    A continuation given as text is scored as it stands, right behind the text with its full
    stop and prompt: begin it with a space where one belongs. It has no end of sequence; give
    token ids (as `sample` returns them) to score that too.

    Raises
    ------
    InputError
        If a text or a continuation is empty, has NUL, is not valid Unicode, too long for the
        model, or has a token that the model does not know. A continuation, unlike a text, may
        be of white space alone.
    """
    texts, config = given_strings(texts), config or ComparisonConfig()
    model.check_scoring(config.scoring_law)
    given = token_ids_of(model, continuations)
    longest = max(map(len, given), default=1)
    encoded = encode_prefixes(model, texts, config.prompt, longest)
    prefixes = list(dict.fromkeys(encoded))
    # One imagined text has given all the continuations; every text is scored on them.
    imagined = [Continuation(token_ids=ids, log_probs=None, ended=False) for ids in given]
    scored = log_likelihoods(
        model,
        [*prefixes, Prefix("", ())],
        [*([] for _ in prefixes), imagined],
        [(i, len(prefixes)) for i in range(len(prefixes))],
        config.scoring_law,
        sampling_law=config.sampling.law,
    )
    rows = {prefix: scored[i, len(prefixes)] for i, prefix in enumerate(prefixes)}
    return np.stack([rows[prefix] for prefix in encoded])


def token_ids_of(
    model: LanguageModel, continuations: Sequence[str | TokenIds]
) -> tuple[TokenIds, ...]:
    """Return the token ids of continuations; raises InputError as `likelihood_matrix` does."""
    check_several(continuations, "continuations")
    return tuple(_continuation(model, continuation) for continuation in continuations)


def _continuation(model: LanguageModel, given: str | TokenIds) -> TokenIds:
    if not isinstance(given, str):
        check_several(given, "the token ids of a continuation")
        ids, most = tuple(given), model.vocab_size
        unknown = [i for i in ids if not _is_id(i, most)]
        if unknown:
            raise InputError(
                f"token id {unknown[0]!r} is not of this model's vocabulary; ids are whole numbers "
                f"from 0{f' to below {most}' if most else ''}"
            )
    else:
        ids = model.encode_continuation(checked_continuation(given))
    if not ids:
        raise InputError("a continuation is empty; give at least one token")
    if len(ids) >= (limit := model.info.context_length):
        raise InputError(
            f"a continuation has {len(ids)} tokens, and the model reads {limit}, with the text "
            "before it; give a shorter one",
            given if isinstance(given, str) else None,
        )
    return ids


def _is_id(value: object, most: int | None) -> bool:
    if isinstance(value, bool) or not isinstance(value, int | np.integer):
        return False
    return bool(value >= 0 and (most is None or value < most))
