"""The settings of meaning vectors: the groups of features that they are joined of."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any, ClassVar, Self

from similarity.errors import ConfigError
from similarity.fields import keep_integer, keep_number
from similarity.prompts import PROMPTS, Prompt
from similarity.validation import check_kind


@dataclass(frozen=True, kw_only=True)
class GroupConfig:
    """What is common to all groups of features.

    Parameters
    ----------
    name
        By which users and files know the group.
    weight
        The cosine of two vectors is the mean of the groups' own cosines by these weights; a kind
        may add to it for some texts.
    shrinkage
        λ of the whitening: 0 whitens fully, 1 only centres (`similarity.vectors.whitening`).
    rank
        Directions kept, those of most variance first; None keeps all.
    """

    kind: ClassVar[str]

    name: str
    weight: float = 1.0
    shrinkage: float = 1.0
    rank: int | None = None

    def __post_init__(self) -> None:
        check_kind("name", self.name, str, "a string")
        keep_number(self, "weight", at_least=1e-6, at_most=1e6)
        keep_number(self, "shrinkage", at_least=0, at_most=1)
        if self.rank is not None:
            keep_integer(self, "rank", at_least=1, at_most=1_000_000)

    def to_dict(self) -> dict[str, Any]:
        """Return the settings as plain nested values, for a fingerprint or a file."""
        return {"kind": self.kind, **asdict(self)}


@dataclass(frozen=True, kw_only=True)
class ProfileConfig(GroupConfig):
    """The log-likelihood profile of a text: log P of every next token after a prompt.

    Parameters
    ----------
    prompt
        Put around the text.
    tokens
        How many tokens of the vocabulary are looked at, chosen by a hash; 0 looks at all of them,
        by the state before the output head.
    """

    kind: ClassVar[str] = "profile"

    name: str = "profile"
    shrinkage: float = 0.9
    prompt: Prompt = field(default_factory=lambda: PROMPTS["one-word"])
    tokens: int = 0

    def __post_init__(self) -> None:
        super().__post_init__()
        check_kind("prompt", self.prompt, Prompt, "a Prompt")
        keep_integer(self, "tokens", at_least=0, at_most=1_000_000)
        if self.tokens == 1:
            raise ConfigError("tokens must be 0, for all, or at least 2, got 1")


@dataclass(frozen=True, kw_only=True)
class StatesConfig(GroupConfig):
    """The state of a model after a prompt, for models that give states and no words.

    Parameters
    ----------
    prompt
        Put around the text.
    """

    kind: ClassVar[str] = "states"

    name: str = "profile"
    shrinkage: float = 0.9
    prompt: Prompt = field(default_factory=lambda: PROMPTS["one-word"])

    def __post_init__(self) -> None:
        super().__post_init__()
        check_kind("prompt", self.prompt, Prompt, "a Prompt")


@dataclass(frozen=True, kw_only=True)
class TrigramsConfig(GroupConfig):
    """The character trigrams of a text's own words, which no model reads.

    Parameters
    ----------
    width
        Coordinates that trigrams are hashed to.
    smoothing
        a of the weight a / (a + p) of a trigram, p its frequency in the corpus (smooth inverse
        frequency; Arora, Liang and Ma 2017).
    names
        Added to the weight of a text in proportion to the share of names and numbers among its
        words, which models know less of than of other words.
    """

    kind: ClassVar[str] = "trigrams"

    name: str = "trigrams"
    shrinkage: float = 0.05
    width: int = 1024
    smoothing: float = 1e-3
    names: float = 0.0

    def __post_init__(self) -> None:
        super().__post_init__()
        keep_number(self, "names", at_least=0, at_most=1e6)
        keep_integer(self, "width", at_least=1, at_most=32_768)
        keep_number(self, "smoothing", at_least=1e-9, at_most=1e9)


@dataclass(frozen=True, kw_only=True)
class TrajectoriesConfig(GroupConfig):
    """Log-likelihoods of reference trajectories, sampled once from general text.

    Parameters
    ----------
    prompt
        Put around a text, and around those that are sampled from.
    references, length
        How many trajectories there are at most, and their tokens.
    first_tokens
        How many there are at most of one token: after the prompt they cost nothing more.
    seed
        Of the sampling.
    """

    kind: ClassVar[str] = "trajectories"

    name: str = "trajectories"
    shrinkage: float = 0.4
    prompt: Prompt = field(default_factory=lambda: PROMPTS["essence"])
    references: int = 48
    length: int = 3
    first_tokens: int = 128
    seed: int = 0

    def __post_init__(self) -> None:
        super().__post_init__()
        check_kind("prompt", self.prompt, Prompt, "a Prompt")
        keep_integer(self, "references", at_least=0, at_most=10_000)
        keep_integer(self, "length", at_least=2, at_most=1_000)
        keep_integer(self, "first_tokens", at_least=0, at_most=10_000)
        keep_integer(self, "seed", at_least=0, at_most=2**63 - 1)
        if self.references + self.first_tokens < 2:
            raise ConfigError("there must be at least two reference trajectories")


KINDS: Mapping[str, type[GroupConfig]] = {
    config.kind: config
    for config in (ProfileConfig, StatesConfig, TrigramsConfig, TrajectoriesConfig)
}
# Those that put a prompt around a text.
Prompted = ProfileConfig | StatesConfig | TrajectoriesConfig


@dataclass(frozen=True, kw_only=True)
class VectorConfig:
    """Everything that a meaning vector depends on besides the model, the corpus and the text."""

    groups: tuple[GroupConfig, ...]

    def __post_init__(self) -> None:
        check_kind("groups", self.groups, tuple, "a tuple of settings such as ProfileConfig")
        for group in self.groups:
            check_kind("a group", group, GroupConfig, "settings such as ProfileConfig")
        if not self.groups:
            raise ConfigError("meaning vectors need at least one group of features")
        if len(set(self.names)) < len(self.groups):
            raise ConfigError(f"groups must have different names, got {', '.join(self.names)}")

    @property
    def names(self) -> tuple[str, ...]:
        """Return the names of the groups."""
        return tuple(group.name for group in self.groups)

    def only(self, *names: str) -> Self:
        """Return these settings with the other groups left out; all, where none is named.

        Raises
        ------
        ConfigError
            If there is no group of such a name.
        """
        if not names:
            return self
        missing = [name for name in names if name not in self.names]
        if missing:
            raise ConfigError(
                f"these vectors have no {missing[0]}; they have {', '.join(self.names)}. Fit "
                "others to have it"
            )
        return type(self)(groups=tuple(group for group in self.groups if group.name in names))

    def to_dict(self) -> dict[str, Any]:
        """Return the settings as plain nested values, for a fingerprint or a file."""
        return {"groups": [group.to_dict() for group in self.groups]}

    @classmethod
    def from_dict(cls, content: Mapping[str, Any]) -> Self:
        """Return the settings that `to_dict` gave."""
        return cls(groups=tuple(_group(dict(group)) for group in content["groups"]))


def _group(content: dict[str, Any]) -> GroupConfig:
    kind = content.pop("kind")
    if "prompt" in content:
        content["prompt"] = Prompt(**content["prompt"])
    return KINDS[kind](**content)
