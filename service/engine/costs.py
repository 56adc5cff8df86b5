"""What requests cost: how many tokens could be read in about the time that one takes.

The figures are of SmolLM2 on a CPU. They are known before any work, and on a service that is new:
they only tell long requests from short ones.
"""

from collections.abc import Collection, Hashable

from service.settings import Settings
from similarity.config import ComparisonConfig
from similarity.presets import PRESETS, default_preset

# So many tokens are read in the time in which one of trajectories is sampled or scored.
COST_OF_TOKEN = 8
# Of two texts that differ: each is sampled from, and scored after the other.
READINGS_OF_A_PAIR = 4
# A text by `meaning`, with the prompts before it; and each of its characters besides.
_COST_OF_TEXT = 200
_COST_OF_CHARACTER = 0.5
# To find a text's tokens takes so little of the time in which they are read.
_TOKENIZING = 1 / 100
# An image that is read in parts.
_COST_OF_IMAGE = 1_200
# To find the words that explain a pair of texts, to judge which of them entails the other, and to
# find the words of that. None is a call of the model, and nothing of it is kept.
_COST_OF_WORDS = 10
_COST_OF_JUDGEMENT = 20
_COST_OF_DECIDING_WORDS = 20
# Each different text's likelihood of all words, which both rest on.
_COST_OF_PROFILE = 10
# A short request costs no more: 35 sentences by `meaning`, or two texts of 7,000 characters.
_SHORT_COST = 8_192


def reading_cost(given: Hashable) -> int:
    """Return what it costs to read a text, or an image, which is what is no text."""
    if not isinstance(given, str):
        return _COST_OF_IMAGE
    return _COST_OF_TEXT + int(_COST_OF_CHARACTER * len(given))


def tokenizing_cost(reading: int) -> int:
    """Return what it costs to find the tokens of texts that cost so much to read."""
    return int(_TOKENIZING * reading)


def explaining_cost(pairs: Collection[tuple[Hashable, Hashable]]) -> int:
    """Return what it costs to find the words that explain pairs of texts, none of them twice."""
    return _profiles_cost(pairs) + _COST_OF_WORDS * len(pairs)


def judging_cost(pairs: Collection[tuple[str, str]], *, explain: bool) -> int:
    """Return what it costs to judge by profiles which text of each pair entails the other."""
    each = _COST_OF_JUDGEMENT + explain * _COST_OF_DECIDING_WORDS
    return _profiles_cost(pairs) + each * len(pairs)


def _profiles_cost(pairs: Collection[tuple[Hashable, Hashable]]) -> int:
    return _COST_OF_PROFILE * len({text for pair in pairs for text in pair})


def tokens_of_text(config: ComparisonConfig) -> int:
    """Return how many tokens the trajectories of a text have, at most."""
    return config.sampling.n_trajectories * config.sampling.max_tokens


def short_cost(settings: Settings, groups: Collection[str] | None) -> int:
    """Return what a short request costs at most; a pair by the service's own preset is one.

    `groups` are those of the service's vectors, None without vectors.
    """
    if PRESETS[settings.preset or default_preset(groups)].vectors:
        return _SHORT_COST
    return _SHORT_COST + COST_OF_TOKEN * READINGS_OF_A_PAIR * tokens_of_text(ComparisonConfig())
