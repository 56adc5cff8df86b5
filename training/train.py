"""Trains the embedded model on a CPU: one pass over the prepared micro-batches.

A run stopped in any way goes on from its last checkpoint when the same command is given again.
"""

from __future__ import annotations

import os
import shutil
import sys
import time
from collections.abc import Callable
from dataclasses import asdict
from functools import partial
from pathlib import Path
from typing import Any

import click
import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from training import checkpoint
from training.config import TrainConfig, faster_precision
from training.evaluate import evaluate, read_heldout, total
from training.model import IGNORE, Llama, next_tokens
from training.optim import make_optimizers, set_rates
from training.prepare import MICRO_BATCH
from training.tokens import BOS_ID, PAD_ID, load_tokenizer

# Read at the start of a process only. glibc gives big buffers back to the system at each free,
# and takes page faults to get them again. A thread that waits for the other one shall sleep:
# spinning, it takes the core on which, on a busy machine, the other one could go on.
ENVIRONMENT = {
    "OMP_WAIT_POLICY": "PASSIVE",
    "MALLOC_TOP_PAD_": str(1 << 30),
    "MALLOC_MMAP_THRESHOLD_": str(1 << 32),
    "MALLOC_TRIM_THRESHOLD_": str(1 << 33),
}
# Tokens of each source in the held-out loss of a checkpoint: enough to see it fall.
HELDOUT_TOKENS = 600
# What a run keeps of its data, so that an export needs the run only.
KEPT = ("manifest.json", "heldout.json", "tokenizer.json")

LossFunction = Callable[[Tensor], Tensor]


@click.command(context_settings={"show_default": True})
@click.option(
    "--data",
    type=click.Path(path_type=Path, exists=True, file_okay=False),
    required=True,
    help="Folder that training.prepare wrote.",
)
@click.option("--out", type=click.Path(path_type=Path), required=True, help="Folder of the run.")
@click.option("--hidden", type=int, default=256, help="Width of the residual stream.")
@click.option("--layers", type=int, default=6, help="Blocks.")
@click.option("--heads", type=int, default=4, help="Attention heads.")
@click.option("--intermediate", type=int, default=704, help="Width inside the SwiGLU.")
@click.option("--accumulate", type=int, default=3, help="Micro-batches of 4096 tokens a step.")
@click.option(
    "--steps",
    type=int,
    default=None,
    help="Steps; all of the data if not given. May be changed when a run goes on.",
)
@click.option("--muon-rate", type=float, default=0.02, help="Peak rate of the hidden matrices.")
@click.option("--adam-rate", type=float, default=0.003, help="Peak rate of all else.")
@click.option("--seed", type=int, default=0, help="Seed of the first weights.")
@click.option(
    "--precision",
    type=click.Choice(["auto", "bfloat16", "float32"]),
    default="auto",
    help="Of the matrix products; auto is bfloat16 where the processor has it, which is faster.",
)
@click.option("--checkpoint-every", type=int, default=50, help="Steps between checkpoints.")
@click.option("--threads", type=int, default=2, help="CPU threads.")
@click.option(
    "--compile/--no-compile",
    "compiled",
    default=True,
    help="Compile the model (needs a C++ compiler).",
)
def main(
    data: Path,
    out: Path,
    precision: str,
    checkpoint_every: int,
    threads: int,
    compiled: bool,
    **options: Any,
) -> None:
    """Train, or go on training."""
    torch.set_num_threads(threads)
    try:
        precision = faster_precision() if precision == "auto" else precision
        config = TrainConfig(precision=precision, **options)
        train(data, out, config, checkpoint_every=checkpoint_every, compiled=compiled)
    except (OSError, ValueError) as error:
        raise click.ClickException(str(error)) from error


def train(
    data: Path,
    out: Path,
    config: TrainConfig,
    *,
    checkpoint_every: int = 50,
    compiled: bool = True,
    stop_after: int | None = None,
) -> None:
    """Train from the last checkpoint of `out`, or from the start, to the last step.

    Parameters
    ----------
    checkpoint_every : int
        Steps between checkpoints; a run that is killed loses at most as many.
    compiled : bool
        Whether torch.compile makes the code of the loss.
    stop_after : int, optional
        Return after this step, without a checkpoint, as if killed there (for tests).
    """
    batches, lengths = _read_batches(data)
    steps = _steps(config, len(batches))
    tokenizer, heldout = load_tokenizer(data), read_heldout(data)
    torch.manual_seed(config.seed)
    model = Llama(config.model(tokenizer.get_vocab_size()))
    optimizers = make_optimizers(model, config.muon_rate, config.adam_rate)
    _claim(out, data)
    arguments = {**asdict(config), "steps": steps}
    step, seconds, plans = _restore(out, arguments, model, optimizers)
    cast = partial(torch.autocast, "cpu", torch.bfloat16, enabled=config.precision == "bfloat16")
    loss_of = _loss_function(model, cast, compiled=compiled)
    began = time.monotonic() - seconds
    while step < min(steps, stop_after or steps):
        chosen = slice(step * config.accumulate, (step + 1) * config.accumulate)
        set_rates(optimizers, step, steps)
        record = _step(model, optimizers, loss_of, batches[chosen], lengths[chosen])
        step += 1
        due = step % checkpoint_every == 0 or step == steps
        if due:
            with cast():
                scores = evaluate(model, tokenizer, heldout, HELDOUT_TOKENS)
            record["heldout"] = total(scores).loss
        seconds = time.monotonic() - began
        record |= {"step": step, "seconds": seconds}
        checkpoint.append_log(out, record)
        if due:
            progress = {"step": step, "seconds": seconds, "plans": plans}
            checkpoint.save(out, _state(arguments, model, optimizers) | progress)
        _report(record, steps, config.accumulate)


def _step(
    model: Llama,
    optimizers: list[torch.optim.Optimizer],
    loss_of: LossFunction,
    batches: NDArray[np.uint16],
    lengths: NDArray[np.int64],
) -> dict[str, float]:
    """One optimiser step; gives loss (nats a token), tokens read, norm of the gradient."""
    nats, targets, count = 0.0, 0, 0
    for batch, length in zip(batches, lengths, strict=True):
        tokens = torch.from_numpy(batch.astype(np.int64)).view(-1, int(length))
        loss = loss_of(tokens)
        # By a constant: the exact count of targets is known only after the last micro-batch,
        # and differs from it by a few per cent.
        (loss / MICRO_BATCH / len(batches)).backward()  # type: ignore[no-untyped-call]
        nats += loss.item()
        targets += int((next_tokens(tokens, BOS_ID, PAD_ID) != IGNORE).sum())
        count += int((tokens != PAD_ID).sum())
    if not np.isfinite(nats):
        raise ValueError("the loss is not finite: lower the learning rates")
    norm = torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
    for optimizer in optimizers:
        optimizer.step()
    model.zero_grad()
    return {"loss": nats / targets, "tokens": count, "norm": norm.item()}


def _loss_function(
    model: Llama, cast: Callable[[], torch.autocast], *, compiled: bool
) -> LossFunction:
    def loss_of(tokens: Tensor) -> Tensor:
        with cast():
            return model.loss(tokens, BOS_ID, PAD_ID)

    # One program for each row length: known shapes make the faster code.
    return torch.compile(loss_of, dynamic=False) if compiled else loss_of


def _read_batches(data: Path) -> tuple[NDArray[np.uint16], NDArray[np.int64]]:
    for name in ("batches.npy", "lengths.npy", *KEPT):
        if not (data / name).exists():
            raise FileNotFoundError(f"no {name} in {data}: run training.prepare first")
    return np.load(data / "batches.npy", mmap_mode="r"), np.load(data / "lengths.npy")


def _steps(config: TrainConfig, batches: int) -> int:
    available = batches // config.accumulate
    steps = available if config.steps is None else config.steps
    if not 0 < steps <= available:
        raise ValueError(f"steps={steps} must be 1 to {available}: the data has no more")
    return steps


def _claim(out: Path, data: Path) -> None:
    """Keep the small files of the data with the run; refuse to go on with other data."""
    out.mkdir(parents=True, exist_ok=True)
    kept, given = out / "manifest.json", data / "manifest.json"
    if kept.exists() and kept.read_bytes() != given.read_bytes():
        raise ValueError(f"{out} holds a run on other data than {data}")
    for name in KEPT:
        shutil.copyfile(data / name, out / name)


def _state(
    arguments: dict[str, Any], model: Llama, optimizers: list[torch.optim.Optimizer]
) -> dict[str, Any]:
    return {
        "arguments": arguments,
        "config": model.config.to_dict(),
        "model": model.state_dict(),
        "optimizers": [optimizer.state_dict() for optimizer in optimizers],
    }


def _restore(
    out: Path, arguments: dict[str, Any], model: Llama, optimizers: list[torch.optim.Optimizer]
) -> tuple[int, float, list[list[int]]]:
    """Load the run's checkpoint, if any.

    Returns
    -------
    step : int
        Steps done.
    seconds : float
        Time they took.
    plans : list of [int, int]
        From which step on the rates aimed at which last step.
    """
    steps = arguments["steps"]
    state = checkpoint.load(out)
    checkpoint.cut_log(out, state["step"] if state else 0)
    if state is None:
        return 0, 0.0, [[0, steps]]
    if state["arguments"] | {"steps": steps} != arguments:
        raise ValueError(f"{out} holds a run with other arguments: {state['arguments']}")
    model.load_state_dict(state["model"])
    for optimizer, saved in zip(optimizers, state["optimizers"], strict=True):
        optimizer.load_state_dict(saved)
    plans = state.get("plans", [[0, state["arguments"]["steps"]]])
    changed = [] if plans[-1][1] == steps else [[state["step"], steps]]
    return state["step"], state["seconds"], plans + changed


def _report(record: dict[str, float], steps: int, accumulate: int) -> None:
    step, seconds = int(record["step"]), record["seconds"]
    speed = step * accumulate * MICRO_BATCH / seconds
    left = seconds / step * (steps - step) / 60
    heldout = f"  held-out {record['heldout']:.4f}" if "heldout" in record else ""
    click.echo(
        f"step {step}/{steps}  loss {record['loss']:.4f}  {speed:.0f} tokens/s  "
        f"{left:.1f} min left{heldout}"
    )


if __name__ == "__main__":
    if any(name not in os.environ for name in ENVIRONMENT):
        command = [sys.executable, "-m", "training.train", *sys.argv[1:]]
        os.execve(sys.executable, command, {**ENVIRONMENT, **os.environ})
    main()
