"""Ways to compare texts by the names that users give."""

from dataclasses import dataclass

PAPER, FAST, BEST = "paper", "fast", "best"


@dataclass(frozen=True)
class Preset:
    """A way to compare texts.

    Parameters
    ----------
    summary
        What it does, in one sentence without a full stop.
    vectors
        Whether it compares by meaning vectors; else by trajectories.
    groups
        Of the vectors' features; none named is all that they have.
    """

    summary: str
    vectors: bool = False
    groups: tuple[str, ...] = ()


PRESETS = {
    PAPER: Preset("compares by trajectories, as the paper does"),
    FAST: Preset(
        "compares by the log-likelihood profile after one prompt", vectors=True, groups=("profile",)
    ),
    BEST: Preset(
        "compares by profiles after several prompts, and by the texts' own words", vectors=True
    ),
}
