"""Tells on standard error, also in a file of a batch job, how far a run is."""

import time

import click

from eval.run import Advance

# Seconds between two lines.
EVERY = 30.0


def progress_lines(total: int) -> Advance:
    """Return what prints now and then how many scores are done and how long the rest will last."""
    began = last = time.monotonic()
    done = before = 0

    def advance(scored: int, earlier: int) -> None:
        nonlocal done, before, last
        done, before, now = done + scored, before + earlier, time.monotonic()
        if earlier:
            click.echo(f"going on: {earlier} of {total} scores are there", err=True)
        if done and now - last > EVERY:
            last, rate = now, done / (now - began)
            left = (total - before - done) / rate / 60
            click.echo(
                f"{before + done} of {total} scores, {rate:.1f} a second, {left:.0f} min left",
                err=True,
            )

    return advance
