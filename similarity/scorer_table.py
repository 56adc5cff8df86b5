"""All scorers in one table: what each does, and what it needs of a model."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass

from similarity.estimators.table import ESTIMATORS
from similarity.models.base import Ability, LanguageModel
from similarity.presets import PRESETS
from similarity.vectors.general import find_vectors


@dataclass(frozen=True, kw_only=True)
class ScorerKind:
    """A row of the table: what a scorer does, and what it needs of a model.

    Parameters
    ----------
    samples
        Whether the model must sample and score continuations.
    needs
        What the model must be able to beyond that.
    groups
        Of the model's meaning vectors, those it compares by; one of them must be there.
    """

    summary: str
    samples: bool
    needs: frozenset[Ability] = frozenset()
    groups: tuple[str, ...] = ()

    def serves(self, model: LanguageModel, groups: Collection[str]) -> bool:
        """Return whether it compares by a model, whose vectors have these groups."""
        return (
            (model.generates or not self.samples)
            and self.needs <= model.abilities
            and (not self.groups or any(group in groups for group in self.groups))
        )


# The trajectory scorer for every estimator, by the estimator's name; then the vector scorers.
SCORERS: Mapping[str, ScorerKind] = {
    **{
        name: ScorerKind(
            summary=estimator.distance.summary,
            samples=True,
            needs=frozenset({Ability.DISTRIBUTIONS} if estimator.reads_distributions else ()),
        )
        for name, estimator in ESTIMATORS.items()
    },
    **{
        name: ScorerKind(summary=preset.summary, samples=preset.samples, groups=preset.groups)
        for name, preset in PRESETS.items()
        if preset.vectors
    },
}


def possible_scorers(model: LanguageModel) -> list[str]:
    """Return the names of the scorers that compare by a model with the vectors of its own."""
    groups = find_vectors(None, model).names
    return [name for name, kind in SCORERS.items() if kind.serves(model, groups)]
