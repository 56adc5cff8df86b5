"""What benchmarks measure time by."""

import time
from collections.abc import Callable, Mapping

import click
import torch

Clock = Callable[[], float]
CLOCKS: Mapping[str, Clock] = {"wall": time.perf_counter, "cpu": time.process_time}

clock_option = click.option(
    "--clock",
    "clock_name",
    default="wall",
    show_default=True,
    type=click.Choice(list(CLOCKS)),
    help="cpu: processor seconds of one thread, where other work shares the machine.",
)


def find_clock(name: str) -> Clock:
    """Return a clock by its name; that of the processor wants one thread, and sets it."""
    if name == "cpu":
        torch.set_num_threads(1)
    return CLOCKS[name]
