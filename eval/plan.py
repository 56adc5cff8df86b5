"""What a run is to do: tasks, methods, and the order in which the work is done.

The work is cut into fixed chunks, so that a chunk sees the same batch whenever it is done.
"""

import hashlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from eval.methods.base import Factory, Method, Setting
from eval.methods.scorers import METHOD, OTHER_SEED, trajectories
from eval.pair_files import ScoredPair
from similarity.config import ComparisonConfig
from similarity.errors import ConfigError, MissingDependencyError, UnsupportedError
from similarity.fingerprint import Fingerprint

# Pairs that are scored together: what a killed run loses at most.
CHUNK = 128


@dataclass(frozen=True)
class Chunk:
    """Some pairs of a task, by one method."""

    method: str
    task: str
    start: int
    pairs: Sequence[ScoredPair]


@dataclass(frozen=True, kw_only=True)
class Plan:
    """A run, before anything is scored.

    Attributes
    ----------
    fingerprint
        Of the model and the setting of the trajectories.
    tasks, methods
        By name, in the order of the table.
    left_out
        Methods that there are none of for this model or setting, with the reason.
    unlabelled
        What statistics were fitted on, for the record.
    keep_rows
        Whether each pair's log-likelihoods are kept beside its score.
    resamples
        Of the bootstrap.
    """

    fingerprint: Fingerprint[ComparisonConfig]
    tasks: Mapping[str, Sequence[ScoredPair]]
    methods: Mapping[str, Method]
    left_out: Mapping[str, str]
    unlabelled: Mapping[str, Any]
    keep_rows: bool = False
    resamples: int = 1000

    def header(self) -> dict[str, Any]:
        """Return all that a run's numbers depend on, as plain values."""
        return {
            "schema": 1,
            "fingerprint": self.fingerprint.to_dict(),
            "tasks": {
                name: {"pairs": len(pairs), "sha256": _digest(pairs)}
                for name, pairs in self.tasks.items()
            },
            "methods": {name: method.settings for name, method in self.methods.items()},
            "left_out": dict(self.left_out),
            "unlabelled": dict(self.unlabelled),
            "chunk": CHUNK,
            "log_likelihoods": self.keep_rows,
            "resamples": self.resamples,
        }

    def chunks(self) -> Iterator[Chunk]:
        """Give the work in order: task by task, each by all methods."""
        for task, pairs in self.tasks.items():
            for method in self.methods:
                for start in range(0, len(pairs), CHUNK):
                    yield Chunk(method, task, start, pairs[start : start + CHUNK])


def make_methods(
    setting: Setting, seeds: Sequence[int], others: Mapping[str, Factory]
) -> tuple[dict[str, Method], dict[str, str]]:
    """Return the methods by name, and why those left out are left out.

    Parameters
    ----------
    seeds
        The trajectories are sampled anew with each; the first keeps the plain name.
    """
    methods: dict[str, Method] = {}
    left_out: dict[str, str] = {}
    for seed in seeds:
        name = METHOD if seed == seeds[0] else f"{OTHER_SEED}{seed}"
        methods[name] = trajectories(replace(setting, config=with_seed(setting.config, seed)))
    for name, make in others.items():
        try:
            methods[name] = make(setting)
        except (UnsupportedError, MissingDependencyError, ConfigError) as error:
            left_out[name] = str(error)
    return methods, left_out


def with_seed(config: ComparisonConfig, seed: int) -> ComparisonConfig:
    """Return the settings with another seed."""
    return replace(config, sampling=replace(config.sampling, seed=seed))


def _digest(pairs: Sequence[ScoredPair]) -> str:
    return hashlib.sha256(repr(list(pairs)).encode()).hexdigest()[:16]
