"""Is a model fit to score with, and how fast is it? Checks and figures, for `trajsim doctor`."""

import statistics
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from similarity.errors import MissingDependencyError, UnsupportedError, WrongAnswerError
from similarity.estimators.table import WITHOUT_BANK
from similarity.law import Law
from similarity.models.base import (
    Continuation,
    LanguageModel,
    SampleRequest,
    ScoreRequest,
    TokenIds,
)
from similarity.models.checks import (
    ENDINGS,
    PARAGRAPH,
    Check,
    check_use,
    probe_requests,
)
from similarity.models.drifts import Drift
from similarity.models.gaps import worst_gap
from similarity.models.loader import PACKAGED, LoadOptions, examine_model, load_model
from similarity.presets import PAPER, PRESETS
from similarity.scorer_table import SCORERS, possible_scorers
from similarity.vectors.general import find_vectors

ROUND_TRIPS = 20
# Of the measured speeds: texts, continuations of each, and tokens of a continuation.
TEXTS, SAMPLES, LENGTH = 8, 20, 20
# Texts whose states are timed.
STATES = 64
# What to do where a reference has other numbers.
_SAME = "serve the same model, or leave out --reference"


@dataclass(frozen=True)
class Finding:
    """A check of one place: a server, or the model as a whole."""

    place: str
    check: Check

    @property
    def failed(self) -> bool:
        """Return whether the model is unfit because of this finding."""
        return self.check.error is not None

    def to_dict(self) -> dict[str, Any]:
        """Return all of it as plain values, for JSON."""
        return {
            "place": self.place,
            "check": self.check.name,
            "found": self.check.found,
            "error": None if self.check.error is None else str(self.check.error),
        }


def diagnose(
    name: str, options: LoadOptions | None = None, reference: str | None = None
) -> list[Finding]:
    """Return every finding about a model; speeds are measured where nothing failed.

    Parameters
    ----------
    name
        As for `load_model`.
    reference
        A model whose token ids, and scores or states, must be the same; by default the one that
        ships under the name, where another place says that it has that one.

    Raises
    ------
    ConfigError
        If an option or an address is none.
    ModelNotFoundError, MissingDependencyError
        If there is no such model, or what it needs is not installed.
    ModelError
        If the reference cannot be loaded.
    """
    checks, model = examine_model(name, options)
    findings = [Finding(place, check) for place, check in checks]
    if model is None:
        return findings
    try:
        used = check_use(model) if model.generates else ()
        findings += [Finding(model.info.name, check) for check in used]
        if check := _reference_check(name, model, reference):
            findings.append(Finding(model.info.name, check))
        if not any(finding.failed for finding in findings):
            findings.append(Finding(model.info.name, _scorers(model)))
            figures = _figures(model) if model.generates else _state_figures(model)
            findings += [Finding(model.info.name, figure) for figure in figures]
    finally:
        model.close()
    return findings


def _reference_check(name: str, model: LanguageModel, reference: str | None) -> Check | None:
    if reference is not None:
        return check_reference(model, load_model(reference))
    if name in PACKAGED or model.info.name not in PACKAGED:
        return None
    try:
        return check_reference(model, load_model(model.info.name))
    except MissingDependencyError as error:
        return Check("reference", f"not compared: {error}")


def check_reference(model: LanguageModel, reference: LanguageModel) -> Check:
    """Check that two models read one text in the same tokens, and score it or know it alike."""
    title = f"reference {reference.info.name}"
    for text in (PARAGRAPH, *ENDINGS):
        if model.encode(text) != reference.encode(text):
            wrong = f"{model.info.name} reads texts in other tokens than {reference.info.name}"
            error = WrongAnswerError(f"{wrong}; serve the same model, or leave out --reference")
            return Check(title, "other token ids", error)
    if not model.generates:
        return _compare_states(title, model, reference)
    requests = probe_requests(model)
    scores = (scorer.score(requests, Law()) for scorer in (model, reference))
    worst = worst_gap(*scores)
    found = f"scores differ by {worst}"
    if worst.is_rounding:
        return Check(title, found)
    wrong = f"{model.info.name} is not {reference.info.name}: {found}, and {worst.advice(_SAME)}"
    return Check(title, found, WrongAnswerError(wrong))


def _compare_states(title: str, model: LanguageModel, reference: LanguageModel) -> Check:
    """Check that two models that read texts in the same tokens have the same states."""
    room = model.info.context_length
    prefixes = [model.encode(text)[:room] for text in (PARAGRAPH, *ENDINGS)]
    try:
        expected = reference.next_states(prefixes)
    except UnsupportedError as error:
        return Check(title, f"the same token ids; states not compared: {error}")
    drift = Drift.between(model.next_states(prefixes), expected)
    found = f"the same token ids; states differ by {drift}"
    if drift.is_rounding:
        return Check(title, f"{found} (in float32 below 0.001)")
    wrong = (
        f"{model.info.name} is not {reference.info.name}, or pools otherwise than the last token"
    )
    return Check(title, found, WrongAnswerError(f"{wrong}: {found}; {_SAME}"))


def _scorers(model: LanguageModel) -> Check:
    """Return a check that names the presets and distances that the model allows, and the others."""
    possible = possible_scorers(model)
    distances = [name for name in possible if name in WITHOUT_BANK]
    presets = [*([PAPER] if distances else []), *(name for name in possible if name in PRESETS)]
    found = f"presets {', '.join(presets)}"
    if distances:
        found += f"; distances {', '.join(distances)}"
    # What needs a bank of texts is of Python alone.
    named = [name for name in SCORERS if name in PRESETS or name in WITHOUT_BANK]
    missing = [name for name in named if name not in possible]
    lacks = find_vectors(None, model).lacks
    because = f" ({lacks})" if lacks else ""
    return Check("compares by", f"{found}; not {', '.join(missing)}{because}" if missing else found)


def _figures(model: LanguageModel) -> Iterator[Check]:
    """Measure a round trip, the speeds of sampling and scoring, and the tokens of a pair."""
    yield _round_trip(lambda: model.encode("A text."))
    law = Law()
    length = max(1, min(LENGTH, model.info.context_length // 4))
    texts = (f"Text number {i}, {ENDINGS[i % 4]}" for i in range(TEXTS))
    prefixes = [model.encode(text)[: model.info.context_length - length] for text in texts]
    wanted = [
        SampleRequest(prefix=prefix, n=SAMPLES, max_tokens=length, key=i)
        for i, prefix in enumerate(prefixes)
    ]
    start = time.perf_counter()
    sampled = model.sample(wanted, law)
    seconds = time.perf_counter() - start
    tokens = sum(len(one.token_ids) for samples in sampled for one in samples)
    yield _speed("sampling", tokens, seconds)

    requests = [
        ScoreRequest(prefix=prefix, continuations=tuple(one.token_ids for one in samples))
        for prefix, samples in zip(prefixes, sampled, strict=True)
    ]
    yield _speed("scoring", tokens, _seconds(lambda: model.score(requests, law)))
    yield _tokens_of_a_pair(model, prefixes[:2], sampled[:2])


def _state_figures(model: LanguageModel) -> Iterator[Check]:
    """Measure a round trip, and the speed of states."""
    yield _round_trip(lambda: model.next_states(model.encode_all(["A text."])))
    texts = [f"Text number {i}, {ENDINGS[i % 4]}" for i in range(STATES)]
    speed = STATES / _seconds(lambda: model.next_states(model.encode_all(texts)))
    yield Check("states", f"{speed:,.0f} texts/s ({STATES} texts, each about 15 tokens)")


def _round_trip(work: Callable[[], object]) -> Check:
    trips = [_seconds(work) for _ in range(ROUND_TRIPS)]
    found = f"{1000 * statistics.median(trips):.1f} ms, median of {ROUND_TRIPS}"
    return Check("round trip", found)


def _tokens_of_a_pair(
    model: LanguageModel, prefixes: Sequence[TokenIds], sampled: Sequence[Sequence[Continuation]]
) -> Check:
    """Count what two texts cost that are compared by trajectories."""
    # Where sampling gives log-probabilities as good as scoring's, the other's alone are scored.
    scored = [
        [one for j, other in enumerate(sampled) for one in other if i != j or one.log_probs is None]
        for i in range(len(prefixes))
    ]
    read = model.tokens_read(
        [
            ScoreRequest(prefix=prefix, continuations=tuple(one.token_ids for one in some))
            for prefix, some in zip(prefixes, scored, strict=True)
        ]
    )
    drawn = sum(len(one.token_ids) for samples in sampled for one in samples)
    found = f"{drawn:,} sampled, {read:,} read to score them"
    return Check("tokens of a pair", f"{found} (by paper, {SAMPLES} continuations each)")


def _speed(name: str, tokens: int, seconds: float) -> Check:
    work = f"{TEXTS} texts, {SAMPLES} continuations each"
    return Check(name, f"{tokens / seconds:,.0f} tokens/s of continuation ({work})")


def _seconds(work: Callable[[], object]) -> float:
    start = time.perf_counter()
    work()
    return time.perf_counter() - start
