"""Is this model fit to score with, and how fast is it? Checks and figures, for `trajsim doctor`."""

import statistics
import time
from collections.abc import Iterator
from dataclasses import dataclass

from similarity.config import Law
from similarity.errors import MissingDependencyError, TrajsimError, WrongAnswerError
from similarity.models.base import LanguageModel, SampleRequest, ScoreRequest
from similarity.models.checks import (
    ENDINGS,
    PARAGRAPH,
    TOLERANCE,
    Check,
    check_scores,
    probe_requests,
    worst_difference,
)
from similarity.models.loader import DEFAULT_MODEL, LoadOptions, is_address, load_model

ROUND_TRIPS = 20
# Texts, continuations of each and their length, for the speeds.
TEXTS, SAMPLES, LENGTH = 8, 20, 20


@dataclass(frozen=True)
class Finding:
    """A check, of a server or of the model as a whole."""

    place: str
    check: Check


def examine(
    name: str, options: LoadOptions | None = None, reference: str | None = None
) -> Iterator[Finding]:
    """Yield every finding about a model; figures are measured where no check has failed.

    Parameters
    ----------
    name
        As for `load_model`.
    reference
        A model whose token ids and scores must be the same; by default the one in the package
        where a server says that it serves that one.

    Raises
    ------
    ConfigError
        If an option or an address is none.
    """
    failed = False
    model: LanguageModel | None = None
    for place, found in _basic_checks(name, options):
        if isinstance(found, LanguageModel):
            model = found
        else:
            failed |= found.error is not None
            yield Finding(place, found)
    if model is None or failed:
        return
    if reference or (is_address(name) and model.info.name == DEFAULT_MODEL):
        for check in _check_reference(model, reference):
            failed |= check.error is not None
            yield Finding(name, check)
    if not failed:
        for check in _figures(model):
            yield Finding(name, check)
