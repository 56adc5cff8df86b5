"""Does a plan's work, chunk by chunk, in a folder from which a killed run goes on."""

import json
from collections.abc import Callable, Sequence
from itertools import islice
from pathlib import Path
from typing import Any

from eval.methods.scorers import ScorerMethod, negated
from eval.plan import Chunk, Plan
from eval.results import Scored, results
from eval.scores import write_scores
from eval.store import CachedModel
from similarity.errors import InputError
from similarity.results import Comparison
from similarity.storage.files import replace_file
from similarity.storage.journal import Journal

JOURNAL, TRAJECTORIES, RESULTS = "journal.jsonl", "trajectories", "results.json"

# Called with each chunk that is done, and whether an earlier process had done it.
Advance = Callable[[Chunk, bool], None]


def run(folder: Path, plan: Plan, model: CachedModel, advance: Advance) -> dict[str, Any]:
    """Score all pairs of the plan by all its methods; write and return the results.

    What is in the folder is not done again. A chunk is on disk before the next is begun.

    Parameters
    ----------
    model
        On which the plan's methods stand; its folder is `folder / TRAJECTORIES`.

    Raises
    ------
    InputError
        If another process is at work in the folder, or it cannot be read or written.
    ConfigError
        If the folder is of another plan; the message says what differs.
    """
    chunks = list(plan.chunks())
    with Journal.open(folder / JOURNAL, plan.header()) as journal:
        entries = list(journal.entries())
        model.load(len(entries))
        for chunk in chunks[: len(entries)]:
            advance(chunk, True)
        for number, chunk in islice(enumerate(chunks), len(entries), None):
            entry = _scored(plan, chunk)
            # First: a chunk that counts as done has its trajectories on disk.
            model.save(number)
            journal.append(entry)
            entries.append(entry)
            advance(chunk, False)
        scored = _collect(plan, chunks, entries)
        content = results(plan, scored)
        write_scores(folder, scored.lines())
        write_json(folder / RESULTS, content)
    return content


def _scored(plan: Plan, chunk: Chunk) -> dict[str, Any]:
    method = plan.methods[chunk.method]
    pairs = [(pair.first, pair.second) for pair in chunk.pairs]
    entry: dict[str, Any] = {"method": chunk.method, "task": chunk.task, "start": chunk.start}
    if plan.keep_rows and isinstance(method, ScorerMethod):
        found = method.compare(pairs)
        rows = [c.log_likelihoods.tolist() for c in found if isinstance(c, Comparison)]
        scores = [negated(score.distance) for score in found]
        return entry | {"scores": scores} | ({"log_likelihoods": rows} if rows else {})
    return entry | {"scores": method.score(pairs)}


def _collect(plan: Plan, chunks: Sequence[Chunk], entries: Sequence[dict[str, Any]]) -> Scored:
    scored = Scored(plan)
    for chunk, entry in zip(chunks, entries, strict=True):
        scored.add(chunk, entry["scores"], entry.get("log_likelihoods"))
    return scored


def write_json(path: Path, content: object) -> None:
    """Write a JSON file whole or not at all, making its folder where needed.

    Raises
    ------
    InputError
        If it cannot be written there.
    """
    text = json.dumps(content, indent=1, allow_nan=False, ensure_ascii=False) + "\n"
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        replace_file(path, lambda new: new.write_text(text, encoding="utf-8"))
    except OSError as error:
        raise InputError(f"cannot write {path}: {error.strerror}") from error
