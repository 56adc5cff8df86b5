"""Spearman correlation against tokens a pair, for every pair estimator.

Run as `python -m benchmarks.estimators --data FOLDER`, where the folder holds stsb-dev.tsv and
stsb-train.tsv.
"""

import random
from collections.abc import Sequence
from pathlib import Path

import click

from eval.datasets import Source, load_task
from eval.methods.base import Setting
from eval.methods.scorers import ESTIMATOR_METHODS
from eval.pair_files import ScoredPair
from eval.protocol import spearman
from similarity.cli.choices import ModelChoice, open_model
from similarity.config import ComparisonConfig
from similarity.models.loader import EMBEDDED


@click.command()
@click.option("--data", type=click.Path(path_type=Path, exists=True), required=True)
@click.option("--model", "model_name", default=EMBEDDED, show_default=True)
@click.option("--pairs", "count", default=250, show_default=True, help="Of STS-B dev.")
@click.option("--shuffled", is_flag=True, help="Pairs at random, seed 0, and not the first ones.")
@click.option("--n", "sizes", default=(1, 5), multiple=True, show_default=True)
@click.option("--estimator", "names", default=tuple(ESTIMATOR_METHODS), multiple=True)
def main(
    data: Path,
    model_name: str,
    count: int,
    shuffled: bool,
    sizes: Sequence[int],
    names: Sequence[str],
) -> None:
    """Print a row for each estimator and number of trajectories, as it is measured."""
    source = Source(str(data))
    dev = load_task("stsb-dev", source)
    if shuffled:
        random.Random(0).shuffle(dev)
    held_out = _texts(load_task("stsb-train", source)) - _texts(dev)
    unlabelled = random.Random(0).sample(sorted(held_out), 1000)
    model = open_model(ModelChoice(model_name))
    pairs = [(pair.first, pair.second) for pair in dev[:count]]
    judgements = [pair.score for pair in dev[:count]]
    for n in sizes:
        config = ComparisonConfig.build(n_trajectories=n)
        setting = Setting(model=model, config=config, unlabelled=unlabelled)
        for name in names:
            method = ESTIMATOR_METHODS[name](setting)
            # Sampled from two texts, then read under the other text and the bank.
            tokens = 2 * n * config.sampling.max_tokens * (2 + len(method.settings["bank"]))
            correlation = spearman(method.score(pairs), judgements)
            click.echo(f"{name:26} n={n:<3} {tokens:5} tokens a pair  {correlation:5.1f}")


def _texts(pairs: Sequence[ScoredPair]) -> set[str]:
    return {text for pair in pairs for text in (pair.first, pair.second)}


if __name__ == "__main__":
    main()
