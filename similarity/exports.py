"""The names of `import similarity`, which are imported when one is asked for."""

from similarity.api import (
    compare,
    compare_many,
    compare_matrix,
    compare_pairs,
    compare_to_tolerance,
)
from similarity.config import ComparisonConfig, SamplingConfig
from similarity.errors import ConfigError, InputError, ModelError, TrajsimError
from similarity.law import Law
from similarity.models.loader import load_model
from similarity.prompts import Prompt
from similarity.results import Comparison, Score, SimilarityMatrix
from similarity.scorer import Scorer
from similarity.scorers import open_scorer
from similarity.uncertainty import Interval, Tolerance
from similarity.version import __version__

__all__ = [
    "Comparison",
    "ComparisonConfig",
    "ConfigError",
    "InputError",
    "Interval",
    "Law",
    "ModelError",
    "Prompt",
    "SamplingConfig",
    "Score",
    "Scorer",
    "SimilarityMatrix",
    "Tolerance",
    "TrajsimError",
    "__version__",
    "compare",
    "compare_many",
    "compare_matrix",
    "compare_pairs",
    "compare_to_tolerance",
    "load_model",
    "open_scorer",
]
