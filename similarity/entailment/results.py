"""What a judgement of entailment gives back: plain values, and how they become JSON."""

from collections.abc import Callable
from dataclasses import asdict, dataclass, field
from typing import Any, Literal, NoReturn

from similarity.config import Settings
from similarity.errors import UnsupportedError
from similarity.fingerprint import Fingerprint
from similarity.vectors.implied import ImpliedWords

Verdict = Literal["first entails second", "second entails first", "both", "neither"]
FORWARD: Verdict = "first entails second"
BACKWARD: Verdict = "second entails first"
BOTH: Verdict = "both"
NEITHER: Verdict = "neither"


@dataclass(frozen=True)
class Thresholds:
    """What degrees mean, from pairs of unrelated general sentences.

    Parameters
    ----------
    related
        The degree that one in a hundred unrelated pairs reaches in its better direction.
    same
        Half-way from there to 1: what both directions must reach for one meaning.
    """

    related: float
    same: float


@dataclass(frozen=True)
class DecidingWords:
    """Gives so many words of each kind that decide, by a model of this process.

    A pickled one leaves the model behind, and refuses.
    """

    find: Callable[[int], ImpliedWords] = field(repr=False)

    def __call__(self, top: int) -> ImpliedWords:
        """Return the words; raise UnsupportedError where it was pickled."""
        return self.find(top)

    def __reduce__(self) -> tuple[Any, ...]:
        """Return how to pickle it: without the model."""
        return DecidingWords, (_without_model,)


def _without_model(_top: int) -> NoReturn:
    raise UnsupportedError(
        "a judgement that was pickled has left its model behind, and with it the words that "
        "decide; call explain(top) before it is pickled, and send what that returns"
    )


@dataclass(frozen=True, kw_only=True)
class Entailment:
    """Which of two texts entails the other.

    Parameters
    ----------
    forward, backward
        Degrees in [0, 1] to which the first entails the second, and the second the first.
    inclusion, evenness
        The two parts of the direction, nats.
    interval
        Of the direction, over blocks of tokens or over trajectories.
    explain
        Gives the words that decide, by the model; None where trajectories were compared.
    warnings
        What to know of the texts, as that one was cut.
    """

    texts: tuple[str, str]
    estimator: str
    forward: float
    backward: float
    inclusion: float
    evenness: float
    confidence: float
    interval: tuple[float, float]
    thresholds: Thresholds
    fingerprint: Fingerprint[Settings]
    explain: Callable[[int], ImpliedWords] | None = None
    warnings: tuple[str, ...] = ()

    @property
    def direction(self) -> float:
        """Return the evidence for the direction, nats: above 0 where the first entails."""
        return self.inclusion + self.evenness

    @property
    def verdict(self) -> Verdict:
        """Return one of four.

        Texts no more related than unrelated ones entail nothing. A direction wants an interval that
        leaves 0 out. Where it has 0 in it, "both" wants both degrees high.
        """
        low, high = self.interval
        if max(self.forward, self.backward) < self.thresholds.related:
            return NEITHER
        if low > 0:
            return FORWARD
        if high < 0:
            return BACKWARD
        same = min(self.forward, self.backward) >= self.thresholds.same
        return BOTH if same else NEITHER

    def to_dict(self, top: int | None = None) -> dict[str, Any]:
        """Return all of it as plain values, for JSON; with so many deciding words of each kind."""
        words = None if top is None or self.explain is None else asdict(self.explain(top))
        return {
            "verdict": self.verdict,
            "forward": self.forward,
            "backward": self.backward,
            "direction": self.direction,
            "parts": {"inclusion": self.inclusion, "evenness": self.evenness},
            "interval": {"confidence": self.confidence, "direction": list(self.interval)},
            "estimator": self.estimator,
            "thresholds": asdict(self.thresholds),
            "warnings": list(self.warnings),
            "texts": list(self.texts),
            **({} if words is None else {"words": words}),
            "fingerprint": self.fingerprint.to_dict(),
        }
