"""From a run's scores to its results: correlations a task and on average, with intervals."""

import hashlib
from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from eval.datasets import SEVEN
from eval.methods.scorers import METHOD, OTHER_SEED
from eval.parts import WHOLE
from eval.plan import Chunk, Plan
from eval.protocol import AGGREGATES, Aggregate, Judged, aggregates, pearson, spearman
from eval.runs import PROMPT, SAMPLING
from eval.undefined import LEFT_OUT
from similarity.arrays import FloatArray
from similarity.config import Settings
from similarity.errors import InputError
from similarity.fingerprint import Fingerprint


class Scored:
    """Every score of a run, by method and task."""

    def __init__(self, plan: Plan) -> None:
        self._plan = plan
        self._scores: dict[tuple[str, str], list[float]] = defaultdict(list)
        self._rows: dict[tuple[str, str], list[Any]] = defaultdict(list)

    def add(self, chunk: Chunk, scores: Sequence[float], rows: Sequence[Any] | None) -> None:
        """Take a chunk's scores, and its log-likelihoods if they were kept."""
        place = chunk.method, chunk.task
        if len(self._scores[place]) != chunk.start or len(scores) != len(chunk.pairs):
            raise InputError(
                f"the run's journal has other scores than planned for {chunk.task}, "
                f"{chunk.method}; delete the run and start anew"
            )
        self._scores[place] += scores
        self._rows[place] += rows or []

    def of(self, method: str, task: str) -> FloatArray:
        """Return the scores of a task, shape "pair"."""
        return np.array(self._scores[method, task], np.float64)

    def lines(self) -> Iterator[dict[str, Any]]:
        """Give what is written of each pair."""
        methods = self._plan.methods.used
        for task, pairs in self._plan.tasks.items():
            for index, pair in enumerate(pairs):
                scores = {method: self._scores[method, task][index] for method in methods}
                rows = {m: self._rows[m, task][index] for m in methods if self._rows[m, task]}
                yield {
                    "task": task,
                    "index": index,
                    "subset": pair.subset,
                    "judgement": pair.score,
                    "scores": scores,
                } | ({"log_likelihoods": rows} if rows else {})


def results(plan: Plan, scored: Scored) -> dict[str, Any]:
    """Return all that the run found, with all that is needed to repeat it."""
    summed = {task: _summed(plan, scored, task) for task in plan.tasks}
    header = plan.header() | {"fingerprint": _applied(plan).to_dict()}
    tasks = header.pop("tasks")
    for task, content in tasks.items():
        content["methods"] = {
            name: _of_method(plan, scored, summed, task, name) for name in plan.methods.used
        }
        content["behind"] = _behind(summed[task])
        content[LEFT_OUT] = _judged(plan, task).left_out
        if task in plan.whole:
            content[WHOLE] = plan.whole[task]
    return {
        **header,
        "tasks": tasks,
        "methods": {name: plan.methods.settings[name] for name in plan.methods.used},
        "left_out": plan.methods.left_out,
        **_averages(plan, summed),
        "seeds": _seeds(plan, summed),
    }


def _applied(plan: Plan) -> Fingerprint[Settings]:
    """Return the fingerprint of a run, without settings of trajectories where it samples none."""
    found = [plan.methods.settings[name] for name in plan.methods.used]
    if any(SAMPLING in settings for settings in found):
        return Fingerprint(plan.fingerprint.model, plan.fingerprint.config)
    prompt = asdict(plan.fingerprint.config.prompt)
    prompted = any(settings.get(PROMPT) == prompt for settings in found)
    return Fingerprint(plan.fingerprint.model, _PromptAlone(prompt if prompted else None))


@dataclass(frozen=True)
class _PromptAlone:
    """What the methods of a run depend on that share no more than a prompt, if that."""

    prompt: dict[str, Any] | None

    def to_dict(self) -> dict[str, Any]:
        return {} if self.prompt is None else {PROMPT: self.prompt}

    def describe(self) -> str:
        return "no trajectories"


Summed = dict[str, dict[str, dict[str, Aggregate]]]  # task, method, aggregate


def _summed(plan: Plan, scored: Scored, task: str) -> dict[str, dict[str, Aggregate]]:
    judged = _judged(plan, task)
    # By the task's name, so that a task has the same resamples whichever tasks are beside it.
    seed = int.from_bytes(hashlib.sha256(task.encode()).digest()[:8], "little")
    drawn = judged.resamples(plan.resamples, seed)
    return {name: aggregates(judged, scored.of(name, task), drawn) for name in plan.methods.used}


def _behind(methods: dict[str, dict[str, Aggregate]]) -> dict[str, Any]:
    """Return the best method of a task by "all", and how far each other one is behind it.

    Both figures of a difference are of the same resamples, so its interval is the narrower, the
    more two methods agree on which pairs are alike.
    """
    figures = {name: of_method["all"] for name, of_method in methods.items()}
    best = max(figures, key=lambda name: figures[name].value)
    return {
        "best": best,
        "all": {
            name: asdict((figure - figures[best]).estimate)
            for name, figure in figures.items()
            if name != best
        },
    }


def _judged(plan: Plan, task: str) -> Judged:
    pairs = plan.tasks[task]
    return Judged(
        np.array([pair.score for pair in pairs], np.float64),
        np.array([pair.subset for pair in pairs], np.str_),
    )


def _of_method(
    plan: Plan, scored: Scored, summed: Summed, task: str, method: str
) -> dict[str, Any]:
    judged, scores = _judged(plan, task), scored.of(method, task)
    subsets = {
        name: {
            "pairs": len(at),
            "spearman": _or_none(spearman, scores[at], judged.judgements[at]),
            "pearson": _or_none(pearson, scores[at], judged.judgements[at]),
        }
        for name, at in judged.members.items()
    }
    figures = {name: asdict(summed[task][method][name].estimate) for name in AGGREGATES}
    return {
        "spearman": {**figures, "subsets": subsets},
        "pearson": {"all": _or_none(pearson, scores, judged.judgements)},
    }


def _or_none(correlation: Any, scores: FloatArray, judgements: FloatArray) -> float | None:
    try:
        return float(correlation(scores.tolist(), judgements.tolist()))
    except InputError:
        return None


def _averages(plan: Plan, summed: Summed) -> dict[str, Any]:
    """Return the mean of the seven test sets, as the papers take it, where all seven are there.

    And how far each method is behind the best one by it.
    """
    if not set(SEVEN) <= summed.keys():
        return {"averages": {}}
    means = {
        method: {
            name: Aggregate.mean([summed[task][method][name] for task in SEVEN])
            for name in AGGREGATES
        }
        for method in plan.methods.used
    }
    found = {}
    for method, mean in means.items():
        estimate = mean["all"].estimate
        found[method] = {
            "spearman": estimate.value,
            "low": estimate.low,
            "high": estimate.high,
            "mean": mean["mean"].value,
            "wmean": mean["wmean"].value,
            "tasks": list(SEVEN),
        }
    return {"averages": found, "average_behind": _behind(means)}


def _seeds(plan: Plan, summed: Summed) -> dict[str, Any]:
    """Return mean and standard deviation over the seeds of the trajectories, if several."""
    names = [name for name in plan.methods.used if name == METHOD or name.startswith(OTHER_SEED)]
    if len(names) < 2:
        return {}
    found = {}
    for task, methods in summed.items():
        values = [methods[name]["all"].value for name in names]
        found[task] = {
            "values": values,
            "mean": float(np.mean(values)),
            "standard_deviation": float(np.std(values, ddof=1)),
        }
    return found
