"""The groups of features that the presets compare by, chosen on STS-B dev and SICK dev.

docs/log.md has what was tried.
"""

from collections.abc import Set as AbstractSet
from dataclasses import replace

from similarity.models.base import Ability
from similarity.prompts import PROMPTS
from similarity.vectors.config import ProfileConfig, TrigramsConfig, VectorConfig

# Tokens of the vocabulary that are asked of a server, four requests of 128 to each text.
SERVED_TOKENS = 512

PROFILE = ProfileConfig(prompt=PROMPTS["one-word"])
TRIGRAMS = TrigramsConfig(weight=0.4)
FULL = VectorConfig(groups=(PROFILE, TRIGRAMS))


def default_config(abilities: AbstractSet[Ability]) -> VectorConfig | None:
    """Return the settings of the vectors of a model that can do this, or None if it has none."""
    if {Ability.NEXT_STATES, Ability.OUTPUT_HEAD} <= abilities:
        return FULL
    if Ability.TOKEN_LOG_PROBS in abilities:
        return over_tokens(FULL, SERVED_TOKENS)
    return None


def over_tokens(config: VectorConfig, tokens: int) -> VectorConfig:
    """Return settings whose profiles look at so many tokens of the vocabulary."""
    groups = [
        replace(group, tokens=tokens) if isinstance(group, ProfileConfig) else group
        for group in config.groups
    ]
    return VectorConfig(groups=tuple(groups))
