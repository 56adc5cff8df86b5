"""The choice of a scorer: from a request to the scorer that compares.

All callers use `plan_scoring` and `ScoringPlan.open`: the library's functions, the command line,
the service, batches, evaluations, the index and the adapters.
"""

from collections.abc import Collection
from dataclasses import dataclass, field, replace
from os import PathLike

from similarity.config import ComparisonConfig
from similarity.errors import ConfigError
from similarity.known_scales import KnownScales
from similarity.law import Law
from similarity.models.base import LanguageModel
from similarity.models.stored import StoredModel, can_be_stored
from similarity.pipeline import TrajectoryScorer
from similarity.presets import BEST, PAPER, PRESETS, default_preset, vector_groups
from similarity.scorer import Progress, Scorer, no_progress
from similarity.storage.store import Store
from similarity.texts.familiarity import WarningScorer
from similarity.texts.truncation import (
    REFUSE,
    TRUNCATIONS,
    Check,
    TruncatingScorer,
    Truncator,
    within_tokens,
)
from similarity.uncertainty import Tolerance
from similarity.validation import check_choice, given_path
from similarity.vectors.general import find_vectors
from similarity.vectors.meaning import MeaningVectors
from similarity.vectors.scorer import Read, VectorScorer
from similarity.vectors.stored import stored


@dataclass(frozen=True, kw_only=True)
class ScoringRequest:
    """What a user says of how to compare.

    Parameters
    ----------
    preset
        A name in `PRESETS`; None for the default.
    config
        Of the trajectories, if they are used.
    given
        A setting that only trajectories have, as the user wrote it; None where none was given.
    vectors
        Whether the user named the vectors to compare by.
    tolerance
        How tight intervals must be.
    truncate
        What is done with texts that are too long: a name in `TRUNCATIONS`.
    max_text_tokens
        A text that is cut keeps so many of its own at most; None is as many as the model takes.
    """

    preset: str | None = None
    config: ComparisonConfig = field(default_factory=ComparisonConfig)
    given: str | None = None
    vectors: bool = False
    tolerance: Tolerance | None = None
    truncate: str = REFUSE
    max_text_tokens: int | None = None

    def check(self) -> None:
        """Raise ConfigError if the preset is unknown, or the request contradicts itself."""
        check_choice("truncate", self.truncate, TRUNCATIONS)
        if self.preset is not None:
            check_choice("preset", self.preset, PRESETS)
        if self.vectors and self.preset is not None and not PRESETS[self.preset].vectors:
            raise ConfigError(
                f"preset {self.preset} compares without vectors; leave vectors out", "preset"
            )
        by_vectors = self.vectors or (self.preset is not None and PRESETS[self.preset].vectors)
        if self.given and by_vectors:
            how = f"preset {self.preset} compares" if self.preset else "you compare"
            raise ConfigError(
                f"{self.given} is a setting of trajectories, and {how} by meaning vectors; leave "
                "one of the two out",
                self.given,
            )


@dataclass(frozen=True, kw_only=True)
class ScoringPlan:
    """How texts will be compared.

    Parameters
    ----------
    preset
        Its name.
    scorer
        A name in `similarity.scorer_table.SCORERS`.
    groups
        Of the vectors, those that the preset compares by.
    note
        A line for the user, where the request did not name the preset and it is not the default.
    """

    preset: str
    scorer: str
    config: ComparisonConfig
    tolerance: Tolerance | None = None
    groups: tuple[str, ...] = ()
    note: str | None = None
    truncate: str = REFUSE
    max_text_tokens: int | None = None

    @property
    def by_vectors(self) -> bool:
        """Return whether texts are compared by meaning vectors."""
        return PRESETS[self.preset].vectors

    def open(
        self,
        model: LanguageModel,
        vectors: MeaningVectors | None = None,
        read: Read | None = None,
        max_characters: int | None = None,
        scales: KnownScales | None = None,
        check: Check | None = None,
    ) -> Scorer:
        """Return the scorer; it warns of texts that the model hardly knows, or that it cut.

        Parameters
        ----------
        vectors
            Of the model; needed where texts are compared by them.
        read
            Gives features in another way than the vectors do, as from a cache.
        max_characters
            Of a text that is cut, at most.
        scales
            Those that may be in force; None for those that there are now.
        check
            Finds texts that are too long in another way than the scorer does, as some at a time.
        """
        scorer = WarningScorer(self._open(model, vectors, read, scales), model)
        if self.truncate == REFUSE:
            return scorer
        check = check or scorer.check
        if self.max_text_tokens is not None:
            check = within_tokens(check, model.encode_all, self.max_text_tokens)
        return TruncatingScorer(scorer, Truncator(check, self.truncate, max_characters))

    def _open(
        self,
        model: LanguageModel,
        vectors: MeaningVectors | None,
        read: Read | None,
        scales: KnownScales | None,
    ) -> Scorer:
        if not self.by_vectors:
            return TrajectoryScorer(model, self.config, self.tolerance, scales)
        assert vectors is not None, "a plan by vectors is made only where there are any"
        return VectorScorer(vectors.only(*self.groups), read, scales)


def plan_scoring(
    request: ScoringRequest,
    groups: Collection[str] | None,
    default: str | None = None,
    lacks: str = "",
) -> ScoringPlan:
    """Choose how to compare: a pure function of the request and of the vectors that there are.

    Parameters
    ----------
    groups
        Of features that the model's meaning vectors have; None where it has no vectors.
    default
        The preset of requests that name none; None for the best that there is.
    lacks
        Why there are no other groups, where that is known.

    Raises
    ------
    ConfigError
        If there is no such preset, it needs vectors that there are none of, or the request
        contradicts itself.
    """
    usual = default or default_preset(groups)
    if request.vectors and not PRESETS[usual].vectors:
        usual = BEST  # vectors of other groups that the user named
    request.check()
    preset = request.preset or (PAPER if request.given else usual)
    check_choice("preset", preset, PRESETS)
    used = vector_groups(preset, groups, lacks)
    chosen_silently = request.preset is None and preset != usual
    return ScoringPlan(
        preset=preset,
        scorer=preset if PRESETS[preset].vectors else request.config.distance,
        config=request.config,
        tolerance=request.tolerance,
        groups=used,
        truncate=request.truncate,
        max_text_tokens=request.max_text_tokens,
        note=f"{request.given} is a setting of trajectories, so this is preset {preset}; without "
        f"it the preset is {usual}"
        if chosen_silently
        else None,
    )


def open_scorer(
    model: LanguageModel,
    preset: str | None = None,
    config: ComparisonConfig | None = None,
    vectors: str | PathLike[str] | None = None,
    truncate: str = REFUSE,
) -> Scorer:
    """Return what compares texts.

    Parameters
    ----------
    preset
        A name in `PRESETS`; None for the default of `similarity.presets.default_preset`.
    config
        Of the trajectories: to give one is to compare by them.
    vectors
        A folder of `trajsim fit`; None for those that ship with the model.
    truncate
        "refuse" texts that are too long, or leave out their "end" or "start".

    Raises
    ------
    ConfigError
        If there is no such preset, it needs vectors and there are none for the model, the folder
        has no vectors or those of another model, a config is given for a preset that compares
        by vectors, or the model or the config is none.
    """
    if not isinstance(model, LanguageModel):
        raise ConfigError(f"model must be what load_model returns, got {model!r}")
    if config is not None and not isinstance(config, ComparisonConfig):
        raise ConfigError(f"config must be a ComparisonConfig, got {config!r}")
    if vectors is not None:
        vectors = str(given_path("vectors", vectors))
    request = ScoringRequest(
        preset=preset,
        config=config or ComparisonConfig(),
        given=None if config is None else "config",
        truncate=truncate,
    )
    return planned_scorer(model, request, vectors)[0]


def planned_scorer(
    model: LanguageModel,
    request: ScoringRequest,
    vectors: str | None = None,
    store: Store | None = None,
    progress: Progress = no_progress,
    scales: KnownScales | None = None,
) -> tuple[Scorer, ScoringPlan]:
    """Return the scorer for a request, and the plan that chose it.

    The first use of a model's vectors may read the general text. Raises as `open_scorer` does.

    Parameters
    ----------
    store
        Where trajectories, likelihoods and vectors are kept, so that none is computed twice.
    scales
        Those that may be in force; None for those that there are now.
    """
    request = replace(request, vectors=vectors is not None)
    request.check()
    check_generates(model, request)
    found = find_vectors(vectors, model)
    chosen = plan_scoring(request, found.names, lacks=found.lacks)
    if chosen.by_vectors:
        opened = stored(found.open(*chosen.groups, progress=progress), store)
        return chosen.open(model, opened, scales=scales), chosen
    if store is not None and can_be_stored(model):
        model = StoredModel(model, store)
    return chosen.open(model, scales=scales), chosen


def check_generates(model: LanguageModel, request: ScoringRequest) -> None:
    """Raise UnsupportedError if a request wants continuations, and the model gives states alone."""
    preset = PRESETS.get(request.preset or "")
    if request.given or (preset is not None and preset.samples):
        model.check_scoring(Law())
