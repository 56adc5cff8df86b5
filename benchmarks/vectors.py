"""Spearman correlation against tokens a text, for settings of meaning vectors.

Run as `python -m benchmarks.vectors --data FOLDER`, where the folder holds stsb-dev.tsv and
stsb-train.tsv; with --corpus files they are fitted to those instead of the sentences of train.
"""

from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path

import click
import numpy as np

from eval.datasets import Source, load_task
from eval.pair_files import ScoredPair
from eval.protocol import spearman
from eval.unlabelled import read_unlabelled
from similarity.cli.options import open_model
from similarity.models.loader import EMBEDDED
from similarity.prompts import PROMPTS
from similarity.vectors import MeaningVectors, VectorConfig, fit
from similarity.vectors.config import FEATURE_SETS
from similarity.vectors.corpus import read_corpus
from similarity.vectors.scorer import VectorScorer

FULL, TOP = FEATURE_SETS["full"], FEATURE_SETS["top"]
CONFIGS: dict[str, VectorConfig] = {
    "full": FULL,
    "full, another draw": replace(FULL, seed=1),
    "full, no prompt": replace(FULL, prompt=PROMPTS["none"]),
    "full, prompt with a last space": replace(FULL, prompt=PROMPTS["implies"]),
    "full, 4 × 8": replace(FULL, n_references=4, reference_tokens=8),
    "full, 16 × 4": replace(FULL, n_references=16),
    "full, tokens weighed alike": replace(FULL, smoothing=1e9),
    "full, rank 256": replace(FULL, rank=256),
    **{f"top {k}": replace(TOP, top_k=k) for k in (5, 20, 100)},
    "top 20 and scored": replace(TOP, trajectories=1),
    "top 20, 16 × 8": replace(TOP, n_references=16, reference_tokens=8, projection=16),
    "top 20 and scored, 16 × 8": replace(
        TOP, trajectories=1, n_references=16, reference_tokens=8, projection=16
    ),
    "scored": FEATURE_SETS["scored"],
}

# Texts of which it is asked how much of the probability is read.
MASS_TEXTS = 200


@click.command()
@click.option("--data", type=click.Path(path_type=Path, exists=True), required=True)
@click.option("--corpus", "files", type=click.Path(path_type=Path, exists=True), multiple=True)
@click.option("--texts", "count", default=3000, show_default=True, help="To fit to, at most.")
@click.option("--model", "model_name", default=EMBEDDED, show_default=True)
@click.option("--config", "names", default=tuple(CONFIGS), multiple=True)
def main(
    data: Path, files: Sequence[Path], count: int, model_name: str, names: Sequence[str]
) -> None:
    """Print a row for each setting and for each of its groups alone, as it is measured."""
    source = Source(str(data))
    dev = load_task("stsb-dev", source)
    if files:
        texts: Sequence[str] = list(read_corpus(files, max(1, count // len(files))))
    else:
        unlabelled = read_unlabelled(None, source, [dev], ("stsb-train",)).texts
        texts = np.random.default_rng(0).permutation(unlabelled)[:count].tolist()
    model = open_model(model_name, "auto", "auto")
    print("| vectors | groups | width | tokens a text | probability read | Spearman × 100 |")
    print("|---|---|---|---|---|---|")
    for name in names:
        for vectors in _with_groups_alone(fit(model, texts, CONFIGS[name])):
            print(f"| {name} | {_row(vectors, dev)} |", flush=True)


def _with_groups_alone(vectors: MeaningVectors) -> Iterator[MeaningVectors]:
    yield vectors
    if len(vectors.groups) > 1:
        yield from (vectors.only(group) for group in vectors.groups)


def _row(vectors: MeaningVectors, dev: Sequence[ScoredPair]) -> str:
    scores = VectorScorer(vectors).score([(pair.first, pair.second) for pair in dev])
    figure = spearman([-score.distance for score in scores], [pair.score for pair in dev])
    texts = list(dict.fromkeys(text for pair in dev for text in (pair.first, pair.second)))
    tokens = np.mean(vectors.tokens(texts))
    groups = " + ".join(vectors.groups)
    mass = f"{_mass(vectors, texts[:MASS_TEXTS]):.1%}" if vectors.config.top_k else ""
    return f"{groups} | {vectors.width} | {tokens:.0f} | {mass} | {figure:.1f}"


def _mass(vectors: MeaningVectors, texts: Sequence[str]) -> float:
    """Return how much of the probability the most probable tokens have, on average."""
    return float(np.mean([(roots**2).sum(1) for _, roots in vectors.reader.top_roots(texts)]))


if __name__ == "__main__":
    main()
