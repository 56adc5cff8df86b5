"""The groups of features that the presets compare by, chosen on STS-B dev and SICK dev.

docs/log.md has what was tried.
"""

from dataclasses import replace
from math import inf
from typing import Any

from similarity.errors import ConfigError, InputError
from similarity.models.base import Ability, LanguageModel
from similarity.prompts import PROMPTS, Prompt
from similarity.vectors.config import (
    GroupConfig,
    ProfileConfig,
    Prompted,
    StatesConfig,
    TrajectoriesConfig,
    TrigramsConfig,
    VectorConfig,
)

# Tokens of the vocabulary that a profile from a server has: four requests of 128 for each text.
SERVED_TOKENS = 512

PROFILE = ProfileConfig(prompt=PROMPTS["essence"])
EXAMPLES = ProfileConfig(name="examples", prompt=PROMPTS["examples"])
TRIGRAMS = TrigramsConfig(weight=0.3, names=5.0)
TRAJECTORIES = TrajectoriesConfig()
# Groups of what the model predicts after a prompt.
OfModel = ProfileConfig | StatesConfig
FULL = VectorConfig(groups=(PROFILE, EXAMPLES, TRIGRAMS, TRAJECTORIES))


def default_config(model: LanguageModel) -> VectorConfig:
    """Return the settings of the vectors of a model.

    A profile whose prompt takes more than half of the model's context is left out.
    """
    groups = [group for group in FULL.groups if _fits(model, group)]
    if {Ability.NEXT_STATES, Ability.OUTPUT_HEAD} <= model.abilities:
        return VectorConfig(groups=tuple(groups))
    if Ability.TOKEN_LOG_PROBS in model.abilities:
        return over_tokens(VectorConfig(groups=tuple(groups)), SERVED_TOKENS)
    if Ability.NEXT_STATES in model.abilities:
        return over_states(VectorConfig(groups=tuple(groups)))
    # Every other model scores continuations.
    return VectorConfig(groups=(TRAJECTORIES,))


def config_for(model: LanguageModel) -> VectorConfig:
    """Return the settings of the vectors that `trajsim fit` makes of a model's.

    Without reference trajectories, which take far longer, unless the model gives nothing else.
    """
    config = default_config(model)
    kept = [name for name in config.names if name != TRAJECTORIES.name]
    return config.only(*kept)


def _fits(model: LanguageModel, group: GroupConfig) -> bool:
    if not isinstance(group, Prompted):
        return True
    try:
        return 2 * len(model.encode(group.prompt.apply("a"))) <= model.info.context_length
    except InputError:
        return False  # a model of few characters, which cannot read the prompt


def over_tokens(config: VectorConfig, tokens: int) -> VectorConfig:
    """Return settings whose profiles look at so many tokens of the vocabulary; 0 is all."""
    return _with_profiles(config, tokens=tokens)


def over_states(config: VectorConfig) -> VectorConfig:
    """Return settings for a model that gives states alone: without trajectories and words."""
    groups = [
        StatesConfig(name=group.name, weight=group.weight, rank=group.rank, prompt=group.prompt)
        if isinstance(group, ProfileConfig)
        else group
        for group in config.groups
        if not isinstance(group, TrajectoriesConfig)
    ]
    return VectorConfig(groups=tuple(groups))


def changed(
    config: VectorConfig,
    *,
    tokens: int | None = None,
    trigrams: float | None = None,
    shrinkage: float | None = None,
    prompt: Prompt | None = None,
) -> VectorConfig:
    """Return settings with the given values in place of their own.

    Parameters
    ----------
    tokens, shrinkage
        Of the profiles.
    trigrams
        The weight of the trigrams of texts without names and numbers; 0 leaves them out.
    prompt
        One profile, with this prompt, in place of all profiles.

    Raises
    ------
    ConfigError
        If tokens are given where the model gives states alone, or the weight is below 0.
    """
    if tokens is not None:
        if any(isinstance(group, StatesConfig) for group in config.groups):
            raise ConfigError(
                "tokens are of profiles, and this model gives its states alone; leave tokens out"
            )
        config = _with_profiles(config, tokens=tokens)
    if shrinkage is not None:
        config = _with_profiles(config, shrinkage=shrinkage)
    profiles = [group for group in config.groups if isinstance(group, OfModel)]
    others: list[GroupConfig] = [group for group in config.groups if not isinstance(group, OfModel)]
    if prompt is not None:
        profiles = [replace(profiles[0], prompt=prompt)]
    if trigrams is not None:
        if not 0 <= trigrams < inf:
            raise ConfigError(f"trigrams must be a number of 0 or more, got {trigrams:g}")
        others = [group for group in others if not isinstance(group, TrigramsConfig)]
        others += [replace(TRIGRAMS, weight=trigrams)] if trigrams > 0 else []
    return VectorConfig(groups=(*profiles, *others))


def _with_profiles(config: VectorConfig, **settings: Any) -> VectorConfig:
    groups = [
        replace(group, **settings) if isinstance(group, OfModel) else group
        for group in config.groups
    ]
    return VectorConfig(groups=tuple(groups))
