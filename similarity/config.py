"""The settings of a comparison: small frozen values, checked at birth."""

from dataclasses import asdict, dataclass, field, replace
from typing import Any, Literal, Protocol, Self, get_args

from similarity.distances import DISTANCES
from similarity.law import Law
from similarity.prompts import PROMPTS, Prompt
from similarity.validation import check_choice, check_integer

ScoreLaw = Literal["sampling", "model"]

# Above these the setting is a slip of the keyboard rather than a wish.
MAX_TRAJECTORIES = 10_000
MAX_TOKENS = 4_096


class Settings(Protocol):
    """What a score depends on besides the model and the texts, whichever way they are compared."""

    def to_dict(self) -> dict[str, Any]:
        """Return all of it as plain nested values, the distance's name as "distance"."""

    def describe(self) -> str:
        """Return what matters most of it, for a person."""


@dataclass(frozen=True, kw_only=True)
class SamplingConfig:
    """How the trajectories of a text are sampled.

    Parameters
    ----------
    n_trajectories
        Continuations of each text: n of the paper.
    max_tokens
        Length at which a continuation that has not ended is cut: m of the paper.
    law
        What each next token is drawn from.
    seed
        Of the run; a text's noise depends on it and on the text alone.
    """

    n_trajectories: int = 20
    max_tokens: int = 20
    law: Law = field(default_factory=Law)
    seed: int = 0

    def __post_init__(self) -> None:
        check_integer("n_trajectories", self.n_trajectories, at_least=1, at_most=MAX_TRAJECTORIES)
        check_integer("max_tokens", self.max_tokens, at_least=1, at_most=MAX_TOKENS)
        check_integer("seed", self.seed, at_least=0, at_most=2**63 - 1)


@dataclass(frozen=True, kw_only=True)
class ComparisonConfig:
    """Everything that a score depends on besides the model and the two texts.

    Parameters
    ----------
    sampling
        How trajectories are drawn.
    prompt
        What is put around a text before it is continued.
    distance
        A name in `similarity.distances.DISTANCES`.
    score_law
        "sampling" scores under the law that was sampled from; "model" under the model
        itself (temperature 1, nothing truncated) whatever was sampled from.
    """

    sampling: SamplingConfig = field(default_factory=SamplingConfig)
    prompt: Prompt = field(default_factory=Prompt)
    distance: str = "l1"
    score_law: ScoreLaw = "sampling"

    def __post_init__(self) -> None:
        check_choice("distance", self.distance, DISTANCES)
        check_choice("score_law", self.score_law, get_args(ScoreLaw))

    @property
    def scoring_law(self) -> Law:
        """The law that likelihoods are computed under."""
        return self.sampling.law if self.score_law == "sampling" else Law()

    @classmethod
    def build(
        cls,
        *,
        prompt: str | Prompt = "none",
        full_stop: bool = True,
        distance: str = "l1",
        score_law: ScoreLaw = "sampling",
        temperature: float = 1.0,
        top_k: int = 0,
        top_p: float = 1.0,
        **sampling: int,
    ) -> Self:
        """Make a configuration from flat settings, as the command line and the service have them.

        Raises
        ------
        ConfigError
            For a value out of range or an unknown name.
        """
        law = Law(temperature=temperature, top_k=top_k, top_p=top_p)
        if isinstance(prompt, str):
            check_choice("prompt", prompt, PROMPTS)
            prompt = replace(PROMPTS[prompt], full_stop=full_stop)
        return cls(
            sampling=SamplingConfig(law=law, **sampling),
            prompt=prompt,
            distance=distance,
            score_law=score_law,
        )

    def to_dict(self) -> dict[str, Any]:
        """Return the settings as plain nested values, for a fingerprint or a file."""
        return asdict(self)

    def describe(self) -> str:
        """Return the settings that matter most, for a person."""
        sampling = self.sampling
        return (
            f"{sampling.n_trajectories} trajectories a text, at most {sampling.max_tokens} tokens, "
            f"seed {sampling.seed}"
        )
