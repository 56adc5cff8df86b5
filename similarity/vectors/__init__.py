"""Meaning vectors: the cosine of two tells how alike their texts are; N texts cost N.

>>> from similarity import load_model
>>> from similarity.vectors import VectorConfig, fit
>>> texts = [f"text number {number}" for number in range(40)]
>>> config = VectorConfig(states=0, n_references=2, reference_tokens=2, rank=4)
>>> fit(load_model("toy"), texts, config).encode(["a red car"]).shape
(1, 8)
"""

from similarity.vectors.config import GROUPS, VectorConfig
from similarity.vectors.fitting import fit
from similarity.vectors.meaning import MeaningVectors
from similarity.vectors.storage import load, save

__all__ = ["GROUPS", "MeaningVectors", "VectorConfig", "fit", "load", "save"]
