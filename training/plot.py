"""Draws the losses of a run."""

from __future__ import annotations

from itertools import accumulate
from pathlib import Path

import click
import matplotlib as mpl
import numpy as np
from matplotlib.figure import Figure

from training import checkpoint

SMOOTH = 20


@click.command()
@click.option(
    "--run",
    type=click.Path(path_type=Path, exists=True, file_okay=False),
    required=True,
    help="Folder that training.train wrote.",
)
@click.option("--out", type=click.Path(path_type=Path), required=True, help="The PNG to write.")
def main(run: Path, out: Path) -> None:
    """Draw the training and held-out losses of a run over the tokens it has read."""
    try:
        plot(run, out)
    except (OSError, ValueError) as error:
        raise click.ClickException(str(error)) from error


def plot(run: Path, out: Path) -> None:
    """Write a PNG of the loss (nats a token) over the tokens read (millions)."""
    records = checkpoint.read_log(run)
    if not records:
        raise FileNotFoundError(f"no steps in {run / 'log.jsonl'}: run training.train first")
    losses = np.array([record["loss"] for record in records])
    tokens = np.array(list(accumulate(record["tokens"] for record in records))) / 1e6
    mpl.use("agg")
    figure = Figure(figsize=(7, 4), layout="constrained")
    axes = figure.subplots()
    axes.plot(tokens, losses, color="0.8", linewidth=0.8, label="training, each step")
    axes.plot(tokens, _smooth(losses), color="tab:blue", label=f"training, mean of {SMOOTH} steps")
    held = [i for i, record in enumerate(records) if "heldout" in record]
    held_losses = [records[i]["heldout"] for i in held]
    axes.plot(tokens[held], held_losses, "o-", color="tab:orange", label="held out, all sources")
    axes.set(xlabel="tokens read (millions)", ylabel="loss (nats a token)")
    axes.set_ylim(top=min(losses.max(), 2.2 * losses.min()))
    axes.grid(alpha=0.3)
    axes.legend()
    out.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(out, dpi=130)


def _smooth(values: np.ndarray[tuple[int], np.dtype[np.float64]]) -> list[float]:
    """Mean of each value and those before it, SMOOTH at most."""
    return [float(values[max(0, i - SMOOTH + 1) : i + 1].mean()) for i in range(len(values))]


if __name__ == "__main__":
    main()
