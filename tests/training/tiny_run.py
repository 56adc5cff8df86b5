"""The sizes and the mix of the tiny run that these tests train, and its text."""

import random

from training.config import TrainConfig
from training.mix import Source

MIX = (
    Source(
        name="scenes",
        share=2.0,
        register="captions",
        origin="this test",
        licence="CC0",
        shuffle=True,
    ),
    Source(name="notes", share=1.0, register="notes", origin="this test", licence="CC0"),
)
TINY = TrainConfig(hidden=32, layers=2, heads=2, intermediate=48, accumulate=2, seed=5)
TEXT = (
    "a small dog runs over the green field while an old man plays his red guitar and two girls "
    "read long letters near quiet river under tall trees on cold bright morning in our town"
)


def sentence(rng: random.Random) -> str:
    return " ".join(rng.choices(TEXT.split(), k=rng.randint(4, 12))).capitalize() + "."
