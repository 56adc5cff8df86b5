"""Meanings as values: those of texts, and those composed of them by meet and join.

A meaning gives every place a degree of 0 or more. Places are tokens, where it is the positive part
of a profile; or pooled trajectories, where it is M_s(t). Meanings on the same places are a
distributive lattice: the order is that of all places, the meet the pointwise minimum, the join the
pointwise maximum (docs/method/trajectories.md has the sources).
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from similarity.arrays import FloatArray, Rows
from similarity.config import ComparisonConfig
from similarity.errors import InputError, UnsupportedError
from similarity.given import given_strings
from similarity.models.base import LanguageModel
from similarity.sampled_texts import sample_texts
from similarity.scorer import no_progress
from similarity.vectors.config import ProfileConfig
from similarity.vectors.implied import SEE_WORDS, check_words
from similarity.vectors.meaning import Group, MeaningVectors
from similarity.vectors.profile import ProfileReader


@dataclass(frozen=True, eq=False)
class Meaning:
    """A text's meaning, or one composed of others.

    Parameters
    ----------
    degrees
        Shape "place", none below 0.
    places
        Says what the places are; meanings on different places are not compared.

    Raises
    ------
    InputError
        If a degree is below 0 or not finite, or meanings on different places meet.
    """

    degrees: FloatArray
    places: str

    def __post_init__(self) -> None:
        if not (np.isfinite(self.degrees).all() and (self.degrees >= 0).all()):
            raise InputError("a meaning's degrees must be finite and at least 0")

    def meet(self, other: "Meaning") -> "Meaning":
        """Return the greatest meaning below both: the pointwise minimum. Also `a & b`."""
        return Meaning(np.minimum(self.degrees, self._on_same(other)), self.places)

    def join(self, other: "Meaning") -> "Meaning":
        """Return the least meaning above both: the pointwise maximum. Also `a | b`."""
        return Meaning(np.maximum(self.degrees, self._on_same(other)), self.places)

    __and__ = meet
    __or__ = join

    def __le__(self, other: "Meaning") -> bool:
        """Return whether this is below the other at every place."""
        return bool((self.degrees <= self._on_same(other)).all())

    def inclusion(self, other: "Meaning") -> float:
        """Return the degree in [0, 1] to which this is below the other: the share it has of this.

        Σ min(a, b) / Σ a: 1 iff a ≤ b, and 0 iff they share nothing. The meaning that is 0
        everywhere is below all.
        """
        shared = np.minimum(self.degrees, self._on_same(other)).sum()
        total = self.degrees.sum()
        # Sums are cut at 1, as the two are added up alike but need not round alike.
        return min(1.0, float(shared / total)) if total > 0 else 1.0

    def _on_same(self, other: "Meaning") -> FloatArray:
        if other.places != self.places or other.degrees.shape != self.degrees.shape:
            raise InputError(
                f"meanings on {self.places} and on {other.places} are not comparable; make both "
                "in one call, or of the same vectors"
            )
        return other.degrees


def profile_meanings(vectors: MeaningVectors, texts: Sequence[str]) -> list[Meaning]:
    """Return the positive parts of the texts' profiles: what each makes likelier than usual.

    Meanings of several calls are comparable. Degrees are nats.

    Raises
    ------
    InputError
        If a text is empty, not valid Unicode, or too long for the model.
    UnsupportedError
        If the vectors have no profile.
    """
    texts = given_strings(texts)
    group = profile_group(vectors)
    if not texts:
        return []
    rows = group.reader.rows(vectors.model, texts)
    places = f"{group.config.name} of {vectors.model.info.revision}, {vectors.corpus.digest}"
    return [Meaning(row, places) for row in raised(vectors, group, rows)]


def raised(vectors: MeaningVectors, group: Group, rows: Rows) -> FloatArray:
    """Return the positive parts of ℓ − ℓ̄ less its mean over tokens, shape "text token" in nats.

    Parameters
    ----------
    rows
        The group's features, shape "text feature".
    """
    reader = group.reader
    assert isinstance(reader, ProfileReader)
    found = reader.information(vectors.model, group.whitening.mean, rows)
    return np.maximum(found, 0, out=found)


def profile_group(vectors: MeaningVectors, use: str = SEE_WORDS) -> Group:
    """Return the first group of profiles.

    Parameters
    ----------
    use
        What it is for, as a verb.

    Raises
    ------
    UnsupportedError
        If the vectors have none, or the model gives states alone.
    """
    check_words(vectors.model, vectors.config, use)
    of_profiles = (one for one in vectors.config.groups if isinstance(one, ProfileConfig))
    return vectors.groups[next(of_profiles).name]


def trajectory_meanings(
    model: LanguageModel, texts: Sequence[str], config: ComparisonConfig | None = None
) -> list[Meaning]:
    """Return M_s of each text on the trajectories of all texts, pooled; in (0, 1].

    N texts cost N samplings and N² scorings. Meanings of one call are comparable.

    Raises
    ------
    InputError
        If a text is empty, not valid Unicode, or too long for the model.
    UnsupportedError
        If the estimator reads whole distributions, and not likelihoods.
    """
    texts = given_strings(texts)
    config = config or ComparisonConfig()
    if config.estimator.reads_distributions:
        raise UnsupportedError(f"{config.distance} reads no likelihoods; choose l1")
    pairs = [(u, v) for u in texts for v in texts]
    found = sample_texts(model, pairs, config, no_progress)
    numbers = [found.numbers[text] for text in texts]
    pooled = sorted(set(numbers))
    places = f"trajectories of {len(pooled)} texts: {[found.prefixes[i].text for i in pooled]}"
    return [
        Meaning(np.exp(np.concatenate([found.likelihoods[i, j] for j in pooled])), places)
        for i in numbers
    ]
