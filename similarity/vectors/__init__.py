"""Meaning vectors: the cosine of two says how alike their texts are; N texts cost N.

>>> from similarity import load_model
>>> from similarity.vectors import ProfileConfig, VectorConfig, fit
>>> texts = [f"text number {number}" for number in range(40)]
>>> config = VectorConfig(groups=(ProfileConfig(tokens=64, rank=8),))
>>> fit(load_model("toy"), texts, config).encode(["a red car"]).shape
(1, 8)
"""

from similarity.vectors.config import ProfileConfig, TrigramsConfig, VectorConfig
from similarity.vectors.fitting import fit
from similarity.vectors.meaning import MeaningVectors
from similarity.vectors.storage import load, save

__all__ = [
    "MeaningVectors",
    "ProfileConfig",
    "TrigramsConfig",
    "VectorConfig",
    "fit",
    "load",
    "save",
]
