"""Which of two words contains the other: by sentences, by contexts, by inclusion of profiles.

By contexts is the paper's Algorithm 2. The places where a corpus has either word are continuations
on both sides. A word contains another if it is likelier at all of them. No two words are so at all,
and the mean over contexts decides.
"""

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from similarity.entailment.continuations import scored
from similarity.entailment.kinds import (
    CONFIDENCE,
    FIRST_IS,
    NEITHER,
    SECOND_IS,
    KindReading,
    KindVerdict,
    Pair,
    read_kinds,
)
from similarity.entailment.profiles import ProfileEntailment
from similarity.entailment.results import Entailment
from similarity.errors import InputError
from similarity.given import check_several
from similarity.models.base import LanguageModel
from similarity.prompts import checked_text

# Of a corpus, so many contexts of each word are scored.
CONTEXTS = 40
# A word of more characters is a text.
WORD_CHARACTERS = 200


@dataclass(frozen=True, kw_only=True)
class Containment:
    """How far the second word contains the first rather than the reverse; above 0 where it does.

    Parameters
    ----------
    sentences
        What sentences say of both words.
    contexts
        Mean over contexts of log M of the second less that of the first, nats per token; None
        where the corpus has neither word.
    count
        The number of contexts.
    profiles
        The judgement of both words' profiles; None where the model has none.
    """

    words: Pair
    sentences: KindReading
    contexts: float | None
    count: int
    profiles: Entailment | None

    @property
    def verdict(self) -> KindVerdict:
        """Return what the sentences say; words whose profiles are unrelated are "neither"."""
        found = self.profiles
        if found and max(found.forward, found.backward) < found.thresholds.related:
            return NEITHER
        return self.sentences.verdict

    @property
    def hyponym(self) -> str | None:
        """Return the word that is a kind of the other; None where the verdict names none."""
        return {FIRST_IS: self.words[0], SECOND_IS: self.words[1]}.get(self.verdict)

    def to_dict(self) -> dict[str, Any]:
        """Return all of it as plain values, for JSON."""
        return {
            "words": list(self.words),
            "verdict": self.verdict,
            "hyponym": self.hyponym,
            "margin": self.sentences.margin,
            "interval": {"confidence": CONFIDENCE, "margin": list(self.sentences.interval)},
            "strength": self.sentences.strength,
            "beyond_usual": list(self.sentences.beyond_usual),
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
        sentences=read_kinds(model, [(first, second)])[0],
        contexts=context_margin(model, (first, second), found) if found else None,
        count=len(found),
        profiles=None if profiles is None else profiles.judge([(first, second)])[0],
    )


def contexts_of(words: Pair, corpus: Iterable[str]) -> list[Pair]:
    """Return what stands before and after the words in a corpus, CONTEXTS of each at most.

    A word at the very beginning of a text has no context before it, and is left out. Raises
    InputError if the corpus is no list of texts, which may come one by one.
    """
    check_several(corpus, "the texts of a corpus")
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
    conditionals = [(before, f" {word}{after}") for before, after in contexts for word in words]
    means = np.array([row.mean() for row in scored(model, conditionals)]).reshape(-1, 2)
    return float((means[:, 1] - means[:, 0]).mean())


def _checked_word(word: str) -> str:
    word = checked_text(word).strip()
    if len(word) > WORD_CHARACTERS:
        raise InputError(
            f"the word that begins {word[:40]!r} has {len(word)} characters; a word has at most "
            f"{WORD_CHARACTERS} here, and whole texts are compared by entailment (trajsim entails)"
        )
    return word
