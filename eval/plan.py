"""What a run is to do: tasks, methods, and the order in which the work is done.

The work is cut into fixed chunks, so that a chunk sees the same batch whenever it is done.
"""

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from typing import Any

from eval.methods.base import Factory, Method, Setting
from eval.methods.scorers import METHOD, OTHER_SEED, trajectories
from eval.pair_files import ScoredPair
from similarity.config import ComparisonConfig
from similarity.digests import digest
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


class Methods:
    """The methods of a run by name, each made when its turn comes: some fit for minutes.

    Parameters
    ----------
    seeds
        The trajectories are sampled anew with each; the first keeps the plain name. With none
        the run has no trajectories of its own.
    others
        What makes the methods beside them.

    Attributes
    ----------
    settings
        Of those whose turn has come, now or in an earlier process.
    left_out
        Those that there are none of for this model or setting, with the reason.
    """

    def __init__(
        self, setting: Setting, seeds: Sequence[int], others: Mapping[str, Factory]
    ) -> None:
        self._setting = setting
        self._factories: dict[str, Factory] = {
            METHOD if seed == seeds[0] else f"{OTHER_SEED}{seed}": partial(_seeded, seed=seed)
            for seed in seeds
        } | dict(others)
        self._made: dict[str, Method] = {}
        self.settings: dict[str, Any] = {}
        self.left_out: dict[str, str] = {}

    @property
    def names(self) -> list[str]:
        """Return the names of all planned methods, in the order of the table."""
        return list(self._factories)

    @property
    def used(self) -> list[str]:
        """Return the methods whose turn has come and that are not left out, in order."""
        return [name for name in self._factories if name in self.settings]

    def is_made(self, name: str) -> bool:
        """Return whether a method's turn has come in this process."""
        return name in self._made

    def made(self, name: str) -> Method | None:
        """Return a method, made now if it is not yet, or None where there is none.

        Raises
        ------
        ConfigError
            If an earlier process had another of that name; the message says what differs.
        """
        if name in self._made or name in self.left_out:
            return self._made.get(name)
        try:
            method = self._factories[name](self._setting)
        except (UnsupportedError, MissingDependencyError, ConfigError) as error:
            if name in self.settings:
                # An earlier process had it.
                raise
            self.left_out[name] = str(error)
            return None
        settings = json.loads(json.dumps(method.settings, sort_keys=True))
        if settings != self.settings.setdefault(name, settings):
            raise ConfigError(
                f"{name} is {json.dumps(settings)}, and in this run it was "
                f"{json.dumps(self.settings[name])}; repeat what it was begun with"
            )
        self._made[name] = method
        return method


@dataclass(frozen=True, kw_only=True)
class Plan:
    """A run, before anything is scored.

    Attributes
    ----------
    fingerprint
        Of the model and the setting of the trajectories.
    tasks
        By name, in the order of the table.
    methods
        In the order of the table; each is made when its turn comes.
    unlabelled
        What statistics were fitted on, for the record.
    keep_rows
        Whether each pair's log-likelihoods are kept beside its score.
    resamples
        Of the bootstrap.
    whole
        By task, the number of pairs of which its pairs were taken, where that is known.
    """

    fingerprint: Fingerprint[ComparisonConfig]
    tasks: Mapping[str, Sequence[ScoredPair]]
    methods: Methods
    unlabelled: Mapping[str, Any]
    keep_rows: bool = False
    resamples: int = 1000
    whole: Mapping[str, int] = field(default_factory=dict)

    def header(self) -> dict[str, Any]:
        """Return all that a run's numbers depend on, as plain values."""
        return {
            "schema": 1,
            "fingerprint": self.fingerprint.to_dict(),
            "tasks": {
                name: {"pairs": len(pairs), "sha256": digest(repr(list(pairs)).encode())}
                for name, pairs in self.tasks.items()
            },
            "methods": dict.fromkeys(self.methods.names, "planned"),
            "unlabelled": dict(self.unlabelled),
            "chunk": CHUNK,
            "log_likelihoods": self.keep_rows,
            "resamples": self.resamples,
        }

    def chunks(self) -> Iterator[Chunk]:
        """Give the work in order: task by task, each by all methods."""
        for task, pairs in self.tasks.items():
            for method in self.methods.names:
                for start in range(0, len(pairs), CHUNK):
                    yield Chunk(method, task, start, pairs[start : start + CHUNK])


def _seeded(setting: Setting, seed: int) -> Method:
    return trajectories(replace(setting, config=with_seed(setting.config, seed)))


def with_seed(config: ComparisonConfig, seed: int) -> ComparisonConfig:
    """Return the settings with another seed."""
    return replace(config, sampling=replace(config.sampling, seed=seed))
