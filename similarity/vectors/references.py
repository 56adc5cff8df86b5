"""The reference trajectories that all texts are scored on: sampled once, from unlabelled text."""

from collections.abc import Sequence
from dataclasses import dataclass

from similarity.errors import InputError
from similarity.law import Law
from similarity.models.base import LanguageModel, SampleRequest, ScoreRequest, TokenIds
from similarity.noise import text_key
from similarity.trajectories import encode_prefixes
from similarity.vectors.config import VectorConfig

# Texts to sample from for each trajectory that is wanted: some end too soon, or repeat.
CANDIDATES = 8


@dataclass(frozen=True)
class References:
    """Trajectories, shape "trajectory token", and the text that each was sampled from."""

    continuations: tuple[TokenIds, ...]
    sources: tuple[str, ...]

    def requests(self, prefixes: Sequence[TokenIds]) -> list[ScoreRequest]:
        """Return what to ask of a model about texts with these prefixes."""
        return [ScoreRequest(prefix=p, continuations=self.continuations) for p in prefixes]

    @property
    def places(self) -> list[TokenIds]:
        """What stands before each next-token distribution; the first is before them all."""
        within = [ids[:end] for ids in self.continuations for end in range(1, len(ids))]
        return [(), *within]


def sample_references(
    model: LanguageModel, texts: Sequence[str], config: VectorConfig
) -> References:
    """Sample one trajectory of full length from each text, until there are enough.

    All trajectories have one length, so that a coordinate stands for the same place in each,
    and none ends: what follows an end of sequence is no continuation.

    Raises
    ------
    InputError
        If the texts give too few different ones.
    """
    prefixes = encode_prefixes(model, texts, config.prompt, config.reference_tokens)
    requests = [
        SampleRequest(
            prefix=prefix.token_ids,
            n=1,
            max_tokens=config.reference_tokens,
            key=text_key(config.seed, prefix.text),
        )
        for prefix in prefixes
    ]
    found: dict[TokenIds, str] = {}
    for text, (sampled,) in zip(texts, model.sample(requests, Law()), strict=True):
        ids = sampled.token_ids
        if len(ids) == config.reference_tokens and not model.end_ids.intersection(ids):
            found.setdefault(ids, text)
        if len(found) == config.n_references:
            return References(tuple(found), tuple(found.values()))
    raise InputError(
        f"{len(texts)} texts give {len(found)} different trajectories of "
        f"{config.reference_tokens} tokens, {config.n_references} are wanted; give more texts, "
        "or lower n_references or reference_tokens"
    )
