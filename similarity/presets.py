"""Ways to compare texts by the names that users give."""

from collections.abc import Collection
from dataclasses import dataclass

from similarity.errors import ConfigError

PAPER, TRAJECTORIES = "paper", "trajectories"
FAST, MEANING, BEST = "fast", "meaning", "best"


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
        Of the vectors' features; those that vectors do not have are left out.
    samples
        Whether the model must sample and score continuations.
    """

    summary: str
    vectors: bool = False
    groups: tuple[str, ...] = ()
    samples: bool = False


PRESETS = {
    PAPER: Preset(
        "compares by trajectories sampled from both texts, as the paper does", samples=True
    ),
    TRAJECTORIES: Preset(
        "compares by the likelihoods of trajectories sampled once from general text",
        vectors=True,
        groups=("trajectories",),
        samples=True,
    ),
    FAST: Preset(
        "compares by the log-likelihood profile after one prompt", vectors=True, groups=("profile",)
    ),
    MEANING: Preset(
        "compares by the profiles after two prompts",
        vectors=True,
        groups=("profile", "examples"),
    ),
    BEST: Preset(
        "compares by the profiles after two prompts and by the texts' own words",
        vectors=True,
        groups=("profile", "examples", "trigrams"),
    ),
}

# Those whose scores are cosines of vectors.
VECTOR_PRESETS = tuple(name for name, preset in PRESETS.items() if preset.vectors)


def default_preset(groups: Collection[str] | None) -> str:
    """Return the preset of a request that names none.

    It is "meaning" where there are vectors with profiles, else "paper".
    """
    return MEANING if preset_groups(MEANING, groups or ()) else PAPER


def possible_presets(groups: Collection[str] | None, *, generates: bool = True) -> list[str]:
    """Return the presets that a model can serve.

    Parameters
    ----------
    groups
        That its vectors have.
    generates
        Whether it samples and scores.
    """
    return [
        name
        for name, preset in PRESETS.items()
        if (generates or not preset.samples)
        and (not preset.vectors or preset_groups(name, groups or ()))
    ]


def preset_groups(preset: str, groups: Collection[str]) -> tuple[str, ...]:
    """Return the groups of features, of those that there are, that a preset compares by."""
    return tuple(group for group in PRESETS[preset].groups if group in groups)


def no_vectors(lacks: str = "") -> str:
    """Return the message that a model has no meaning vectors, with the cause if it is known."""
    because = f": {lacks}" if lacks else ""
    return (
        f"there are no meaning vectors of this model{because}; or use preset {PAPER}, where the "
        "model generates"
    )


def vector_groups(preset: str, groups: Collection[str] | None, lacks: str = "") -> tuple[str, ...]:
    """Return the groups of features that a preset compares by.

    Parameters
    ----------
    groups
        That there are; none, or None, where a model has no vectors.
    lacks
        Why there are no others, where that is known; told where the preset needs them.

    Raises
    ------
    ConfigError
        If it compares by vectors, and none of its groups is there.
    """
    used = preset_groups(preset, groups or ())
    if used or not PRESETS[preset].vectors:
        return used
    if not groups:
        raise ConfigError(
            f"preset {preset} compares by meaning vectors, and {no_vectors(lacks)}", "preset"
        )
    because = f": {lacks}" if lacks else ""
    others = " or ".join(name for name in VECTOR_PRESETS if preset_groups(name, groups))
    elsewhere = (
        ", or the vectors that ship with the model: trajsim fit reads no trajectories"
        if preset == TRAJECTORIES and not lacks
        else ""
    )
    raise ConfigError(
        f"preset {preset} compares by {', '.join(PRESETS[preset].groups)}, and these vectors have "
        f"{', '.join(groups)} only{because}; use preset {others}{elsewhere}",
        "preset",
    )
