"""The service under load: throughput and latency at 1, 4, 16 and 64 clients, beside offline.

Each client sends one pair of new texts after the other. The cache is off, so nothing is answered
from memory. Run as `make loadtest`, or `python -m benchmarks.loadtest --help`.
"""

import asyncio
import itertools
import re
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

import click
import httpx
import numpy as np
from rich.table import Table

from similarity.cli.choices import ModelChoice, open_model
from similarity.cli.tables import console
from similarity.models.loader import EMBEDDED
from similarity.presets import PAPER, PRESETS
from similarity.scorers import open_scorer

SUBJECTS = ("A man", "Two children", "The council", "An old bridge", "Her brother", "The museum")
VERBS = ("looks at", "waits for", "writes about", "is covered by", "asks for", "moves around")
OBJECTS = ("a guitar", "the new budget", "the river", "a brown dog", "some paintings", "the rain")
CLIENTS = (1, 4, 16, 64)

Pair = tuple[str, str]


@dataclass
class Level:
    """What was measured at one number of clients; latencies in seconds."""

    clients: int
    seconds: float = 0.0
    latencies: list[float] = field(default_factory=list)
    statuses: Counter[int] = field(default_factory=Counter)

    @property
    def throughput(self) -> float:
        """Pairs answered a second."""
        return self.statuses[200] / self.seconds


@click.command()
@click.option("--model", "model_name", default=EMBEDDED, show_default=True)
@click.option("--preset", type=click.Choice(PRESETS), default=PAPER, show_default=True)
@click.option("--seconds", default=30.0, show_default=True, help="At each number of clients.")
@click.option("--pairs", "count", default=96, show_default=True, help="For the offline figure.")
def main(model_name: str, preset: str, seconds: float, count: int) -> None:
    """Print a table of throughput and latency, and the ratio to offline."""
    pairs = new_pairs()
    before = offline_throughput(model_name, preset, list(itertools.islice(pairs, count)))
    with served(model_name, preset) as url:
        asyncio.run(load(url, 1, min(5.0, seconds), pairs))
        levels = [asyncio.run(load(url, clients, seconds, pairs)) for clients in CLIENTS]
    # A machine that others use changes under one's hands: seen by measuring offline twice.
    after = offline_throughput(model_name, preset, list(itertools.islice(pairs, count)))
    print_table(f"{model_name}, {preset}", (before, after), levels)


def new_pairs() -> Iterator[Pair]:
    """Yield pairs of texts that never repeat."""
    words = itertools.cycle(itertools.product(SUBJECTS, VERBS, OBJECTS))
    texts = (f"{' '.join(chosen)} ({i})." for i, chosen in enumerate(words))
    while True:
        yield next(texts), next(texts)


def offline_throughput(model_name: str, preset: str, pairs: list[Pair]) -> float:
    """Return pairs a second of the library, all pairs in one call."""
    scorer = open_scorer(open_model(ModelChoice(model_name)), preset)
    scorer.score(pairs[:2])
    begin = time.perf_counter()
    scorer.score(pairs)
    return len(pairs) / (time.perf_counter() - begin)


@contextmanager
def served(model_name: str, preset: str) -> Iterator[str]:
    """Run `trajsim serve` without its cache; give its address."""
    options = ["--model", model_name, "--preset", preset, "--port", "0", "--cache-megabytes", "0"]
    command = [sys.executable, "-m", "similarity", "serve", "--log-level", "warning", *options]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        for line in process.stdout:
            if found := re.search(r"ready: (http://\S+)", line):
                break
        else:
            raise click.ClickException("the service did not start")
        try:
            yield found[1]
        finally:
            process.terminate()


async def load(url: str, clients: int, seconds: float, pairs: Iterator[Pair]) -> Level:
    """Have some clients ask for some time; what is under way at the end is waited for."""
    level = Level(clients)
    begin = time.perf_counter()
    limits = httpx.Limits(max_connections=clients)
    async with httpx.AsyncClient(base_url=url, timeout=600, limits=limits) as http:

        async def ask() -> None:
            while time.perf_counter() - begin < seconds:
                asked = time.perf_counter()
                answer = await http.post("/v1/similarity", json={"pairs": [list(next(pairs))]})
                level.latencies.append(time.perf_counter() - asked)
                level.statuses[answer.status_code] += 1

        await asyncio.gather(*(ask() for _ in range(clients)))
    level.seconds = time.perf_counter() - begin
    return level


def print_table(what: str, offline: tuple[float, float], levels: list[Level]) -> None:
    """Print what was measured, beside the better of the two offline figures."""
    before, after = offline
    table = Table(
        title=f"{what}, one pair a request; offline {before:.2f}/s before, {after:.2f}/s after"
    )
    for column in ("clients", "pairs/s", "of offline", "p50 s", "p95 s", "p99 s", "answers"):
        table.add_column(column, justify="right")
    for level in levels:
        p50, p95, p99 = np.percentile(level.latencies, [50, 95, 99])
        table.add_row(
            str(level.clients),
            f"{level.throughput:.2f}",
            f"{100 * level.throughput / max(offline):.0f} %",
            *(f"{seconds:.2f}" for seconds in (p50, p95, p99)),
            ", ".join(f"{n} × {status}" for status, n in sorted(level.statuses.items())),
        )
    console().print(table)


if __name__ == "__main__":
    main()
