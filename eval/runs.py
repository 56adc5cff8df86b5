"""Reads and writes what runs and ablations have found."""

import json
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from eval.datasets import SEVEN
from eval.methods.scorers import METHOD
from eval.parts import part_in_words, whole_of
from eval.slugs import slugs
from eval.undefined import counted, is_undefined
from similarity.digests import digest_of
from similarity.errors import ConfigError, InputError
from similarity.storage.files import write_text

RESULTS, ABLATION = "results.json", "ablation.json"
SCHEMA = 1
# In such a file, the digest of the run's scores.
SCORES = "scores_sha256"
# In such a file, the digest of all else in it.
_DIGEST = "digest"

# "value", and "low" and "high", which are None where there is no interval; all × 100.
Figure = Mapping[str, float | None]

# What stands in the place of a task's name where figures are of the seven test sets on average.
AVERAGE = "average"
# Of settings as `ComparisonConfig.to_dict` has them.
SAMPLING, PROMPT = "sampling", "prompt"


@dataclass(frozen=True)
class ResultFolder:
    """The results of a run in a folder; each of a report has a `name` and a `slug` of its own.

    The slug is the name as a part of the name of a file.
    """

    name: str
    slug: str
    folder: Path
    content: Mapping[str, Any]


class Run(ResultFolder):
    """A finished run, as `results.json` has it."""

    @property
    def tasks(self) -> Mapping[str, Any]:
        """Return by name each task's number of pairs, subsets and figures of the methods."""
        tasks: Mapping[str, Any] = self.content["tasks"]
        return tasks

    def digest(self, task: str) -> str | None:
        """Return the digest of a task's pairs, or of all on average; None where there are none."""
        if task == AVERAGE:
            found = [str(self.digest(one)) for one in SEVEN]
            return digest_of(found) if self.content["averages"] else None
        return self.tasks[task]["sha256"] if task in self.tasks else None

    def is_part(self, task: str) -> bool:
        """Return whether a task's pairs are not all of their set; of AVERAGE, those of any task."""
        if task == AVERAGE:
            return any(self.is_part(one) for one in SEVEN)
        return int(self.tasks[task]["pairs"]) < self._whole(task)

    def pairs(self, task: str) -> str:
        """Return the number of a task's pairs, and how many the set has if that is more."""
        pairs = self.tasks[task]["pairs"]
        return f"{pairs} of {self._whole(task)}" if self.is_part(task) else str(pairs)

    def label(self, task: str, name: str = "") -> str:
        """Return the name of a task or of AVERAGE, with a note if it is a part of its set."""
        name = name or task
        if not self.is_part(task):
            return name
        return f"{name} of parts" if task == AVERAGE else f"{name}, {self.pairs(task)}"

    def _whole(self, task: str) -> int:
        return whole_of(task, self.tasks[task])

    @property
    def methods(self) -> list[str]:
        """Return the names of the methods, in the order of the table."""
        return list(self.content["methods"])

    def figure(self, task: str, method: str, aggregate: str = "all") -> Figure | None:
        """Return Spearman's correlation, or None where the run has no such task or it has none."""
        if task not in self.tasks or is_undefined(self.tasks[task]["methods"][method]):
            return None
        figure: Figure = self.tasks[task]["methods"][method]["spearman"][aggregate]
        return figure

    @property
    def behind(self) -> Mapping[str, Any]:
        """Return the best method and how far others are behind it, by task and on average.

        Runs of earlier releases have less of it.
        """
        found = {task: content.get("behind") for task, content in self.tasks.items()}
        found[AVERAGE] = self.content.get("average_behind")
        return {name: behind for name, behind in found.items() if behind is not None}

    def average(self, method: str, aggregate: str = "all") -> Figure | None:
        """Return the mean over the seven test sets, or None where the run has fewer."""
        average = self.content["averages"].get(method)
        if average is None:
            return None
        if aggregate == "all":
            return {"value": average["spearman"], "low": average["low"], "high": average["high"]}
        return {"value": average[aggregate], "low": None, "high": None}

    def is_divided(self, task: str) -> bool:
        """Return whether a task has more than one subset, so that the three aggregates differ."""
        having, of = counted(self.tasks[task])
        return having > 0 and of > 1

    @property
    def settings(self) -> dict[str, str]:
        """Return what the scores of this run depend on, in words; what did not apply is left out.

        Settings of trajectories apply where a method samples some, and the prompt where one has it.
        """
        fingerprint, methods = self.content["fingerprint"], self.content["methods"]
        settings = fingerprint["settings"]
        sampled = METHOD in methods or any(SAMPLING in one for one in methods.values())
        prompted = sampled or any(
            PROMPT in one and one[PROMPT] == settings.get(PROMPT) for one in methods.values()
        )
        return {
            **_of_model(fingerprint),
            **(_of_trajectories(settings) if sampled else {}),
            **(_of_prompt(settings[PROMPT]) if prompted else {}),
            **({"seed": str(settings[SAMPLING]["seed"])} if sampled else {}),
            "version": fingerprint["version"],
            "fingerprint": fingerprint["id"],
        }


class Ablation(ResultFolder):
    """One benchmark with one setting changed at a time; figures by panel and value."""

    @property
    def panels(self) -> Mapping[str, Mapping[str, Figure]]:
        """Return Spearman's correlation by setting and by its value."""
        panels: Mapping[str, Mapping[str, Figure]] = self.content["spearman"]
        return panels

    @property
    def pairs(self) -> str:
        """Return in words how many pairs of which task were scored, and whether all."""
        task, pairs = self.content["task"], self.content["pairs"]
        part = part_in_words(task, self.content)
        return f"only {part}" if part else f"{task}, {pairs} pairs"


def best_of(behind: Mapping[str, Any]) -> str:
    """Return the best method of those that are held against it, and all that equal it."""
    equal = [name for name, figure in behind["all"].items() if figure["value"] == 0]
    return ", ".join([behind["best"], *equal])


def open_folders(folders: Sequence[Path]) -> tuple[list[Run], list[Ablation]]:
    """Return the runs and the ablations in some folders, each with a name of its own.

    Raises
    ------
    InputError
        If a folder has neither, or what it has cannot be read.
    ConfigError
        If a folder is given twice.
    """
    if len(set(map(os.path.realpath, folders))) < len(folders):
        raise ConfigError("a folder is given twice; give each once")
    short = [Path(os.path.realpath(folder)).name for folder in folders]
    names = [
        one if short.count(one) == 1 else str(folder)
        for one, folder in zip(short, folders, strict=True)
    ]
    runs: list[Run] = []
    ablations: list[Ablation] = []
    for name, slug, folder in zip(names, slugs(names), folders, strict=True):
        if (folder / ABLATION).exists():
            ablations.append(Ablation(name, slug, folder, _read(folder / ABLATION)))
        else:
            runs.append(Run(name, slug, folder, read_results(folder)))
    return runs, ablations


def read_results(folder: Path) -> dict[str, Any]:
    """Return the results of a run.

    Raises
    ------
    InputError
        If it is not finished, or they cannot be read.
    """
    path = folder / RESULTS
    content = _read(path)
    if content.get("schema") != SCHEMA:
        raise InputError(
            f"{path} has schema {content.get('schema')!r}, and this version reads {SCHEMA}; "
            "evaluate anew"
        )
    return content


def write_results(path: Path, content: Mapping[str, Any]) -> None:
    """Write the results of a run or an ablation, with a digest of them, whole or not at all.

    Raises
    ------
    InputError
        If it cannot be written there.
    """
    # As JSON gives them back.
    text = json.dumps(content, allow_nan=False, ensure_ascii=False)
    whole = {**content, _DIGEST: digest_of(json.loads(text))}
    write_json(path, whole)


def write_json(path: Path, content: object) -> None:
    """Write a JSON file whole or not at all, making its folder where needed.

    Raises
    ------
    InputError
        If it cannot be written there.
    """
    write_text(path, json.dumps(content, indent=1, allow_nan=False, ensure_ascii=False) + "\n")


def _read(path: Path) -> dict[str, Any]:
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError as error:
        raise InputError(
            f"{path.parent} has no {path.name}: it is no run, or one that is not finished; give "
            "the command of the run again and it goes on"
        ) from error
    except OSError as error:
        raise InputError(f"cannot read {path}: {error.strerror or error}") from error
    except (ValueError, RecursionError) as error:
        # What the parser says of it helps nobody: the file is written by a run alone.
        raise _damaged(path, "it is not whole") from error
    if not isinstance(content, dict):
        raise _damaged(path, "it has no JSON object in it")
    # Those of earlier releases have none.
    given = content.pop(_DIGEST, None)
    if given is not None and given != digest_of(content):
        raise _damaged(path, "a value is not what was written there")
    return content


def _damaged(path: Path, why: str) -> InputError:
    return InputError(
        f"{path} is damaged: {why}; give the command of the run again, which writes it anew"
    )


def _of_model(fingerprint: Mapping[str, Any]) -> dict[str, str]:
    model = fingerprint["model"]
    return {"model": model["name"], "revision": model["revision"][:12], "dtype": model["dtype"]}


def _of_trajectories(settings: Mapping[str, Any]) -> dict[str, str]:
    sampling = settings[SAMPLING]
    law = sampling["law"]
    return {
        "n": str(sampling["n_trajectories"]),
        "m": str(sampling["max_tokens"]),
        "temperature": f"{law['temperature']:g}",
        "top-k": str(law["top_k"]),
        "top-p": f"{law['top_p']:g}",
        "scored under": settings["score_law"],
        "distance": settings["distance"],
    }


def _of_prompt(prompt: Mapping[str, Any]) -> dict[str, str]:
    around = [f"{side} {prompt[side]!r}" for side in ("before", "after") if prompt[side]]
    return {
        "full stop": "yes" if prompt["full_stop"] else "no",
        "prompt": ", ".join(around) or "none",
    }
