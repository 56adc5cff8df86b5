"""Semantic similarity of texts from the trajectories of an autoregressive language model.

>>> import similarity
>>> model = similarity.load_model("toy")
>>> similarity.compare(model, "a red car", "a red car.").distance
0.0
"""

from similarity.config import ComparisonConfig, Law, SamplingConfig
from similarity.errors import ConfigError, InputError, ModelError, TrajsimError
from similarity.models.loader import load_model
from similarity.pipeline import compare, compare_many, compare_matrix, compare_pairs
from similarity.prompts import Prompt
from similarity.results import Comparison, SimilarityMatrix
from similarity.version import __version__

__all__ = [
    "Comparison",
    "ComparisonConfig",
    "ConfigError",
    "InputError",
    "Law",
    "ModelError",
    "Prompt",
    "SamplingConfig",
    "SimilarityMatrix",
    "TrajsimError",
    "__version__",
    "compare",
    "compare_many",
    "compare_matrix",
    "compare_pairs",
    "load_model",
]
