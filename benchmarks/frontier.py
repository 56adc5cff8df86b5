"""Spearman correlation against tokens a pair, for every way to compare: on the same pairs.

Run as `python -m benchmarks.frontier --data FOLDER --corpus FILE … --out frontier.json --plot
frontier.png`, where the folder holds stsb-dev.tsv and stsb-train.tsv, and the files have general
text without labels. What is in the JSON file is not measured again.
"""

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import click
import matplotlib as mpl
import numpy as np
from matplotlib.figure import Figure

from eval.datasets import Source, load_task, spread
from eval.methods.base import Setting
from eval.methods.lexical import word_overlap
from eval.methods.scorers import ESTIMATOR_METHODS
from eval.pair_files import ScoredPair
from eval.protocol import spearman
from eval.run import write_json
from eval.unlabelled import read_unlabelled
from similarity.cli.options import open_model
from similarity.config import ComparisonConfig
from similarity.distances import DISTANCES
from similarity.models.base import LanguageModel
from similarity.models.loader import EMBEDDED
from similarity.pipeline import TrajectoryScorer
from similarity.prompts import PROMPTS
from similarity.vectors import VectorConfig, fit
from similarity.vectors.config import FEATURE_SETS
from similarity.vectors.corpus import read_corpus
from similarity.vectors.scorer import VectorScorer

NUMBERS = (1, 2, 5, 10, 20)
STEPS = {"step-total-variation": (1, 2, 5), "relative-total-variation": (1, 2, 5)}
FULL = FEATURE_SETS["full"]
VECTORS: dict[str, VectorConfig] = {
    "1 × 1": replace(FULL, n_references=1, reference_tokens=1),
    "2 × 2": replace(FULL, n_references=2, reference_tokens=2),
    "4 × 4": replace(FULL, n_references=4),
    "8 × 4": FULL,
    "8 × 4, no prompt": replace(FULL, prompt=PROMPTS["none"]),
    "16 × 8": replace(FULL, n_references=16, reference_tokens=8),
    "scored 16 × 8": FEATURE_SETS["scored"],
}
FAMILIES = {
    "paper, L1": ("o", "tab:gray"),
    "step-total-variation": ("v", "tab:olive"),
    "relative-total-variation": ("^", "tab:green"),
    "vectors, domain": ("s", "tab:red"),
    "vectors, general": ("D", "tab:blue"),
}

# What no model reads has no place on the axis of tokens, and is a line.
FREE = {"words": "0.5", "vectors, domain": "tab:red", "vectors, general": "tab:blue"}

Point = dict[str, Any]


class Points:
    """What was measured, on disk as soon as it is."""

    def __init__(self, path: Path, judged: Sequence[ScoredPair]) -> None:
        self._path = path
        self._judgements = [pair.score for pair in judged]
        self.all: list[Point] = json.loads(path.read_text()) if path.exists() else []

    def has(self, family: str, name: str) -> bool:
        """Whether a point is measured."""
        return any((point["family"], point["name"]) == (family, name) for point in self.all)

    def add(self, family: str, name: str, tokens: float, scores: Sequence[float]) -> None:
        """Keep and print a point."""
        figure = spearman(list(scores), self._judgements)
        self.all.append({"family": family, "name": name, "tokens": tokens, "spearman": figure})
        write_json(self._path, self.all)
        click.echo(f"{family:26} {name:28} {tokens:7.0f} tokens a pair {figure:6.1f}")


@click.command()
@click.option("--data", type=click.Path(path_type=Path, exists=True), required=True)
@click.option("--corpus", "files", type=click.Path(path_type=Path, exists=True), multiple=True)
@click.option("--pairs", "count", default=300, show_default=True, help="Spread over STS-B dev.")
@click.option("--texts", default=3000, show_default=True, help="To fit vectors to.")
@click.option("--model", "model_name", default=EMBEDDED, show_default=True)
@click.option("--out", type=click.Path(path_type=Path), default=Path("frontier.json"))
@click.option("--plot", type=click.Path(path_type=Path), default=Path("frontier.png"))
def main(
    data: Path,
    files: Sequence[Path],
    count: int,
    texts: int,
    model_name: str,
    out: Path,
    plot: Path,
) -> None:
    """Print a row for each point as it is measured, and draw them all."""
    source = Source(str(data))
    dev = load_task("stsb-dev", source)
    judged = spread(dev, count)
    model = open_model(model_name, "auto", "auto")
    points = Points(out, judged)
    pairs = [(pair.first, pair.second) for pair in judged]
    if not points.has("words", "overlap"):
        points.add("words", "overlap", 0, [word_overlap(*pair) for pair in pairs])
    domain = read_unlabelled(None, source, [dev], ("stsb-train",)).texts
    corpora = {"domain": np.random.default_rng(0).permutation(domain)[:texts].tolist()}
    if files:
        corpora["general"] = list(read_corpus(files, max(1, texts // len(files))))
    measure_vectors(points, model, corpora, pairs)
    measure_steps(points, model, pairs)
    measure_paper(points, model, pairs)
    draw(points.all, plot)


def measure_paper(points: Points, model: LanguageModel, pairs: Sequence[tuple[str, str]]) -> None:
    """Measure the paper's distance: n trajectories are the first n of more."""
    most, family = max(NUMBERS), "paper, L1"
    if all(points.has(family, f"n = {n}") for n in NUMBERS):
        return
    config = ComparisonConfig.build(n_trajectories=most)
    rows = [found.log_likelihoods for found in TrajectoryScorer(model, config).score(pairs)]
    for n in NUMBERS:
        kept = [np.concatenate([row[:, :n], row[:, most : most + n]], axis=1) for row in rows]
        tokens = 4 * n * config.sampling.max_tokens
        points.add(family, f"n = {n}", tokens, [-DISTANCES["l1"](*row) for row in kept])


def measure_steps(points: Points, model: LanguageModel, pairs: Sequence[tuple[str, str]]) -> None:
    """Measure the estimators that read whole next-token distributions."""
    for family, numbers in STEPS.items():
        for n in numbers:
            if points.has(family, f"n = {n}"):
                continue
            config = ComparisonConfig.build(n_trajectories=n)
            method = ESTIMATOR_METHODS[family](Setting(model=model, config=config))
            # Sampled from two texts, then read under the other text and the bank.
            tokens = 2 * n * config.sampling.max_tokens * (2 + len(method.settings["bank"]))
            points.add(family, f"n = {n}", tokens, method.score(pairs))


def measure_vectors(
    points: Points,
    model: LanguageModel,
    corpora: Mapping[str, Sequence[str]],
    pairs: Sequence[tuple[str, str]],
) -> None:
    """Measure vectors of several settings, and each group of their features alone."""
    for corpus, texts in corpora.items():
        for name, config in VECTORS.items():
            family = f"vectors, {corpus}"
            if points.has(family, name):
                continue
            vectors = fit(model, texts, config)
            # The cosine of two vectors is the mean of their groups' by the groups' weights.
            cosines = {
                group: [1 - s.distance for s in VectorScorer(vectors.only(group)).score(pairs)]
                for group in vectors.groups
            }
            distinct = list(dict.fromkeys(text for pair in pairs for text in pair))
            for label, groups in _parts(name, vectors.groups):
                if points.has(family, label):
                    continue
                tokens = 2 * float(np.mean(vectors.only(*groups).tokens(distinct)))
                weights = [config.weight(group) for group in groups]
                scores = np.average([cosines[group] for group in groups], axis=0, weights=weights)
                points.add(family, label, tokens, scores.tolist())


def _parts(name: str, groups: tuple[str, ...]) -> Iterator[tuple[str, tuple[str, ...]]]:
    """Yield some of the groups, then all: the name of all stands for the whole setting."""
    if "states" in groups:
        # Those of the text alone are the same whatever the trajectories.
        yield "trigrams", ("trigrams",)
        yield "states", ("states",)
        yield "states, trigrams", ("states", "trigrams")
        yield f"distributions {name}", ("distributions",)
        yield f"distributions, states {name}", ("distributions", "states")
    yield name, groups


def draw(points: Sequence[Point], path: Path) -> None:
    """Draw correlation against tokens, with word overlap as a line."""
    mpl.use("agg")
    figure = Figure(figsize=(9, 6), layout="constrained")
    axes = figure.subplots()
    read = [point for point in points if point["tokens"] > 0]
    for family, (marker, color) in FAMILIES.items():
        some = [point for point in read if point["family"] == family]
        axes.plot(*_columns(some), marker, color=color, label=family)
        for point in some:
            place = (point["tokens"], point["spearman"])
            axes.annotate(
                point["name"], place, (4, 3), textcoords="offset points", fontsize=6, color=color
            )
    for point in points:
        if point["tokens"] == 0:
            name, color = f"{point['family']}, {point['name']}", FREE[point["family"]]
            axes.axhline(point["spearman"], color=color, linestyle=":", label=name)
    general = [point for point in read if point["family"] != "vectors, domain"]
    for style, some in (("-", read), ("--", general)):
        axes.plot(*_columns(frontier(some)), color="0.6", linestyle=style, linewidth=0.8, zorder=0)
    axes.plot([], [], "-", color="0.6", label="frontier with text of the domain")
    axes.plot([], [], "--", color="0.6", label="frontier without")
    axes.set_xscale("log")
    axes.xaxis.set_major_formatter("{x:g}")
    axes.set(xlabel="tokens a pair", ylabel="Spearman × 100")
    axes.grid(alpha=0.3)
    axes.legend(fontsize="small")
    # Without the version that matplotlib writes, equal pictures are equal files.
    figure.savefig(path, dpi=150, metadata={"Software": None})


def frontier(points: Sequence[Point]) -> list[Point]:
    """Return the points that none beats at as few tokens, from few tokens to many."""
    best: list[Point] = []
    for point in sorted(points, key=lambda point: (point["tokens"], -point["spearman"])):
        if point["tokens"] > 0 and (not best or point["spearman"] > best[-1]["spearman"]):
            best.append(point)
    return best


def _columns(points: Sequence[Point]) -> tuple[list[float], list[float]]:
    return [point["tokens"] for point in points], [point["spearman"] for point in points]


if __name__ == "__main__":
    main()
