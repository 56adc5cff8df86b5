"""Texts without judgements, for the methods that fit statistics."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from eval.datasets import Source, is_there, load_task
from eval.pair_files import ScoredPair
from similarity.digests import digest
from similarity.tabular.texts import read_file
from similarity.vectors.corpus import few_to_fit

# Whose sentences are taken, without their judgements, where no file is given: those of the
# benchmarks that nothing is reported on.
DEFAULT_TASKS = ("stsb-train", "stsb-dev", "sick-r-train", "sick-r-dev")


@dataclass(frozen=True)
class Unlabelled:
    """Texts, and where they are from; none of them is in the tasks of the run.

    `left_out` is how many different ones are, so that nothing is fitted to them.
    """

    origin: str
    texts: Sequence[str]
    left_out: int = 0

    def to_dict(self) -> dict[str, Any]:
        """Return the origin, the numbers of texts and their digest, as plain values."""
        return {
            "origin": self.origin,
            "texts": len(self.texts),
            "left_out": self.left_out,
            "sha256": digest("\n".join(self.texts).encode()),
        }


def fit_warnings(unlabelled: Mapping[str, Any]) -> Iterator[str]:
    """Warn of texts that were left out, and of few that are left to fit to.

    Parameters
    ----------
    unlabelled
        What `Unlabelled.to_dict` gives. Runs of earlier releases do not say what was left out.
    """
    texts, left_out = unlabelled["texts"], unlabelled.get("left_out", 0)
    if left_out:
        yield (
            f"{left_out} of the {texts + left_out} different texts of {unlabelled['origin']} stand "
            "in the judged pairs too, and nothing is fitted to them"
        )
    # With fewer than two, the methods that want some are left out, and say so.
    if texts > 1:
        yield from few_to_fit(texts)


def read_unlabelled(
    path: Path | None,
    source: Source,
    tasks: Iterable[Sequence[ScoredPair]],
) -> Unlabelled:
    """Return the texts of a file of any format, or the sentences of default tasks that are there.

    Texts of the tasks themselves are dropped.

    Raises
    ------
    InputError
        If a file cannot be read.
    """
    if path is not None:
        origin = path.name
        texts = [text.strip() for text in read_file(str(path), options=False).texts]
    else:
        origin, texts = _of_tasks(DEFAULT_TASKS, source)
    evaluated = {text for pairs in tasks for pair in pairs for text in (pair.first, pair.second)}
    different = dict.fromkeys(texts)
    kept = [text for text in different if text not in evaluated]
    return Unlabelled(origin, kept, len(different) - len(kept))


def _of_tasks(tasks: Sequence[str], source: Source) -> tuple[str, list[str]]:
    """Return the names of the tasks that are there, and their sentences.

    Without any, the methods that need texts say so, and are left out.
    """
    found = [task for task in tasks if is_there(task, source)]
    pairs = (pair for task in found for pair in load_task(task, source))
    texts = [text for pair in pairs for text in (pair.first, pair.second)]
    return ", ".join(found), texts
