"""The groups of features that the presets compare by, chosen on STS-B dev and SICK dev.

docs/log.md has what was tried.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from math import inf
from typing import Any

from similarity.errors import ConfigError, InputError
from similarity.models.base import Ability, LanguageModel
from similarity.presets import no_vectors
from similarity.prompts import PROMPTS, Prompt
from similarity.validation import given_number
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


@dataclass(frozen=True)
class Recipe:
    """The settings of the vectors of a model, and what its context is too short for.

    Parameters
    ----------
    config
        None where no group is left that the model reads: the texts' own words say nothing of it.
    short
        Which groups are left out as the context is too short, with the tokens that they need;
        empty where none is.
    """

    config: VectorConfig | None
    short: str = ""


def recipe_of(model: LanguageModel) -> Recipe:
    """Return the settings of the vectors of a model.

    A group whose prompt takes more than half of the model's context is left out.
    """
    full = _full_config(model)
    needed = {group: _tokens_needed(model, group) for group in full.groups}
    room = model.info.context_length
    groups = tuple(group for group, tokens in needed.items() if tokens <= room)
    short = {group.name: n for group, n in needed.items() if room < n < inf}
    read = any(isinstance(group, Prompted) for group in groups)
    return Recipe(VectorConfig(groups=groups) if read else None, _too_short(room, short))


def default_config(model: LanguageModel) -> VectorConfig:
    """Return the settings of `recipe_of`.

    Raises
    ------
    ConfigError
        If there are none.
    """
    recipe = recipe_of(model)
    if recipe.config is None:
        raise ConfigError(no_vectors(recipe.short))
    return recipe.config


def _full_config(model: LanguageModel) -> VectorConfig:
    """Return the settings for what a model gives, however short its context is."""
    if {Ability.NEXT_STATES, Ability.OUTPUT_HEAD} <= model.abilities:
        return FULL
    if Ability.TOKEN_LOG_PROBS in model.abilities:
        return over_tokens(FULL, SERVED_TOKENS)
    if Ability.NEXT_STATES in model.abilities:
        return over_states(FULL)
    # Every other model scores continuations.
    return VectorConfig(groups=(TRAJECTORIES,))


def config_for(model: LanguageModel) -> VectorConfig:
    """Return the settings of the vectors that `trajsim fit` makes of a model's.

    Without reference trajectories, which take far longer, unless the model gives nothing else.
    """
    config = default_config(model)
    kept = [name for name in config.names if name != TRAJECTORIES.name]
    return config.only(*kept)


def _tokens_needed(model: LanguageModel, group: GroupConfig) -> float:
    """Return how long a context must be for the group's prompt and a text as long as it."""
    if not isinstance(group, Prompted):
        return 0
    try:
        return 2 * len(model.encode(group.prompt.apply("a")))
    except InputError:
        return inf  # a model of few characters, which cannot read the prompt


def _too_short(room: int, needed: Mapping[str, float]) -> str:
    if not needed:
        return ""
    each = ", ".join(f"{name} needs {tokens}" for name, tokens in needed.items())
    longest = max(needed.values())
    # A server that generates keeps one token of its context for itself.
    return (
        f"the model takes {room} tokens, and {each}; use a longer context, which a vLLM server "
        f"has by --max-model-len {longest + 1}, or another model"
    )


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
        trigrams = given_number("trigrams", trigrams, at_least=0)
        others = [group for group in others if not isinstance(group, TrigramsConfig)]
        others += [replace(TRIGRAMS, weight=trigrams)] if trigrams > 0 else []
    return VectorConfig(groups=(*profiles, *others))


def _with_profiles(config: VectorConfig, **settings: Any) -> VectorConfig:
    groups = [
        replace(group, **settings) if isinstance(group, OfModel) else group
        for group in config.groups
    ]
    return VectorConfig(groups=tuple(groups))
