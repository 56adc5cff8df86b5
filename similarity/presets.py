"""Ways to compare texts by name, and which of them a model is best served by.

`docs/vectors.md` has what was measured of them.
"""

from similarity.config import ComparisonConfig
from similarity.models.base import LanguageModel
from similarity.scorers import Scorer, TrajectoryScorer
from similarity.validation import check_choice
from similarity.vectors.meaning import MeaningVectors
from similarity.vectors.scoring import VectorScorer
from similarity.vectors.shipped import GENERAL, find_vectors, open_vectors

PAPER = "paper"
# The groups of features that vectors are joined of; none named is all that are fitted.
PRESET_GROUPS: dict[str, tuple[str, ...]] = {"fast": ("states", "trigrams"), "best": ()}
PRESETS = (PAPER, *PRESET_GROUPS)
BEST = "best"


def open_scorer(
    model: LanguageModel,
    preset: str | None = None,
    config: ComparisonConfig | None = None,
    vectors: str | None = None,
) -> Scorer:
    """Return a way to compare texts.

    Parameters
    ----------
    preset
        "paper" compares by trajectories, as the paper does; "best" by all of the meaning vectors,
        "fast" by the part of them that costs one reading of a text. None is "best" where there
        are vectors for the model, and "paper" where there are none.
    config
        Of the trajectories.
    vectors
        A folder of `trajsim fit`; None or "general" for those that ship with the model.

    Raises
    ------
    UnsupportedError
        If the preset needs vectors and none ship with the model.
    ConfigError
        If there is no such preset, the folder has no vectors, or those of another model.
    """
    if preset is None:
        found = find_vectors(vectors, model)
        return TrajectoryScorer(model, config) if found is None else VectorScorer(found)
    check_choice("preset", preset, PRESETS)
    if preset == PAPER:
        return TrajectoryScorer(model, config)
    return VectorScorer(preset_vectors(open_vectors(vectors or GENERAL, model), preset))


def preset_vectors(vectors: MeaningVectors, preset: str) -> MeaningVectors:
    """Return the part of vectors that a preset compares by.

    Raises
    ------
    ConfigError
        If that is not fitted.
    """
    groups = PRESET_GROUPS[preset]
    return vectors.only(*groups) if groups else vectors
