"""Which of two words contains the other: by contexts, by a pattern, and by inclusion of profiles.

By contexts is the paper's Algorithm 2. The places where a corpus has either word are continuations
on both sides. A word contains another if it is likelier at all of them. No two words are so at all,
and the mean over contexts decides.
"""

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from similarity.arrays import LogProbs
from similarity.entailment.profiles import ProfileEntailment
from similarity.entailment.results import Entailment
from similarity.errors import InputError
from similarity.law import Law
from similarity.models.base import LanguageModel, ScoreRequest, TokenIds
from similarity.prompts import checked_text
from similarity.scorer import Progress, no_progress

Pair = tuple[str, str]

# Of a corpus, so many contexts of each word are scored.
CONTEXTS = 40
# A word of more characters is a text.
WORD_CHARACTERS = 200


@dataclass(frozen=True, kw_only=True)
class Containment:
    """How far the second word contains the first rather than the reverse; above 0 where it does.

    Parameters
    ----------
    pattern
        log P of "A first is a kind of second", less that of the reverse: nats, whole words.
    contexts
        Mean over contexts of log M of the second less that of the first, nats per token; None
        where the corpus has neither word.
    count
        The number of contexts.
    profiles
        The judgement of both words' profiles; None where the model has none.
    """

    words: Pair
    pattern: float
    contexts: float | None
    count: int
    profiles: Entailment | None

    @property
    def hyponym(self) -> str | None:
        """Return the word that is a kind of the other, by the pattern; None where it is even."""
        if self.pattern == 0:
            return None
        return self.words[0] if self.pattern > 0 else self.words[1]

    def to_dict(self) -> dict[str, Any]:
        """Return all of it as plain values, for JSON."""
        return {
            "words": list(self.words),
            "hyponym": self.hyponym,
            "pattern": self.pattern,
            "contexts": self.contexts,
            "count": self.count,
            "profiles": None if self.profiles is None else self.profiles.to_dict(),
        }


def contain(
    model: LanguageModel,
    words: Pair,
    corpus: Iterable[str],
    profiles: ProfileEntailment | None = None,
) -> Containment:
    """Return how far the second word contains the first.

    Parameters
    ----------
    corpus
        Texts in which contexts of both words are looked for.

    Raises
    ------
    InputError
        If a word is empty, not valid Unicode or no word, both are one, or a context is too long.
    """
    first, second = map(_checked_word, words)
    if first.casefold() == second.casefold():
        raise InputError(f"both words are {first!r}; give two that differ")
    found = contexts_of((first, second), corpus)
    return Containment(
        words=(first, second),
        pattern=pattern_margins(model, [(first, second)])[0],
        contexts=context_margin(model, (first, second), found) if found else None,
        count=len(found),
        profiles=None if profiles is None else profiles.judge([(first, second)])[0],
    )


def pattern_margins(
    model: LanguageModel, pairs: Sequence[Pair], progress: Progress = no_progress
) -> list[float]:
    """Return log P("… is a kind of second" after first) less that of the reverse, nats.

    Raises
    ------
    InputError
        If a word is too long for the model.
    """
    ways = [way for first, second in pairs for way in ((first, second), (second, first))]
    asked = [(f"{_with_article(a)} is a kind of", f" {b}") for a, b in ways]
    sums = [float(row.sum()) for row in scored(model, asked, progress)]
    return [forth - back for forth, back in zip(sums[::2], sums[1::2], strict=True)]


def contexts_of(words: Pair, corpus: Iterable[str]) -> list[Pair]:
    """Return what stands before and after the words in a corpus, CONTEXTS of each at most.

    A word at the very beginning of a text has no context before it, and is left out.
    """
    found: list[Pair] = []
    left = dict.fromkeys(words, CONTEXTS)
    patterns = {
        word: re.compile(rf"(?<!\w){re.escape(word)}(?!\w)", re.IGNORECASE) for word in words
    }
    for text in corpus:
        for word, pattern in patterns.items():
            match = pattern.search(text)
            if match and left[word] and (before := text[: match.start()].rstrip()):
                found.append((before, text[match.end() :].rstrip()))
                left[word] -= 1
        if not any(left.values()):
            break
    return found


def context_margin(model: LanguageModel, words: Pair, contexts: Sequence[Pair]) -> float:
    """Return the mean over contexts of log M of the second word less that of the first.

    log M is the mean log-probability of word and what follows, after what stands before: nats per
    token. Raises InputError if a context is too long for the model.
    """
    asked = [(before, f" {word}{after}") for before, after in contexts for word in words]
    means = np.array([row.mean() for row in scored(model, asked)]).reshape(-1, 2)
    return float((means[:, 1] - means[:, 0]).mean())


def scored(
    model: LanguageModel, asked: Sequence[Pair], progress: Progress = no_progress
) -> list[LogProbs]:
    """Return log P(token | before) of the tokens of continuations after prefixes, nats.

    Raises
    ------
    InputError
        If prefix and continuation are too long for the model.
    """
    requests = []
    for prefix, continuation in asked:
        before: TokenIds = model.encode(prefix)
        ids = model.encode_continuation(continuation)
        if len(before) + len(ids) > model.info.context_length:
            text = max(prefix, continuation.strip(), key=len)
            raise InputError(
                f"the text that begins {text[:40]!r} is too long: the model takes "
                f"{model.info.context_length} tokens; shorten it",
                text,
            )
        requests.append(ScoreRequest(prefix=before, continuations=(ids,)))
    return [row for (row,) in model.score(requests, Law(), progress("scoring", len(requests)))]


def _checked_word(word: str) -> str:
    word = checked_text(word).strip()
    if len(word) > WORD_CHARACTERS:
        raise InputError(
            f"the word that begins {word[:40]!r} has {len(word)} characters; a word has at most "
            f"{WORD_CHARACTERS} here, and whole texts are compared by entailment (trajsim entails)"
        )
    return word


def _with_article(word: str) -> str:
    return f"{'An' if word[0].lower() in 'aeiou' else 'A'} {word}"
