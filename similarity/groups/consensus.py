"""What a set of answers agrees on: groups of one meaning, their entropy, the group to believe.

Two texts are of one meaning where each entails the other to a high degree. Texts are joined to
groups whose texts all are, in the mean, of one meaning with them (`similarity.groups.clustering`).
"""

from collections import Counter
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from math import fsum
from types import NoneType
from typing import Any

import numpy as np

from similarity.arrays import FloatArray
from similarity.entailment.profiles import ProfileEntailment
from similarity.entailment.results import Thresholds
from similarity.errors import InputError, TextTooLongError
from similarity.fingerprint import Fingerprint
from similarity.given import given_strings
from similarity.groups.clustering import cluster
from similarity.groups.given import checked_log_probs
from similarity.groups.own_words import shared_words, unequal_numbers
from similarity.groups.ties import first_greatest, greatest_first
from similarity.models.base import OnProgress
from similarity.prompts import checked_text
from similarity.room import CLUSTER_PAIR, check_all_pairs
from similarity.scorer import Progress, no_progress
from similarity.texts.truncation import Check, Truncator
from similarity.trajectories import token_count
from similarity.validation import check_kind, given_number

# Of what degrees may lack where texts share all their words, so much where they share none.
# Chosen on answers to questions (docs/log.md).
NO_WORDS = 0.05
# Bytes for each two different texts, at least: degrees, those both ways, and what `cluster` has.
# Of all texts, those that repeat included, the degrees are given.
_DEGREE = 8
_PAIR = 2 * _DEGREE + CLUSTER_PAIR


@dataclass(frozen=True, kw_only=True)
class AgreedGroup:
    """Texts of one meaning.

    Parameters
    ----------
    members
        Numbers of the texts from 0, ascending.
    representative
        The member that the others agree with most. Of those that differ by rounding alone it is the
        most probable, and of equally probable ones the first.
    probability
        Of the group: its share of the texts, or of their given probabilities.
    """

    members: tuple[int, ...]
    representative: int
    probability: float


@dataclass(frozen=True, kw_only=True)
class Consensus:
    """What texts agree on.

    Parameters
    ----------
    groups
        The most probable first: that is the one to believe.
    entropy
        Semantic entropy: −Σ p log p over groups, nats. 0 where all texts agree.
    degrees
        To which one text entails another, shape "premise consequence".
    threshold
        What degrees both ways must reach for one meaning.
    warnings
        What to know of the texts, as that one was cut.
    """

    texts: tuple[str, ...]
    groups: tuple[AgreedGroup, ...]
    entropy: float
    degrees: FloatArray
    threshold: float
    thresholds: Thresholds
    fingerprint: Fingerprint[Any]
    warnings: tuple[str, ...] = ()

    @property
    def answer(self) -> str:
        """Return the text that stands for the group to believe."""
        return self.texts[self.groups[0].representative]

    def to_dict(self) -> dict[str, Any]:
        """Return all of it but the degrees as plain values, for JSON."""
        return {
            "answer": self.answer,
            "entropy": self.entropy,
            "groups": [
                {
                    **asdict(group),
                    "members": list(group.members),
                    "texts": [self.texts[i] for i in group.members],
                }
                for group in self.groups
            ],
            "warnings": list(self.warnings),
            "threshold": self.threshold,
            "thresholds": asdict(self.thresholds),
            "fingerprint": self.fingerprint.to_dict(),
        }


def find_consensus(
    scorer: ProfileEntailment,
    texts: Sequence[str],
    *,
    question: str | None = None,
    log_probs: Sequence[float] | None = None,
    threshold: float | None = None,
    truncator: Truncator | None = None,
    progress: Progress = no_progress,
) -> Consensus:
    """Return what texts agree on; a text that repeats is read once.

    Texts whose numbers differ are of two meanings, unless a threshold is given.

    Parameters
    ----------
    question
        Put before each text, so that short answers say what they are about. The threshold is then
        from unrelated sentences after the same question, and texts that share few words of their
        own must entail each other far more.
    log_probs
        log P of each text, nats, as the model that wrote them gave it. A text that repeats counts
        once then, by the mean of its values, as its probability says how often it comes. Without
        them each text counts alike.
    threshold
        In [0, 1], of the degrees alone; None is `Thresholds.same` of the model.
    truncator
        Cuts texts that are too long, by a check that `check_of` gives; None refuses them.

    Raises
    ------
    InputError
        If there are no texts, one is refused by the model, log_probs are not as many finite
        numbers of at most 0, or the degrees need more memory than is free.
    ConfigError
        If the threshold is out of range.
    """
    texts = given_strings(texts)
    check_kind("question", question, (str, NoneType), "a text or None")
    if not texts:
        raise InputError("there are no texts to agree; give at least one")
    check_room(texts)
    weights = _weights(texts, log_probs)
    distinct = list(dict.fromkeys(texts))
    cut = distinct if truncator is None else truncator.cut(distinct)
    # Before the thresholds, which take longer.
    check_of(scorer.check, question)(cut)
    thresholds = scorer.thresholds(progress, question)
    given = threshold is not None
    threshold = thresholds.same if threshold is None else threshold
    threshold = given_number("threshold", threshold, at_least=0, at_most=1)
    degrees = scorer.degrees(_with_question(cut, question), progress)
    mutual = np.minimum(degrees, degrees.T)
    if not given:
        on_progress = progress("comparing words", len(cut) * (1 + bool(question)))
        mutual = _by_own_words(mutual, question, cut, on_progress) if question else mutual
        mutual[unequal_numbers(question or "", cut, on_progress)] = 0.0
    np.fill_diagonal(mutual, 1.0)
    found = cluster(mutual, threshold=threshold).groups
    # By exact sums, so that a group of all texts has all of it: 1, and an entropy of 0.
    total = fsum(weights)
    probabilities = [fsum(weights[list(group)]) / total for group in found]
    places = {text: i for i, text in enumerate(distinct)}
    numbers = np.array([places[text] for text in texts])

    def agreed(group: tuple[int, ...], probability: float) -> AgreedGroup:
        own = weights[list(group)]
        inside = mutual[np.ix_(group, group)] @ own
        # Of a group that is hardly possible all weights are 0.
        best = group[first_greatest(inside / (inside.max() or 1.0), own)]
        return AgreedGroup(
            members=tuple(int(i) for i in np.flatnonzero(np.isin(numbers, group))),
            representative=int(np.flatnonzero(numbers == best)[0]),
            probability=probability,
        )

    groups = [agreed(group, p) for group, p in zip(found, probabilities, strict=True)]
    groups.sort(key=lambda group: group.members)
    order = greatest_first([group.probability for group in groups])
    return Consensus(
        texts=tuple(texts),
        groups=tuple(groups[i] for i in order),
        entropy=entropy(probabilities),
        degrees=degrees[np.ix_(numbers, numbers)],
        threshold=threshold,
        thresholds=thresholds,
        fingerprint=scorer.fingerprint,
        warnings=() if truncator is None else tuple(truncator.warnings(distinct)),
    )


def check_room(texts: Sequence[str]) -> None:
    """Raise InputError if these are no texts, or what is held for each two lacks memory."""
    distinct = len(set(given_strings(texts)))
    check_all_pairs(distinct, distinct, _PAIR, remedy="")
    check_all_pairs(len(texts), len(texts), _DEGREE, remedy="")


def check_of(check: Check, question: str | None) -> Check:
    """Return a check that raises InputError if a text cannot be read after the question.

    The error has the text as it was given, without the question.

    Parameters
    ----------
    check
        Raises InputError if a text cannot be read alone, as a scorer's check does.

    Raises
    ------
    InputError
        If the question cannot be read alone, or leaves no room for a text: no text after it could.
    """
    if question is not None:
        _check_question(check, question)

    def checked(texts: Sequence[str]) -> object:
        answers = _with_question(texts, question)
        try:
            return check(answers)
        except InputError as error:
            if question is None or error.text not in answers:
                raise
            error.text = texts[answers.index(error.text)]
            if not isinstance(error, TextTooLongError) or error.excess is None:
                raise
            # Its message has the beginning of the question for that of the text.
            raise TextTooLongError(
                f"the text that begins {error.text.strip()[:40]!r} is "
                f"{token_count(error.excess)} too long after the question; shorten the text or the "
                f"question, or {error.HAVE_CUT}",
                error.text,
                error.excess,
            ) from error

    return checked


def _check_question(check: Check, question: str) -> None:
    """Raise InputError if a question cannot be read, or leaves no room for a text of a letter."""
    checked_text(question, "the question")
    try:
        check([question])
        check(_with_question(["a"], question))
    except TextTooLongError as error:
        if error.text is None:
            raise
        # A text may be cut, and the question never is.
        excess = "" if error.excess is None else f" by {token_count(error.excess)}"
        raise TextTooLongError(
            f"the question that begins {question.strip()[:40]!r} is too long{excess}, so the model "
            "has no room for a text after it; shorten the question",
            question,
            error.excess,
        ) from error


def entropy(probabilities: Sequence[float]) -> float:
    """Return −Σ p log p, nats; a probability of 0 adds nothing."""
    p = np.array([value for value in probabilities if value > 0])
    return max(0.0, float(-(p * np.log(p)).sum()))


def _by_own_words(
    mutual: FloatArray, question: str, texts: Sequence[str], on_progress: OnProgress
) -> FloatArray:
    """Return mutual degrees whose lack of 1 is halved by the same words, and tenfold by none."""
    share = NO_WORDS + (1 - NO_WORDS) * shared_words(question, texts, on_progress)
    found: FloatArray = np.maximum(1 - (1 - mutual) / (2 * share), 0.0)
    return found


def _with_question(texts: Sequence[str], question: str | None) -> list[str]:
    return [f"{question.strip()} {text}" if question else text for text in texts]


def _weights(texts: Sequence[str], log_probs: Sequence[float] | None) -> FloatArray:
    """Return what the probability of each distinct text is in proportion to, in order."""
    if log_probs is None:
        return np.array(list(Counter(texts).values()), dtype=np.float64)
    of_text: dict[str, list[float]] = {}
    for text, value in zip(texts, checked_log_probs(log_probs, len(texts)), strict=True):
        of_text.setdefault(text, []).append(value)
    # By exact sums, whatever the order.
    values = np.array([fsum(each) / len(each) for each in of_text.values()])
    return np.asarray(np.exp(values - values.max()))
