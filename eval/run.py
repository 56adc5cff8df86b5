"""Does a plan's work, chunk by chunk, in a folder from which a killed run goes on."""

from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any

from eval.methods.base import Method
from eval.methods.scorers import ScorerMethod, negated
from eval.plan import Chunk, Plan
from eval.progress import RunProgress
from eval.results import Scored, results
from eval.runs import RESULTS, write_results
from eval.runs import SCORES as SCORES_DIGEST
from eval.scores import NAME as SCORES
from eval.scores import check_package, write_scores
from eval.store import CachedModel
from similarity.errors import ConfigError, InputError
from similarity.results import Comparison
from similarity.storage.journal import Journal

JOURNAL, TRAJECTORIES = "journal.jsonl", "trajectories"
# Where what methods fit is kept.
FITTED = "fitted"

# Of the journal: the scores of a chunk, or what became of a method when its turn came.
Entry = dict[str, Any]


def run(folder: Path, plan: Plan, model: CachedModel, progress: RunProgress) -> dict[str, Any]:
    """Score all pairs of the plan by all its methods; write and return the results.

    What is in the folder is not done again. A chunk is on disk before the next is begun.

    Parameters
    ----------
    model
        On which the plan's methods stand; its folder is `folder / TRAJECTORIES`.

    Raises
    ------
    InputError
        If another process is at work in the folder, or it cannot be read or written, or has
        such files of no run.
    ConfigError
        If the folder is of another plan; the message says what differs. If all methods are left
        out; it says why.
    MissingDependencyError
        If zstandard is not installed.
    """
    check_package()
    check_new(folder, folder / JOURNAL, (RESULTS, SCORES, TRAJECTORIES))
    with Journal.open(folder / JOURNAL, plan.header()) as journal:
        earlier = _earlier(plan, journal.entries())
        progress.begin(plan)
        done: list[tuple[Chunk, Entry]] = []
        loaded = False
        for number, chunk in enumerate(plan.chunks()):
            if chunk.method in plan.methods.left_out:
                continue
            entry = next(earlier, None)
            if entry is None and not loaded:
                model.load(number)
                loaded = True
            if entry is not None:
                progress.advance(chunk, True)
            elif (method := _prepared(plan, chunk.method, journal, progress)) is not None:
                progress.scoring(chunk)
                entry = _scored(plan, method, chunk)
                # First: a chunk that counts as done has its trajectories on disk.
                model.save(number)
                journal.append(entry)
                progress.advance(chunk, False)
            if entry is not None:
                done.append((chunk, entry))
        _check_any(plan)
        scored = _collect(plan, done)
        content = results(plan, scored)
        content[SCORES_DIGEST] = write_scores(folder, scored.lines())
        write_results(folder / RESULTS, content)
    return content


def check_new(folder: Path, journal: Path, names: Iterable[str]) -> None:
    """Refuse a folder whose files of these names are a user's own: they would be replaced.

    Raises
    ------
    InputError
        If there is one, and no journal of a run that would have written it.
    """
    if not journal.exists():
        refuse_files(folder, names, f"{journal.relative_to(folder)} is not, so it is of no run")


def refuse_files(folder: Path, names: Iterable[str], why: str) -> None:
    """Raise InputError if a folder has files of these names; `why` says what they are not of."""
    for path in (folder / name for name in names):
        if path.exists():
            raise InputError(
                f"{path} is there and {why}; move it away, or name another folder by --out"
            )


def _check_any(plan: Plan) -> None:
    if not plan.methods.used:
        reasons = "; ".join(f"{name}: {why}" for name, why in plan.methods.left_out.items())
        raise ConfigError(
            f"no method is left to score by, of {reasons}. When that is mended, write to another "
            "place"
        )


def _earlier(plan: Plan, entries: Iterable[Entry]) -> Iterator[Entry]:
    """Return the entries of chunks, when the plan has taken in what is known of its methods."""
    chunks = []
    for entry in entries:
        if "scores" in entry:
            chunks.append(entry)
        elif "left_out" in entry:
            plan.methods.left_out[entry["method"]] = entry["left_out"]
        else:
            plan.methods.settings[entry["method"]] = entry["settings"]
    return iter(chunks)


def _prepared(plan: Plan, name: str, journal: Journal, progress: RunProgress) -> Method | None:
    """Return a method; whether there is one, and with which settings, is written down first."""
    methods = plan.methods
    if methods.is_made(name):
        return methods.made(name)
    known = name in methods.settings
    progress.preparing(name)
    method = methods.made(name)
    if method is None:
        progress.left_out(name)
        journal.append({"method": name, "left_out": methods.left_out[name]})
    elif not known:
        journal.append({"method": name, "settings": methods.settings[name]})
    return method


def _scored(plan: Plan, method: Method, chunk: Chunk) -> Entry:
    pairs = [(pair.first, pair.second) for pair in chunk.pairs]
    entry: Entry = {"method": chunk.method, "task": chunk.task, "start": chunk.start}
    if plan.keep_rows and isinstance(method, ScorerMethod):
        found = method.compare(pairs)
        rows = [c.log_likelihoods.tolist() for c in found if isinstance(c, Comparison)]
        scores = [negated(score.distance) for score in found]
        return entry | {"scores": scores} | ({"log_likelihoods": rows} if rows else {})
    return entry | {"scores": method.score(pairs)}


def _collect(plan: Plan, done: Sequence[tuple[Chunk, Entry]]) -> Scored:
    scored = Scored(plan)
    for chunk, entry in done:
        scored.add(chunk, entry["scores"], entry.get("log_likelihoods"))
    return scored
