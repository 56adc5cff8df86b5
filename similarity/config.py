"""The settings of a comparison: small frozen values, checked at birth."""

from dataclasses import asdict, dataclass, field, replace
from typing import Any, Literal, Protocol, Self, get_args

from similarity.errors import ConfigError
from similarity.estimators.table import (
    ESTIMATORS,
    NULL_TEXT,
    WITHOUT_BANK,
    Estimator,
    get_estimator,
)
from similarity.fields import Setting, keep_settings, setting, settings_of
from similarity.law import Law
from similarity.prompts import PROMPTS, Prompt
from similarity.validation import check_choice, check_kind

ScoreLaw = Literal["sampling", "model"]
SCORE_LAWS: tuple[ScoreLaw, ...] = get_args(ScoreLaw)

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

    n_trajectories: int = setting(
        20, "Sample so many continuations of each text.", at_least=1, at_most=MAX_TRAJECTORIES
    )
    max_tokens: int = setting(
        20, "Cut a continuation at so many tokens.", at_least=1, at_most=MAX_TOKENS
    )
    law: Law = field(default_factory=Law)
    seed: int = setting(
        0, "Draw other continuations with another seed.", at_least=0, at_most=2**63 - 1
    )

    def __post_init__(self) -> None:
        check_kind("law", self.law, Law, "a Law")
        keep_settings(self)


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
        A name in `similarity.estimators.table.ESTIMATORS`.
    score_law
        "sampling" scores under the law that was sampled from; "model" under the model
        itself (temperature 1, nothing truncated) whatever was sampled from.
    bank
        Texts that a relative distance takes meaning relative to; none is a text that says nothing.
        "whitened-cosine" needs two different texts or more.
    """

    sampling: SamplingConfig = field(default_factory=SamplingConfig)
    prompt: Prompt = field(default_factory=Prompt)
    distance: str = setting(
        "l1",
        "Measure by this distance, made of the trajectories.",
        choices=WITHOUT_BANK,
        in_python=ESTIMATORS,
    )
    score_law: ScoreLaw = setting(
        "sampling",
        "Score under the law that was sampled from, or under the model as it is.",
        choices=SCORE_LAWS,
    )
    bank: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        check_kind("sampling", self.sampling, SamplingConfig, "a SamplingConfig")
        check_kind("prompt", self.prompt, Prompt, "a Prompt")
        check_kind("bank", self.bank, tuple, "a tuple of texts")
        for text in self.bank:
            check_kind("a text of the bank", text, str, "a string")
        keep_settings(self)
        if self.bank and not self.estimator.relative:
            raise ConfigError(f"distance {self.distance} is not relative to texts; give no bank")
        if self.estimator.needs_bank and len(set(self.bank)) < 2:
            raise ConfigError(
                f"distance {self.distance} needs a bank of two different texts or more, got "
                f"{len(set(self.bank))}; give them as bank=(…), or take another distance, such as "
                "centred-cosine",
                "bank",
            )

    @property
    def estimator(self) -> Estimator:
        """Return the estimator that the distance names."""
        return get_estimator(self.distance)

    @property
    def relative_to(self) -> tuple[str, ...]:
        """Return the texts that meaning is relative to; empty where it is not."""
        return (self.bank or (NULL_TEXT,)) if self.estimator.relative else ()

    @property
    def scoring_law(self) -> Law:
        """Return the law that likelihoods are computed under."""
        return self.sampling.law if self.score_law == "sampling" else Law()

    @classmethod
    def build(cls, *, prompt: str | Prompt | None = None, **flat: Any) -> Self:
        """Make a configuration from flat settings, as the command line and the service have them.

        Parameters
        ----------
        prompt
            A name in `similarity.prompts.PROMPTS`, or one's own.
        flat
            Of the names in `COMPARISON_SETTINGS`; each that is missing has its default.

        Raises
        ------
        ConfigError
            For a value out of range or an unknown name.
        """
        unknown = sorted(flat.keys() - COMPARISON_SETTINGS.keys())
        if unknown:
            allowed = ", ".join(COMPARISON_SETTINGS)
            raise ConfigError(f"unknown setting {unknown[0]!r}; allowed: {allowed}")
        return cls(
            sampling=SamplingConfig(
                law=Law(**_named(Law, flat)),
                **_named(SamplingConfig, flat),
            ),
            prompt=_prompt(prompt, flat),
            **_named(cls, flat),
        )

    def to_dict(self) -> dict[str, Any]:
        """Return the settings as plain nested values, for a fingerprint or a file."""
        content = asdict(self)
        # Where nothing depends on it, it is no part of what identifies a score.
        del content["bank"]
        return content | ({"bank": list(self.relative_to)} if self.relative_to else {})

    def describe(self) -> str:
        """Return the settings that matter most, for a person."""
        sampling = self.sampling
        return (
            f"{sampling.n_trajectories} trajectories a text, at most {sampling.max_tokens} tokens, "
            f"seed {sampling.seed}"
        )


# What is put around each text, by the name of a prompt.
_PROMPT = Setting(
    name="prompt",
    default=next(iter(PROMPTS)),
    help="Put the prompt of this name around each text.",
    choices=tuple(PROMPTS),
)
# Every setting of a comparison by its flat name: the options of the command line, the fields of
# requests, and what `ComparisonConfig.build` takes.
COMPARISON_SETTINGS = {
    **settings_of(SamplingConfig, Law, ComparisonConfig),
    _PROMPT.name: _PROMPT,
    **settings_of(Prompt),
}


def _named(settings: type, flat: dict[str, Any]) -> dict[str, Any]:
    """Return the part of flat settings that the fields of a dataclass declare."""
    return {name: flat[name] for name in settings_of(settings) if name in flat}


def _prompt(prompt: str | Prompt | None, flat: dict[str, Any]) -> Prompt:
    if isinstance(prompt, Prompt):
        return prompt
    if prompt is None:
        prompt = str(_PROMPT.default)
    check_choice("prompt", prompt, PROMPTS)
    return replace(PROMPTS[prompt], **_named(Prompt, flat))
