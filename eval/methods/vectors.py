"""Meaning vectors as methods: the general ones that ship, and those fitted to unlabelled texts."""

from collections.abc import Sequence
from dataclasses import replace

from eval.methods.base import Factory, Method, Pair, Setting
from eval.methods.texts import unlabelled_texts
from similarity.presets import PRESET_GROUPS
from similarity.vectors.config import FEATURE_SETS, VectorConfig
from similarity.vectors.fitting import fit
from similarity.vectors.meaning import MeaningVectors
from similarity.vectors.scoring import settings_of
from similarity.vectors.shipped import GENERAL, open_vectors


class Vectors(Method):
    """The cosine of the meaning vectors of two texts."""

    def __init__(self, vectors: MeaningVectors) -> None:
        self._vectors = vectors
        self.settings = settings_of(vectors).to_dict()

    def score(self, pairs: Sequence[Pair]) -> list[float]:
        """Return the cosine of each pair, in [−1, 1]."""
        return [float(cosine) for cosine in self._vectors.similarity(pairs)]


def general_vectors(*groups: str) -> Factory:
    """Return the vectors that ship with the model, of these groups or of all that they have.

    Their prompt is the one that they were fitted with, whatever the setting's is.
    """

    def make(setting: Setting) -> Method:
        vectors = open_vectors(GENERAL, setting.model)
        return Vectors(vectors.only(*groups) if groups else vectors)

    return make


def domain_vectors(config: VectorConfig, *groups: str) -> Factory:
    """Return vectors fitted to the setting's unlabelled texts, of these groups or of all."""
    chosen = config.only(*groups) if groups else config

    def make(setting: Setting) -> Method:
        texts = unlabelled_texts(setting, "meaning vectors")
        full_stop = setting.config.prompt.full_stop
        prompt = replace(chosen.prompt, full_stop=full_stop)
        return Vectors(fit(setting.model, texts, replace(chosen, prompt=prompt)))

    return make


# By the names that users give and tables print.
VECTOR_METHODS: dict[str, Factory] = {
    "vectors": general_vectors(),
    "vectors, distributions": general_vectors("distributions"),
    "vectors, states": general_vectors("states"),
    "vectors, trigrams": general_vectors("trigrams"),
    "vectors, fast": general_vectors(*PRESET_GROUPS["fast"]),
    "vectors of the domain": domain_vectors(VectorConfig()),
    "vectors of the domain, distributions": domain_vectors(VectorConfig(), "distributions"),
    "vectors of the domain, states": domain_vectors(VectorConfig(), "states"),
    "vectors of the domain, trigrams": domain_vectors(VectorConfig(), "trigrams"),
    "vectors of the domain, fast": domain_vectors(VectorConfig(), *PRESET_GROUPS["fast"]),
    "vectors of the domain, scored": domain_vectors(FEATURE_SETS["scored"]),
}
