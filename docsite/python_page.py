"""The reference of the Python library: which names; mkdocstrings writes them from the code."""

import similarity
import similarity.vectors

CALLS = ("similarity", "one_to_many", "matrix", "rerank", "trajectories", "likelihoods")
# By heading: what users import, by full name.
NAMES = {
    "Models": ("similarity.load_model",),
    "Comparisons": (
        "similarity.compare",
        "similarity.compare_pairs",
        "similarity.compare_many",
        "similarity.compare_matrix",
        "similarity.compare_to_tolerance",
        "similarity.open_scorer",
        "similarity.Scorer",
    ),
    "Results": (
        "similarity.Score",
        "similarity.Comparison",
        "similarity.SimilarityMatrix",
        "similarity.Interval",
    ),
    "Settings": (
        "similarity.ComparisonConfig",
        "similarity.SamplingConfig",
        "similarity.Law",
        "similarity.Prompt",
        "similarity.Tolerance",
    ),
    "Meaning vectors": tuple(f"similarity.vectors.{name}" for name in similarity.vectors.__all__),
    "Errors": (
        "similarity.TrajsimError",
        "similarity.ConfigError",
        "similarity.InputError",
        "similarity.ModelError",
    ),
    "The client": (
        "service.client.Client",
        "service.client.AsyncClient",
        # The methods of both, which are made of them.
        *(f"service.client.calls.{name}" for name in CALLS),
        "service.client.image",
        "service.client.values",
        "service.client.explanations",
    ),
    "Many texts": (
        "similarity.tiles",
        "similarity.groups.clustering",
        "similarity.vectors.index",
        "similarity.groups.consensus",
        "similarity.entailment",
        "similarity.meaning",
    ),
    "Other packages": (
        "similarity.compat.cross_encoder",
        "similarity.compat.sentence_encoder",
        "similarity.compat.agreement",
        "eval.adapters.mteb_models",
        "eval.adapters.senteval",
    ),
}


def python_page() -> str:
    """Return the page: a heading for each kind of name, and the names under it."""
    parts = ["# Python", f"`import trajsim` is the same as `import {similarity.__name__}`."]
    for heading, names in NAMES.items():
        parts += [f"## {heading}", *(f"::: {name}" for name in names)]
    return "\n\n".join(parts) + "\n"
