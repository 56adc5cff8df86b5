"""The library's scorers as methods: trajectories with every estimator, presets, meaning vectors."""

from collections.abc import Sequence
from dataclasses import replace
from functools import partial
from typing import Any

from eval.methods.base import Factory, Method, Pair, Setting
from eval.methods.kept import kept_vectors
from eval.methods.texts import unlabelled_texts
from similarity.digests import digest_of_texts
from similarity.estimators.table import ESTIMATORS
from similarity.pipeline import TrajectoryScorer
from similarity.presets import FAST, MEANING, PRESETS, TRAJECTORIES
from similarity.prompts import PROMPTS
from similarity.results import Score
from similarity.scorer import Progress, Scorer, no_progress
from similarity.scorers import ScoringRequest, planned_scorer
from similarity.vectors.fitting import fit
from similarity.vectors.general import find_vectors
from similarity.vectors.meaning import MeaningVectors
from similarity.vectors.recipes import FULL, config_for
from similarity.vectors.scorer import VectorScorer

# The run's own trajectories; with a seed that is not the run's first, OTHER_SEED and the number.
METHOD = "trajectories"
OTHER_SEED = f"{METHOD}, seed "
# The preset of that name, whose trajectories are those of general text.
REFERENCES = "reference trajectories"
# How many of the unlabelled texts an estimator that needs a bank reads beside each pair: its cost
# grows with them. The other relative ones do better with a text that says nothing, by measurement.
BANK_TEXTS = 6


class ScorerMethod(Method):
    """Minus the distance that a scorer gives."""

    def __init__(self, scorer: Scorer, progress: Progress = no_progress) -> None:
        self.scorer = scorer
        self._progress = progress
        self.settings: dict[str, Any] = scorer.fingerprint.config.to_dict()

    def compare(self, pairs: Sequence[Pair]) -> Sequence[Score]:
        """Return the library's score of each pair."""
        return self.scorer.score(pairs, self._progress)

    def score(self, pairs: Sequence[Pair]) -> list[float]:
        """Return minus the distance of each pair, so that more alike is higher."""
        return [negated(score.distance) for score in self.compare(pairs)]


def negated(distance: float) -> float:
    """Return minus a distance, and 0 for 0: "-0.0" is a poor thing to read in a file."""
    return 0.0 - distance


def trajectories(setting: Setting) -> ScorerMethod:
    """Return the comparison by trajectories with the run's own settings."""
    return ScorerMethod(TrajectoryScorer(setting.model, setting.config), setting.progress)


def prompted(setting: Setting, prompt: str) -> Method:
    """Return the same with a prompt of the paper, and all else as it is set."""
    full_stop = setting.config.prompt.full_stop
    chosen = replace(PROMPTS[prompt], full_stop=full_stop)
    return trajectories(replace(setting, config=replace(setting.config, prompt=chosen)))


def estimated(setting: Setting, distance: str) -> Method:
    """Return the same with another estimator.

    Raises
    ------
    UnsupportedError
        If it needs whole distributions and the model does not give them.
    ConfigError
        If it needs unlabelled texts and there are fewer than two.
    """
    bank: tuple[str, ...] = ()
    if ESTIMATORS[distance].needs_bank:
        bank = _spread(unlabelled_texts(setting, distance))
    config = replace(setting.config, distance=distance, bank=bank)
    return trajectories(replace(setting, config=config))


def preset_method(setting: Setting, preset: str) -> Method:
    """Return a preset of meaning vectors, whatever the settings of the trajectories.

    Raises
    ------
    ConfigError
        If the model has no vectors.
    """
    request = ScoringRequest(preset=preset)
    scorer, _ = planned_scorer(setting.model, request, progress=setting.progress)
    return ScorerMethod(scorer, setting.progress)


def group_method(setting: Setting, name: str) -> Method:
    """Return the vectors of one group of features, fitted to general text."""
    vectors = find_vectors(None, setting.model).open(name, progress=setting.progress)
    return ScorerMethod(VectorScorer(vectors), setting.progress)


def domain_method(setting: Setting, *groups: str) -> Method:
    """Return vectors fitted to the setting's unlabelled texts, of these groups or of all.

    Raises
    ------
    ConfigError
        If there are no unlabelled texts.
    """
    texts = unlabelled_texts(setting, "meaning vectors")
    config = config_for(setting.model)
    config = config.only(*groups) if groups else config

    def fitted() -> MeaningVectors:
        return fit(setting.model, texts, config, setting.progress("fitting", len(texts)))

    fitted_to = {"vectors": config.to_dict(), "texts": digest_of_texts(texts)}
    vectors = kept_vectors(setting, fitted_to, fitted)
    return ScorerMethod(VectorScorer(vectors), setting.progress)


def _spread(texts: Sequence[str]) -> tuple[str, ...]:
    """Return a few texts, spread evenly over all."""
    return tuple(texts[:: max(1, len(texts) // BANK_TEXTS)][:BANK_TEXTS])


# Beside the run's own prompt, so that one run shows what a prompt is worth.
PROMPT_METHODS: dict[str, Factory] = {
    f"{METHOD}, {name}": partial(prompted, prompt=name)
    for name, prompt in PROMPTS.items()
    if prompt.before or prompt.after
}
ESTIMATOR_METHODS: dict[str, Factory] = {
    name: partial(estimated, distance=name) for name in ESTIMATORS
}
# Vectors that are fitted to the unlabelled texts.
DOMAIN_METHODS: dict[str, Factory] = {
    "fast, of the domain": lambda setting: domain_method(setting, *PRESETS[FAST].groups),
    "meaning, of the domain": lambda setting: domain_method(setting, *PRESETS[MEANING].groups),
    "best, of the domain": domain_method,
}
# By the names that users give and tables print.
VECTOR_METHODS: dict[str, Factory] = {
    **{
        REFERENCES if name == TRAJECTORIES else name: partial(preset_method, preset=name)
        for name, preset in PRESETS.items()
        if preset.vectors
    },
    **{f"only {group.name}": partial(group_method, name=group.name) for group in FULL.groups},
    **DOMAIN_METHODS,
}
