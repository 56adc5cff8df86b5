"""The settings of meaning vectors: one frozen value, checked at birth."""

from dataclasses import asdict, dataclass, field, replace
from typing import Any, Self

from similarity.errors import ConfigError
from similarity.prompts import Prompt
from similarity.validation import check_integer, check_number

# What a text is described by; each is whitened on its own and has a weight of that name.
GROUPS = ("trajectories", "distributions", "states", "trigrams")

# The second prompt of the paper, without its last space: a tokenizer of byte pairs joins a space
# to the word that follows, so that after a lone space it has seen next to nothing follow.
IMPLIES = Prompt(after=" This sentence implies")


@dataclass(frozen=True, kw_only=True)
class VectorConfig:
    """Everything that a meaning vector depends on besides the model, the corpus and the text.

    Parameters
    ----------
    trajectories
        Weight of the log-probabilities of the reference trajectories, one for each token.
    distributions
        Weight of the square roots of the whole next-token distributions along them, each
        projected at random.
    states
        Weight of the mean of the hidden states of the text's own tokens, each by how rare it is.
    trigrams
        Weight of the character trigrams of the text's own words, each by how rare it is: no model
        reads them, and they know every name and number that a small one does not.
        The cosine of two vectors is the mean of the groups' own cosines by these weights; 0 leaves
        a group out.
    n_references, reference_tokens
        How many reference trajectories there are, and how long they are.
    projection
        Coordinates that are kept of one next-token distribution.
    top_k
        How many of the most probable tokens are read of one, the others counting as if they had
        no probability; 0 reads all. A model server tells no more than some.
    smoothing
        a of the weight a / (a + p) of a token in the mean of states, and of a trigram, p its
        frequency in the corpus (smooth inverse frequency; Arora, Liang and Ma 2017).
    trigram_width
        Coordinates that trigrams are hashed to.
    prompt
        Put around a text before the trajectories; the states are of the text without it.
    shrinkage
        Of the covariance towards a multiple of the identity, λ of `similarity.vectors.whitening`.
    rank
        Directions that are kept of each group, at most.
    seed
        Of the reference trajectories and of the projection.
    """

    trajectories: float = 0.0
    distributions: float = 1.0
    states: float = 0.5
    trigrams: float = 2.0
    n_references: int = 8
    reference_tokens: int = 4
    projection: int = 64
    top_k: int = 0
    smoothing: float = 1e-3
    trigram_width: int = 1024
    prompt: Prompt = field(default=IMPLIES)
    shrinkage: float = 0.05
    rank: int = 768
    seed: int = 0

    def __post_init__(self) -> None:
        for group in GROUPS:
            check_number(group, getattr(self, group), at_least=0, at_most=1e6)
        if not self.groups:
            raise ConfigError(f"at least one of {', '.join(GROUPS)} must have a weight above 0")
        check_integer("n_references", self.n_references, at_least=1, at_most=1_000)
        check_integer("reference_tokens", self.reference_tokens, at_least=1, at_most=1_000)
        check_integer("projection", self.projection, at_least=1, at_most=4_096)
        check_integer("top_k", self.top_k, at_least=0, at_most=1_000_000)
        check_number("smoothing", self.smoothing, at_least=1e-9, at_most=1e9)
        check_integer("trigram_width", self.trigram_width, at_least=1, at_most=32_768)
        check_number("shrinkage", self.shrinkage, at_least=0, at_most=1)
        check_integer("rank", self.rank, at_least=1, at_most=1_000_000)
        check_integer("seed", self.seed, at_least=0, at_most=2**63 - 1)

    @property
    def groups(self) -> tuple[str, ...]:
        """The groups that have a weight."""
        return tuple(group for group in GROUPS if self.weight(group) > 0)

    def weight(self, group: str) -> float:
        """Return the weight of a group."""
        return float(getattr(self, group))

    def only(self, *groups: str) -> Self:
        """Return these settings with the other groups left out.

        Raises
        ------
        ConfigError
            If one of these has no weight.
        """
        for group in groups:
            if group not in self.groups:
                raise ConfigError(
                    f"these vectors have no {group}; they have {', '.join(self.groups)}. "
                    "Fit others to have it"
                )
        left_out: dict[str, Any] = {name: 0.0 for name in GROUPS if name not in groups}
        return replace(self, **left_out)

    def to_dict(self) -> dict[str, Any]:
        """Return the settings as plain nested values, for a fingerprint or a file."""
        return asdict(self)

    @classmethod
    def from_dict(cls, content: dict[str, Any]) -> Self:
        """Return the settings that `to_dict` gave."""
        return cls(**{**content, "prompt": Prompt(**content["prompt"])})


# By the names that users give. A server tells no hidden states and no whole distributions: "top"
# reads as many of the most probable tokens as it lists by default, and where it lists none
# "scored" has more and longer trajectories in the place of distributions.
FEATURE_SETS = {
    "full": VectorConfig(),
    "top": VectorConfig(states=0.0, top_k=20),
    "scored": VectorConfig(
        trajectories=1.0, distributions=0.0, states=0.0, n_references=16, reference_tokens=8
    ),
}
