"""The library's functions: each opens the scorer for its arguments, and calls it.

Without settings of trajectories and without a preset, the default preset of the model holds, as it
does on the command line and in the service. A `config` has texts compared by trajectories.
"""

from collections.abc import Sequence

from similarity.config import ComparisonConfig
from similarity.given import Pair, given_texts
from similarity.images.image import Content
from similarity.models.base import LanguageModel
from similarity.pipeline import TrajectoryScorer
from similarity.results import Comparison, Score, SimilarityMatrix
from similarity.scorer import Progress, no_progress
from similarity.scorers import open_scorer
from similarity.texts.familiarity import WarningScorer
from similarity.texts.truncation import REFUSE
from similarity.uncertainty import Tolerance


def compare(
    model: LanguageModel,
    first: Content,
    second: Content,
    config: ComparisonConfig | None = None,
    *,
    preset: str | None = None,
    truncate: str = REFUSE,
) -> Score:
    """Return how alike two texts are in meaning, to this model.

    Where the model reads images, either may be one (`similarity.images.sources`).

    Parameters
    ----------
    config
        Settings of trajectories; None for the model's default preset.
    preset
        A name in `similarity.presets.PRESETS`.
    truncate
        "refuse" texts that are too long for the model, or leave out their "end" or "start", with a
        warning.

    Raises
    ------
    InputError
        If a text is empty, not valid Unicode, or too long for the model.
    ConfigError
        If there is no such preset, or it does not compare by trajectories and a config is given.
    """
    return compare_pairs(model, [(first, second)], config, preset=preset, truncate=truncate)[0]


def compare_pairs(
    model: LanguageModel,
    pairs: Sequence[Pair],
    config: ComparisonConfig | None = None,
    progress: Progress = no_progress,
    *,
    preset: str | None = None,
    truncate: str = REFUSE,
) -> Sequence[Score]:
    """Return the score of each pair, in order; raises as `compare` does."""
    return open_scorer(model, preset, config, truncate=truncate).score(pairs, progress)


def compare_many(
    model: LanguageModel,
    source: Content,
    targets: Sequence[Content],
    config: ComparisonConfig | None = None,
    progress: Progress = no_progress,
    *,
    preset: str | None = None,
    truncate: str = REFUSE,
) -> Sequence[Score]:
    """Return the score of one text with each of many, in order; raises as `compare` does."""
    pairs = [(source, target) for target in given_texts(targets, "targets")]
    return compare_pairs(model, pairs, config, progress, preset=preset, truncate=truncate)


def compare_matrix(
    model: LanguageModel,
    rows: Sequence[Content],
    columns: Sequence[Content] | None = None,
    config: ComparisonConfig | None = None,
    progress: Progress = no_progress,
    *,
    preset: str | None = None,
    truncate: str = REFUSE,
) -> SimilarityMatrix:
    """Return the scores of all `rows` with all `columns`, or of `rows` among themselves.

    Raises as `compare` does.
    """
    return open_scorer(model, preset, config, truncate=truncate).matrix(rows, columns, progress)


def compare_to_tolerance(
    model: LanguageModel,
    first: Content,
    second: Content,
    tolerance: Tolerance,
    config: ComparisonConfig | None = None,
    progress: Progress = no_progress,
) -> Comparison:
    """Return the comparison of two texts by trajectories, sampled until its interval is tight.

    Begins with the configuration's trajectories and doubles them, keeping those there are. The
    result is that of `compare` with as many as it took, and its fingerprint says so.

    Raises
    ------
    ConfigError
        If these settings have no interval (`similarity.uncertainty.check_interval`).
    InputError
        If a text is empty, not valid Unicode, or too long for the model.
    """
    scorer = WarningScorer(TrajectoryScorer(model, config, tolerance), model)
    (found,) = scorer.score([(first, second)], progress)
    assert isinstance(found, Comparison), "a trajectory scorer gives comparisons"
    return found
