"""Pairs a second through vLLM servers and in this process: same model, same pairs, same run.

Run as `python -m benchmarks.servers --server http://127.0.0.1:8000`.
"""

import click
import torch
from rich.table import Table

from benchmarks.pairs import make_pairs, pairs_a_second
from similarity.api import compare_pairs
from similarity.cli.tables import console
from similarity.config import ComparisonConfig
from similarity.models.base import LanguageModel
from similarity.models.loader import EMBEDDED, load_model

# Pairs in flight at a time, and how many pairs are timed so.
SETTINGS = ((1, 4), (8, 16), (64, 64))


@click.command()
@click.option("--server", required=True, help="Address of one or more servers.")
@click.option("--model", "model_name", default=EMBEDDED, show_default=True)
def main(server: str, model_name: str) -> None:
    """Print pairs a second at several numbers of pairs in flight."""
    ways = {"server": load_model(server), "in process": load_model(model_name)}
    table = Table(title=f"n = m = 20, {torch.get_num_threads()} threads in process")
    table.add_column("pairs in flight", justify="right")
    for way in ways:
        table.add_column(f"{way}, pairs/s", justify="right")
    for model in ways.values():
        _speed(model, 2, 2)
    for in_flight, count in SETTINGS:
        speeds = (_speed(model, in_flight, count) for model in ways.values())
        table.add_row(str(in_flight), *(f"{speed:.2f}" for speed in speeds))
    console().print(table)


def _speed(model: LanguageModel, in_flight: int, count: int) -> float:
    """Time `count` pairs, `in_flight` in one call."""
    pairs = make_pairs(count)
    config = ComparisonConfig()
    parts = [pairs[start : start + in_flight] for start in range(0, count, in_flight)]
    return pairs_a_second(count, lambda: [compare_pairs(model, part, config) for part in parts])


if __name__ == "__main__":
    main()
