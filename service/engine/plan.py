"""How a request's texts are compared: as it says, else as the service is set, else the best.

A request that gives a setting of trajectories, or wants what only trajectories have, is one for
the preset `paper`.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field

from similarity.vectors.scoring import VectorScorer

from service.engine.limits import check_pairs, check_texts
from service.engine.request_model import RequestModel
from service.settings import Settings
from similarity.config import ComparisonConfig
from similarity.errors import ConfigError
from similarity.presets import BEST, PAPER, preset_vectors
from similarity.scorers import Scorer, TrajectoryScorer
from similarity.vectors.meaning import MeaningVectors


@dataclass(frozen=True, kw_only=True)
class ScoringRequest:
    """What a request says about how to compare.

    `needs_trajectories` names a field of it that only `paper` can do.
    """

    preset: str | None = None
    config: ComparisonConfig = field(default_factory=ComparisonConfig)
    needs_trajectories: str | None = None


@dataclass(frozen=True, kw_only=True)
class ScoringPlan:
    """How to compare: by meaning vectors if there are any here, else by trajectories."""

    config: ComparisonConfig
    vectors: MeaningVectors | None

    def check(self, pairs: Sequence[tuple[str, str]], settings: Settings) -> None:
        """Refuse pairs of texts that cost more than the service allows.

        Raises
        ------
        RequestTooLargeError, ConfigError
            Saying what is too much, and how much is allowed.
        """
        if self.vectors is None:
            check_pairs(pairs, self.config, settings)
        else:
            check_texts({text for pair in pairs for text in pair}, settings)

    def scorer(self, model: RequestModel) -> Scorer:
        """Return what compares a request's texts."""
        if self.vectors is None:
            return TrajectoryScorer(model, self.config)
        groups = self.vectors.groups
        return VectorScorer(self.vectors, lambda texts, _: model.embed(texts, groups=groups))


def default_preset(settings: Settings, vectors: MeaningVectors | None) -> str:
    """Return the preset of requests that name none.

    Raises
    ------
    ConfigError
        If the settings name a preset that needs vectors, and there are none for it.
    """
    if settings.preset is None:
        return BEST if serves(BEST, vectors) else PAPER
    _vectors_for(settings.preset, vectors)
    return settings.preset


def choose_plan(
    request: ScoringRequest, settings: Settings, vectors: MeaningVectors | None
) -> ScoringPlan:
    """Return how to compare.

    Raises
    ------
    ConfigError
        If the request needs vectors and there are none, or they cannot do it.
    """
    if request.needs_trajectories is None:
        preset = request.preset or default_preset(settings, vectors)
    elif request.preset in (None, PAPER):
        preset = PAPER
    else:
        raise ConfigError(
            f"{request.needs_trajectories} is of trajectories, and preset {request.preset} "
            "compares by meaning vectors; leave one of the two out"
        )
    return ScoringPlan(config=request.config, vectors=_vectors_for(preset, vectors))


def serves(preset: str, vectors: MeaningVectors | None) -> bool:
    """Whether a model with these vectors can compare by this preset."""
    try:
        _vectors_for(preset, vectors)
    except ConfigError:
        return False
    return True


def _vectors_for(preset: str, vectors: MeaningVectors | None) -> MeaningVectors | None:
    """Return the part of the vectors that a preset compares by; none for `paper`."""
    if preset == PAPER:
        return None
    if vectors is None:
        raise ConfigError(
            f"preset {preset} compares by meaning vectors, and the model is served without; "
            "use preset paper, or fit vectors by trajsim fit and serve with --vectors"
        )
    return preset_vectors(vectors, preset)
