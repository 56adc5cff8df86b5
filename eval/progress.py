"""Tells on standard error, also in a file of a batch job, how far a run is."""

import time

import click

from eval.methods.trajectories import Trajectories
from eval.plan import Chunk, Plan
from eval.run import Advance

# Seconds between two lines.
EVERY = 30.0


def progress_lines(plan: Plan) -> Advance:
    """Return what prints now and then how far the plan is and how long the rest will last.

    The trajectories' pairs are what is counted: next to them all else takes no time.
    """
    slow = {name for name, method in plan.methods.items() if isinstance(method, Trajectories)}
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
        if done and now - last > EVERY:
            last, rate = now, done / (now - began)
            left = (total - before - done) / rate / 60
            click.echo(
                f"{chunk.task}: {before + done} of {total} pairs, {rate:.1f} a second, "
                f"{left:.0f} min left",
                err=True,
            )

    return advance
