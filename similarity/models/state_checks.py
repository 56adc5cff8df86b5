"""What the doctor finds of a model that gives states alone."""

import statistics
import time
from collections.abc import Iterator

from similarity.errors import UnsupportedError, WrongAnswerError
from similarity.models.base import LanguageModel
from similarity.models.checks import ENDINGS, PARAGRAPH, STATE_TOLERANCE, Check, worst_drift

# Texts whose states are timed, and how often the fastest is looked for.
TEXTS, ROUND_TRIPS = 64, 20


def compare_states(title: str, model: LanguageModel, reference: LanguageModel) -> Check:
    """Check that two models that read texts in the same tokens have the same states."""
    room = model.info.context_length
    prefixes = [model.encode(text)[:room] for text in (PARAGRAPH, *ENDINGS)]
    try:
        expected = reference.next_states(prefixes)
    except UnsupportedError as error:
        return Check(title, f"the same token ids; states not compared: {error}")
    worst = worst_drift(model.next_states(prefixes), expected)
    found = f"the same token ids; states differ by {worst:.2g} of their length"
    if worst <= STATE_TOLERANCE:
        return Check(title, f"{found} (in float32 below 0.001)")
    return Check(
        title,
        found,
        WrongAnswerError(
            f"{model.info.name} is not {reference.info.name}, or pools otherwise than the last "
            f"token: {found}; serve the same model, or leave out --reference"
        ),
    )


def state_figures(model: LanguageModel) -> Iterator[Check]:
    """Measure a round trip, and the speed of states."""
    trips = [_seconds(model, ["A text."]) for _ in range(ROUND_TRIPS)]
    yield Check("round trip", f"{1000 * statistics.median(trips):.1f} ms, median of {ROUND_TRIPS}")
    texts = [f"Text number {i}, {ENDINGS[i % 4]}" for i in range(TEXTS)]
    speed = TEXTS / _seconds(model, texts)
    yield Check("states", f"{speed:,.0f} texts/s ({TEXTS} texts, each about 15 tokens)")


def _seconds(model: LanguageModel, texts: list[str]) -> float:
    start = time.perf_counter()
    model.next_states(model.encode_all(texts))
    return time.perf_counter() - start
