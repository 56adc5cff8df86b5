"""Writes a run's results in the schema of MTEB's `TaskResult`, a file a task and method.

MTEB's own main score of these tasks, `cosine_spearman`, is of embeddings. What scores pairs has
`spearman` alone, and that is the main score here: of an embedding model the two are one figure.
"""

import json
import math
from pathlib import Path
from typing import Any

from eval.runs import Run
from eval.slugs import slugs
from similarity.storage.files import write_text

# Task to its name in MTEB and the split. MTEB's SICK-R is all 9,927 pairs rather than the test
# set, so SICK-R's parts have names of their own.
MTEB_TASKS = {
    **{f"sts{year}-test": (f"STS{year}", "test") for year in range(12, 17)},
    "stsb-test": ("STSBenchmark", "test"),
    "stsb-dev": ("STSBenchmark", "validation"),
    "stsb-train": ("STSBenchmark", "train"),
    "sick-r-test": ("SICK-R-test", "test"),
    "sick-r-dev": ("SICK-R-dev", "validation"),
    "sick-r-train": ("SICK-R-train", "train"),
}
ENGLISH = "eng-Latn"
# Of a user's own task: undetermined, in the terms of ISO 639 and 15924.
UNKNOWN = "und-Zyyy"


def write_mteb_results(run: Run, folder: Path) -> list[Path]:
    """Write `<folder>/<method>/<task>.json` for all methods and tasks; return the paths.

    Raises
    ------
    InputError
        If they cannot be written there.
    """
    written = []
    for method, of_method in zip(run.methods, slugs(run.methods), strict=True):
        for task, of_task in zip(run.tasks, slugs(run.tasks), strict=True):
            content = task_result(run, method, task)
            path = folder / of_method / f"{of_task}.json"
            # NaN is no JSON, but what mteb itself writes and reads.
            write_text(path, json.dumps(content, indent=1) + "\n")
            written.append(path)
    return written


def task_result(run: Run, method: str, task: str) -> dict[str, Any]:
    """Return one task's result by one method, as `mteb.TaskResult` reads it.

    Figures are fractions there. The dataset's revision is the digest of the pairs that were read,
    as they may come from files, and there is no version of mteb, as it did not run. The name of a
    task of which not all pairs were scored ends in "-part". A correlation that is undefined is NaN.
    """
    name, split = MTEB_TASKS.get(task, (task, "test"))
    of_task = run.tasks[task]
    figure = run.figure(task, method)
    spearman = _fraction(None if figure is None else figure["value"])
    scores = {
        "main_score": spearman,
        "spearman": spearman,
        "pearson": _fraction(of_task["methods"][method]["pearson"]["all"]),
        "hf_subset": "default",
        "languages": [ENGLISH if task in MTEB_TASKS else UNKNOWN],
    }
    return {
        "dataset_revision": of_task["sha256"],
        "task_name": f"{name}-part" if run.is_part(task) else name,
        "mteb_version": None,
        "scores": {split: [scores]},
        "evaluation_time": None,
    }


def _fraction(figure: float | None) -> float:
    return math.nan if figure is None else figure / 100
