"""What a heavy client costs the others: latency of cheap pairs alone, and beside it.

The heavy client asks for one large matrix, or long trajectories of many targets, after the other.
Cheap pairs come one at a time. The bound is three times the 99th percentile alone, and the
quarter of a second that the calls of the model may take. The cache is off.
Run as `python -m benchmarks.fairness --help`.
"""

import itertools
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import click
import httpx
import numpy as np
from rich.table import Table

from benchmarks.loadtest import new_pairs, served
from similarity.cli.tables import console
from similarity.models.loader import EMBEDDED
from similarity.presets import PAPER, PRESETS

# Times what it is alone, and seconds, that a cheap request may take at the 99th percentile.
TIMES, SECONDS = 3.0, 0.25

Body = dict[str, Any]


@click.command()
@click.option("--model", "model_name", default=EMBEDDED, show_default=True)
@click.option("--preset", type=click.Choice(PRESETS), default=PAPER, show_default=True)
@click.option("--seconds", default=60.0, show_default=True, help="Of cheap requests in each part.")
def main(model_name: str, preset: str, seconds: float) -> None:
    """Print percentiles of cheap requests alone and beside each heavy client."""
    table = Table(title=f"cheap pairs of {preset} on {model_name}, seconds")
    for column in ("beside", "requests", "p50", "p99", "longest", "bound", "p99 of bound"):
        table.add_column(column)
    with served(model_name, preset) as url:
        pairs = new_pairs()
        cheap_requests(url, pairs, min(10.0, seconds))
        alone = cheap_requests(url, pairs, seconds)
        bound = TIMES * percentile(alone, 99) + SECONDS
        add_row(table, "nobody", alone, bound)
        for name, bodies in (("a matrix", matrices), ("long targets", long_targets)):
            with heavy_client(url, bodies):
                add_row(table, name, cheap_requests(url, pairs, seconds), bound)
    console().print(table)


def matrices() -> Iterator[Body]:
    """Yield matrices of 40 texts that never repeat, by trajectories."""
    for number in itertools.count():
        rows = [f"Row {i} of matrix {number} tells of a river." for i in range(40)]
        yield {"rows": rows, "preset": "paper"}


def long_targets() -> Iterator[Body]:
    """Yield a text and ten targets, each with 100 trajectories of 128 tokens."""
    for number in itertools.count():
        targets = [f"Target {i} of list {number} tells of a river." for i in range(10)]
        sizes = {"n_trajectories": 100, "max_tokens": 128}
        yield {"source": f"Source {number}.", "targets": targets, **sizes}


@contextmanager
def heavy_client(url: str, bodies: Callable[[], Iterator[Body]]) -> Iterator[None]:
    """Have a client send one heavy request after the other; those it is left with are given up."""
    ended = threading.Event()

    def send() -> None:
        for body in bodies():
            if ended.is_set():
                return
            # The end of the block does not wait for an answer.
            try:
                httpx.post(f"{url}/v1/similarity", json=body, timeout=20)
            except httpx.TimeoutException:
                continue

    thread = threading.Thread(target=send)
    thread.start()
    try:
        time.sleep(2)
        yield
    finally:
        ended.set()
        thread.join()


def cheap_requests(url: str, pairs: Iterator[tuple[str, str]], seconds: float) -> list[float]:
    """Return the latency of each pair that was asked for one after the other."""
    found = []
    end = time.monotonic() + seconds
    with httpx.Client(base_url=url, timeout=60) as http:
        while time.monotonic() < end:
            began = time.monotonic()
            answer = http.post("/v1/similarity", json={"pairs": [next(pairs)]})
            answer.raise_for_status()
            found.append(time.monotonic() - began)
    return found


def percentile(latencies: list[float], share: float) -> float:
    """Return the seconds that so many in a hundred took at most."""
    return float(np.percentile(latencies, share))


def add_row(table: Table, beside: str, latencies: list[float], bound: float) -> None:
    """Add what was measured."""
    p50, p99, longest = (percentile(latencies, share) for share in (50, 99, 100))
    numbers = [f"{value:.3f}" for value in (p50, p99, longest, bound)]
    table.add_row(beside, str(len(latencies)), *numbers, f"{p99 / bound:.0%}")


if __name__ == "__main__":
    main()
