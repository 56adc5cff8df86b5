"""What a user chose by options: the model, and how to compare."""

from dataclasses import dataclass, replace

import click

from similarity.cli.answers import store_of
from similarity.cli.notes import note
from similarity.cli.progress import progress_bars, working
from similarity.config import ComparisonConfig
from similarity.errors import ConfigError
from similarity.known_scales import KnownScales
from similarity.models.base import LanguageModel
from similarity.models.loader import LoadOptions, load_model
from similarity.models.memory import keep_large_buffers
from similarity.presets import PAPER
from similarity.scorer import Scorer
from similarity.scorers import ScoringPlan, ScoringRequest, planned_scorer
from similarity.storage.store import Store
from similarity.uncertainty import Tolerance


@dataclass(frozen=True)
class ModelChoice:
    """A model by its name, and how it is loaded."""

    name: str
    device: str = LoadOptions.device
    dtype: str = LoadOptions.dtype

    @property
    def options(self) -> LoadOptions:
        """Return how the model is loaded."""
        return LoadOptions(device=self.device, dtype=self.dtype)


@dataclass(frozen=True, kw_only=True)
class ScoringChoice:
    """How to compare.

    Attributes
    ----------
    preset, vectors
        By name, and of a folder that `trajsim fit` made; None is the default of each.
    truncate
        What is done with texts that are too long.
    config
        The settings of trajectories.
    given
        The first option of the command that set one of them, as typed; None where none did.
    """

    preset: str | None
    vectors: str | None
    truncate: str
    config: ComparisonConfig
    given: str | None

    def request(self, tolerance: Tolerance | None = None) -> ScoringRequest:
        """Return the request of these options, before it is known what the model can do."""
        return ScoringRequest(
            preset=self.preset,
            config=self.config,
            given=self.given,
            tolerance=tolerance,
            truncate=self.truncate,
        )


def open_model(choice: ModelChoice) -> LanguageModel:
    """Load a model for a program of its own; in a command, it is closed at the command's end."""
    keep_large_buffers()
    command = click.get_current_context(silent=True)
    if command is None:
        return load_model(choice.name, choice.options)
    with working(f"loading {choice.name}"):
        model = load_model(choice.name, choice.options)
    command.call_on_close(model.close)
    return model


def chosen_scorer(
    model: LanguageModel,
    scoring: ScoringChoice,
    tolerance: Tolerance | None = None,
    store: Store | None = None,
) -> Scorer:
    """Return the scorer that was chosen; raises as `chosen_plan` does."""
    return chosen_plan(model, scoring, tolerance, store)[0]


def chosen_plan(
    model: LanguageModel,
    scoring: ScoringChoice,
    tolerance: Tolerance | None = None,
    store: Store | None = None,
    scales: KnownScales | None = None,
) -> tuple[Scorer, ScoringPlan]:
    """Return the scorer that was chosen, and the plan that chose it.

    A setting of trajectories chooses `paper`; a line on standard error says so.

    Parameters
    ----------
    store
        Where what the model computes is kept, if not where this user's machine keeps it.
    scales
        Those that may be in force; None for those that there are now.

    Raises
    ------
    ConfigError
        If another preset is named as well, or it needs vectors and there are none for the model.
    """
    store = store or store_of(model)
    with progress_bars() as progress:
        scorer, chosen = planned_scorer(
            model, scoring.request(tolerance), scoring.vectors, store, progress, scales
        )
    if chosen.note:
        note(chosen.note)
    return scorer, chosen


def shortlist_and_judge(
    model: LanguageModel, scoring: ScoringChoice, store: Store | None = None
) -> tuple[Scorer, Scorer]:
    """Return what finds pairs by meaning vectors, and what scores these again by trajectories.

    Parameters
    ----------
    store
        Where what the model computes is kept; None is that of `chosen_scorer`.

    Raises
    ------
    ConfigError
        If the shortlist would not be by vectors.
    """
    store = store or store_of(model)
    by_vectors = ScoringRequest(preset=scoring.preset, truncate=scoring.truncate)
    with progress_bars() as progress:
        shortlist, plan = planned_scorer(model, by_vectors, scoring.vectors, store, progress)
        if not plan.by_vectors:
            raise ConfigError(
                f"--rerank takes its shortlist by meaning vectors, and preset {plan.preset} does "
                "not; give another preset, or leave --rerank out"
            )
        by_trajectories = replace(by_vectors, preset=PAPER, config=scoring.config)
        judge, _ = planned_scorer(model, by_trajectories, None, store, progress)
    return shortlist, judge
