"""Meaning vectors through vLLM servers and in this process: the same texts, in the same run.

Run as `python -m benchmarks.served_vectors --server http://127.0.0.1:8000 --data FOLDER`, where
the folder holds stsb-dev.tsv and stsb-train.tsv.
"""

import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import click
import numpy as np

from eval.datasets import Source, load_task, spread
from eval.pair_files import ScoredPair
from eval.protocol import spearman
from eval.unlabelled import read_unlabelled
from similarity.arrays import FloatArray
from similarity.cli.options import open_model
from similarity.models.base import LanguageModel
from similarity.models.loader import EMBEDDED, load_model
from similarity.vectors import MeaningVectors, VectorConfig, fit
from similarity.vectors.config import FEATURE_SETS
from similarity.vectors.scorer import VectorScorer


@dataclass(frozen=True)
class Measured:
    """Vectors fitted in one way, the cosines of all pairs, and how long either took."""

    vectors: MeaningVectors
    cosines: FloatArray
    fitted: float
    encoded: float


@click.command()
@click.option("--server", required=True, help="Address of one or more servers.")
@click.option("--data", type=click.Path(path_type=Path, exists=True), required=True)
@click.option("--texts", "count", default=1000, show_default=True, help="To fit to.")
@click.option("--pairs", "pair_count", default=200, show_default=True, help="Of STS-B dev.")
@click.option("--features", type=click.Choice(list(FEATURE_SETS)), default="top", show_default=True)
@click.option("--model", "model_name", default=EMBEDDED, show_default=True)
def main(
    server: str, data: Path, count: int, pair_count: int, features: str, model_name: str
) -> None:
    """Print Spearman correlation, seconds and tokens of both ways, and how far they are apart."""
    source, config = Source(str(data)), FEATURE_SETS[features]
    dev = load_task("stsb-dev", source)
    unlabelled = read_unlabelled(None, source, [dev], ("stsb-train",)).texts
    texts = np.random.default_rng(0).permutation(unlabelled)[:count].tolist()
    pairs = spread(dev, pair_count)
    served, here = load_model(server), open_model(model_name, "auto", "auto")
    # A server has noise of its own: both read along the trajectories that it samples.
    here.sample = served.sample  # type: ignore[method-assign]
    print(
        "| way | Spearman × 100 | tokens read a text | fit, s | embed, s |\n|---|---|---|---|---|"
    )
    found = {"server": _measure(served, texts, config, pairs)}
    found["in process"] = _measure(here, texts, config, pairs)
    tokens = {"server": _tokens_of_prompts(here, found["server"].vectors, _texts(pairs))}
    tokens["in process"] = float(np.mean(found["in process"].vectors.tokens(_texts(pairs))))
    for way, one in found.items():
        figure = spearman(one.cosines.tolist(), [pair.score for pair in pairs])
        seconds = f"{one.fitted:.1f} | {one.encoded:.1f}"
        print(f"| {way} | {figure:.2f} | {tokens[way]:.0f} | {seconds} |")
    apart = np.abs(found["server"].cosines - found["in process"].cosines)
    print(f"{len(_texts(pairs))} texts; cosines differ by {apart.max():.2g} at most")


def _measure(
    model: LanguageModel, texts: Sequence[str], config: VectorConfig, pairs: Sequence[ScoredPair]
) -> Measured:
    started = time.perf_counter()
    vectors = fit(model, texts, config)
    fitted = time.perf_counter()
    scores = VectorScorer(vectors).score([(pair.first, pair.second) for pair in pairs])
    cosines = np.array([1 - score.distance for score in scores])
    return Measured(vectors, cosines, fitted - started, time.perf_counter() - fitted)


def _texts(pairs: Sequence[ScoredPair]) -> list[str]:
    return list(dict.fromkeys(text for pair in pairs for text in (pair.first, pair.second)))


def _tokens_of_prompts(
    model: LanguageModel, vectors: MeaningVectors, texts: Sequence[str]
) -> float:
    """Return how many tokens a server reads of a text: its prefix with each trajectory."""
    config = vectors.config
    prefixes = [model.encode(config.prompt.apply(text)) for text in texts]
    own = float(np.mean([len(prefix) for prefix in prefixes])) + config.reference_tokens
    return config.n_references * own * len(config.groups)


if __name__ == "__main__":
    main()
