"""What each setting of the method is worth: one benchmark, one setting changed at a time.

Every variation is a run of its own in a folder of its own, so that this too goes on where it was
stopped. Trajectories are numbered and n of them are the first n of more, so one run with many
serves every smaller number, and every distance.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from eval.methods.base import Setting
from eval.methods.scorers import METHOD
from eval.pair_files import ScoredPair
from eval.parts import WHOLE
from eval.plan import Methods, Plan
from eval.progress import RunProgress
from eval.protocol import Judged, aggregates
from eval.run import JOURNAL, TRAJECTORIES, check_new, run
from eval.runs import ABLATION, write_results
from eval.scores import read_scores
from eval.store import CachedModel
from similarity.arrays import FloatArray
from similarity.config import ComparisonConfig
from similarity.distances import DISTANCES
from similarity.errors import ConfigError
from similarity.fingerprint import Fingerprint
from similarity.models.base import LanguageModel
from similarity.prompts import PROMPTS, Prompt

NUMBERS = (1, 5, 10, 20, 40)
LENGTHS = (1, 5, 10, 20, 40)
# The folder of the run with the base's settings, which is the first.
_BASE = "base"
TEMPERATURES = (0.5, 0.7, 1.0, 1.3)


@dataclass(frozen=True)
class Variation:
    """One setting that differs from the base's: the figure's panel, the value, the settings."""

    panel: str
    value: str
    config: ComparisonConfig

    @property
    def folder(self) -> str:
        """Name of its run."""
        return f"{self.panel}={self.value}".replace(" ", "-")


def variations(base: ComparisonConfig) -> Iterator[Variation]:
    """Give those that need trajectories or likelihoods of their own."""
    sampling = base.sampling
    for length in LENGTHS:
        if length != sampling.max_tokens:
            yield Variation("length", str(length), _with(base, max_tokens=length))
    for temperature in TEMPERATURES:
        if temperature != sampling.law.temperature:
            law = replace(sampling.law, temperature=temperature)
            yield Variation("temperature", str(temperature), _with(base, law=law))
    other = replace(base.prompt, full_stop=not base.prompt.full_stop)
    yield Variation("full stop", _yes(other), replace(base, prompt=other))
    for name, prompt in _prompts(base).items():
        if prompt != base.prompt:
            yield Variation("prompt", name, replace(base, prompt=prompt))


def _yes(prompt: Prompt) -> str:
    return "yes" if prompt.full_stop else "no"


def _prompts(base: ComparisonConfig) -> dict[str, Prompt]:
    """Return the prompts by name, all with the full stop of the base's own."""
    return {
        name: replace(prompt, full_stop=base.prompt.full_stop) for name, prompt in PROMPTS.items()
    }


def _with(config: ComparisonConfig, **sampling: Any) -> ComparisonConfig:
    return replace(config, sampling=replace(config.sampling, **sampling))


def ablate(
    folder: Path,
    model: LanguageModel,
    task: str,
    pairs: Sequence[ScoredPair],
    base: ComparisonConfig,
    progress: RunProgress,
    whole: int | None = None,
) -> dict[str, Any]:
    """Return, and write, Spearman's correlation × 100 of every variation, with its interval.

    Parameters
    ----------
    base
        The setting that is varied.
    progress
        Called with how far each run is.
    whole
        The number of pairs of which these were taken, where that is known.

    Raises
    ------
    ConfigError
        If the base's distance is not of whole continuations; and as `eval.run.run`.
    InputError
        As `eval.run.run`.
    """
    if base.distance not in DISTANCES:
        raise ConfigError(
            f"an ablation compares distances of whole continuations, and {base.distance!r} is "
            f"none; give --distance one of {', '.join(DISTANCES)}"
        )
    check_new(folder, folder / _BASE / JOURNAL, [ABLATION])
    work = _Work(folder, model, task, pairs, progress, {} if whole is None else {task: whole})
    own = base.sampling.n_trajectories
    numbers = sorted({*NUMBERS, own})
    most = work.run(_BASE, _with(base, n_trajectories=numbers[-1]), keep_rows=True)
    panels: dict[str, dict[str, Any]] = {
        "distance": {
            name: work.figure([-metric(*_first(rows, own)) for rows in most])
            for name, metric in DISTANCES.items()
        },
        "n": {
            str(n): work.figure([-_distance(base, _first(rows, n)) for rows in most])
            for n in numbers
        },
    }
    plain = panels["n"][str(own)]
    panels["length"] = {str(base.sampling.max_tokens): plain}
    panels["temperature"] = {str(base.sampling.law.temperature): plain}
    panels["full stop"] = {_yes(base.prompt): plain}
    own_prompts = [name for name, prompt in _prompts(base).items() if prompt == base.prompt]
    panels["prompt"] = {own_prompts[0] if own_prompts else "given": plain}
    for variation in variations(base):
        scores = work.run(variation.folder, variation.config)
        panels[variation.panel][variation.value] = work.figure(scores)
    for panel in ("length", "temperature"):
        panels[panel] = dict(sorted(panels[panel].items(), key=lambda item: float(item[0])))
    content = {
        "task": task,
        "pairs": len(pairs),
        **({} if whole is None else {WHOLE: whole}),
        "fingerprint": Fingerprint(model.info, base).to_dict(),
        "spearman": panels,
    }
    write_results(folder / ABLATION, content)
    return content


class _Work:
    """The runs of one ablation."""

    def __init__(
        self,
        folder: Path,
        model: LanguageModel,
        task: str,
        pairs: Sequence[ScoredPair],
        progress: RunProgress,
        whole: Mapping[str, int],
    ) -> None:
        self._folder = folder
        self._model = model
        self._tasks = {task: pairs}
        self._progress = progress
        self._whole = whole
        self._judged = Judged(
            np.array([pair.score for pair in pairs]), np.full(len(pairs), "", np.str_)
        )
        self._resamples = self._judged.resamples(1000, 0)

    def run(self, name: str, config: ComparisonConfig, *, keep_rows: bool = False) -> list[Any]:
        """Return the scores of one variation, or its log-likelihoods, "text=2 trajectory"."""
        folder = self._folder / name
        model = CachedModel(self._model, folder / TRAJECTORIES)
        setting = Setting(model=model, config=config, progress=self._progress.stage)
        plan = Plan(
            fingerprint=Fingerprint(model.info, config),
            tasks=self._tasks,
            methods=Methods(setting, [config.sampling.seed], {}),
            unlabelled={},
            keep_rows=keep_rows,
            whole=self._whole,
        )
        run(folder, plan, model, self._progress)
        kept = "log_likelihoods" if keep_rows else "scores"
        return [np.array(line[kept][METHOD]) for line in read_scores(folder)]

    def figure(self, scores: Sequence[float]) -> dict[str, Any]:
        """Return Spearman's correlation × 100 with its interval."""
        found = aggregates(self._judged, np.array(scores, np.float64), self._resamples)
        return asdict(found["all"].estimate)


def _first(rows: FloatArray, n: int) -> FloatArray:
    """Return the log-likelihoods of each text's first n trajectories, "text=2 trajectory"."""
    of_each = rows.shape[1] // 2
    return np.concatenate([rows[:, :n], rows[:, of_each : of_each + n]], axis=1)


def _distance(base: ComparisonConfig, rows: FloatArray) -> float:
    return DISTANCES[base.distance](*rows)
