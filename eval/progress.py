"""Tells on standard error, also in a file of a batch job, how far a run is."""

import time

import click

from eval.methods.scorers import ScorerMethod
from eval.plan import Chunk, Plan
from eval.run import Advance

# Seconds between two lines.
EVERY = 30.0


def progress_lines(plan: Plan) -> Advance:
    """Return what prints now and then how far the plan is and how long the rest will last.

    The time left is that of the trajectories' pairs: next to them most else takes little.
    """
    slow = {
        name
        for name, method in plan.methods.items()
        if isinstance(method, ScorerMethod) and method.samples
    }
    total = sum(map(len, plan.tasks.values())) * len(slow)
    began = last = time.monotonic()
    done = before = 0
    announced = True

    def advance(chunk: Chunk, earlier: bool) -> None:
        nonlocal done, before, last, announced
        pairs = len(chunk.pairs) if chunk.method in slow else 0
        if earlier:
            before, announced = before + pairs, False
            return
        if not announced:
            click.echo(f"going on: {before} of {total} pairs are there", err=True)
        now, done, announced = time.monotonic(), done + pairs, True
        if now - last > EVERY:
            last = now
            rate = done / (now - began)
            left = f", {(total - before - done) / rate / 60:.0f} min left" if pairs else ""
            scored = f"{before + done} of {total} pairs"
            click.echo(f"{chunk.task}, {chunk.method}: {scored}{left}", err=True)

    return advance
