"""Opens the scorer of entailment for its settings, for every caller."""

from os import PathLike

from similarity.config import ComparisonConfig
from similarity.entailment.estimators import DEFAULT, ESTIMATORS
from similarity.entailment.profiles import JUDGE, ProfileEntailment
from similarity.entailment.scorer import EntailmentScorer
from similarity.entailment.trajectories import TrajectoryEntailment
from similarity.models.base import LanguageModel
from similarity.scorer import Progress, no_progress
from similarity.storage.store import Store
from similarity.texts.truncation import REFUSE
from similarity.uncertainty import DEFAULT_CONFIDENCE
from similarity.validation import check_choice
from similarity.vectors.config import ProfileConfig, VectorConfig
from similarity.vectors.general import find_vectors, open_vectors
from similarity.vectors.implied import check_words
from similarity.vectors.stored import stored

PAPER = "paper"


def open_entailment(
    model: LanguageModel,
    estimator: str | None = None,
    *,
    config: ComparisonConfig | None = None,
    vectors: str | PathLike[str] | None = None,
    confidence: float = DEFAULT_CONFIDENCE,
    truncate: str = REFUSE,
    store: Store | None = None,
    progress: Progress = no_progress,
) -> EntailmentScorer:
    """Return a scorer that judges which of two texts entails the other.

    Parameters
    ----------
    estimator
        A name in `ESTIMATORS`. None is the default on profiles, and the paper's where the model
        gives none.
    config
        Of the trajectories, where they are read.
    vectors
        A folder of `trajsim fit`; None for the model's own.
    truncate
        "refuse" texts that are too long, or leave out their "end" or "start".
    store
        Where features are kept, so that none is read twice.

    Raises
    ------
    ConfigError
        If there is no such estimator, it needs profiles and there are none, or a setting is out
        of range.
    UnsupportedError
        If it needs profiles and the model gives none.
    """
    if estimator is None:
        estimator = usual_estimator(model, find_vectors(vectors, model).config)
    check_choice("estimator", estimator, ESTIMATORS)
    if ESTIMATORS[estimator].evidence == "trajectories":
        return TrajectoryEntailment(
            model=model,
            config=config or ComparisonConfig(),
            estimator=estimator,
            confidence=confidence,
            truncate=truncate,
        )
    # The general text may be read for minutes.
    check_words(model, find_vectors(vectors, model).config, JUDGE)
    found = stored(open_vectors(vectors, model, progress), store)
    return ProfileEntailment(
        vectors=found, estimator=estimator, confidence=confidence, truncate=truncate
    )


def usual_estimator(model: LanguageModel, config: VectorConfig | None) -> str:
    """Return the estimator where none is named, for a model whose vectors have these settings.

    It is the default on profiles. The paper's is for a model that gives none and samples.
    """
    profiles = any(isinstance(group, ProfileConfig) for group in (config.groups if config else ()))
    return DEFAULT if profiles or not model.generates else PAPER
