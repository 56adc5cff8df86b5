"""Warnings about texts whose script, language or spelling a model hardly knows.

A tokenizer keeps the words whole that its model has read often, and cuts the others. So a text is
known by how often its words are cut, against general text: no forward pass is needed. Languages
that share their words' letters and pieces with English, as French does, are not distinguished from
misspelt English.
"""

import re
import unicodedata
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

from similarity.errors import InputError
from similarity.given import Pair, given_matrix, given_pairs, given_strings, given_texts
from similarity.images.image import Content, Image
from similarity.models.base import LanguageModel, ModelInfo
from similarity.results import Explanation, Score, SimilarityMatrix
from similarity.scorer import Progress, Scorer, no_progress
from similarity.texts.general import general_sentences
from similarity.texts.normal_forms import normal_form
from similarity.validation import given_integer

# A text is hardly known where so many more of the places between its letters are cut than in
# general text. Measured in docs/log.md: 0 to 0.4 of English, names, code and typing errors, above
# of other scripts and of random letters.
MARGIN = 0.4
# So many places of general text are added to each text, so that a word or two decide less.
ADDED_PLACES = 2
# Of general text, what is enough to measure, and how much of it is encoded at once.
SENTENCES, TOGETHER = 100, 10
# Of the warnings of many texts, those that a person reads.
SHOWN_WARNINGS = 10

# Letters that a tokenizer without bytes may not have, and the part of a text's that may be lost.
UNCOMMON, LOST = "A 日本 Ж ħ", 0.1

_ASCII_WORDS = re.compile("[A-Za-z]+")
_losing: dict[ModelInfo, bool] = {}
_usual: dict[ModelInfo, "Cuts | None"] = {}


@dataclass(frozen=True)
class Cuts:
    """How a tokenizer cuts words: their number, and that of their letters and tokens."""

    words: int
    letters: int
    tokens: int

    @property
    def letters_a_token(self) -> float:
        """Return the letters of the words for each token."""
        return self.letters / self.tokens

    @property
    def rate(self) -> float:
        """Return the cuts for each place between two letters of a word.

        Above 1 where letters are cut into bytes.
        """
        return (self.tokens - self.words) / max(1, self.letters - self.words)

    def rate_beside(self, usual: float) -> float:
        """Return the rate with ADDED_PLACES places of the usual rate put to the text's own."""
        places = max(1, self.letters - self.words)
        return (self.tokens - self.words + ADDED_PLACES * usual) / (places + ADDED_PLACES)


def letter_runs(text: str) -> list[str]:
    """Return the runs of letters, with their marks: what is neither digit nor punctuation."""
    if text.isascii():
        return _ASCII_WORDS.findall(text)
    return "".join(c if unicodedata.category(c)[0] in "LM" else " " for c in text).split()


def cuts_of(model: LanguageModel, texts: Sequence[str]) -> list[Cuts]:
    """Return how the model's tokenizer cuts the words of each text; of no words, no tokens.

    Raises
    ------
    InputError
        If this is no list of texts, or it has no tokens for the words of one.
    """
    words = [letter_runs(text) for text in given_strings(texts)]
    lengths = iter([len(ids) for ids in model.encode_all([" ".join(w) for w in words if w])])
    opening = len(model.encode(""))
    return [
        Cuts(len(of_it), sum(map(len, of_it)), next(lengths) - opening if of_it else 0)
        for of_it in words
    ]


def usual_cuts(model: LanguageModel) -> Cuts | None:
    """Return how the model's tokenizer cuts general text, measured once for each model.

    None where it has no tokens for general text, as a toy of a few letters.
    """
    if model.info not in _usual:
        some = general_sentences()[:SENTENCES]
        texts = [" ".join(some[i : i + TOGETHER]) for i in range(0, SENTENCES, TOGETHER)]
        try:
            parts = cuts_of(model, texts)
        except InputError:
            _usual[model.info] = None
        else:
            _usual[model.info] = Cuts(
                sum(part.words for part in parts),
                sum(part.letters for part in parts),
                sum(part.tokens for part in parts),
            )
    return _usual[model.info]


def unfamiliar(model: LanguageModel, texts: Iterable[Content]) -> dict[str, str]:
    """Return a warning by text, of those that the model hardly knows; images are not looked at.

    Raises InputError if this is no list of texts.
    """
    distinct = list(dict.fromkeys(t for t in given_texts(texts) if not isinstance(t, Image)))
    usual = usual_cuts(model)
    if usual is None or not distinct:
        return {}
    cuts_by_text = dict(zip(distinct, _cuts_where_known(model, distinct), strict=True))
    loses = _loses_letters(model)
    lost = {text: _lost(model, text) for text, cuts in cuts_by_text.items() if loses or not cuts}
    found = {text: line for text, (of, n) in lost.items() if (line := _lost_warning(text, of, n))}
    return found | {
        text: _warning(text, cuts, usual)
        for text, cuts in cuts_by_text.items()
        if cuts and cuts.tokens and cuts.rate_beside(usual.rate) > usual.rate + MARGIN
    }


def _cuts_where_known(model: LanguageModel, texts: Sequence[str]) -> list[Cuts | None]:
    """Return what `cuts_of` does, and None of a text whose words the tokenizer does not know.

    Such a text may have digits or signs that it knows, so that the text was scored.
    """
    try:
        return list(cuts_of(model, texts))
    except InputError:
        if len(texts) == 1:
            return [None]
    middle = len(texts) // 2
    return [
        cut for half in (texts[:middle], texts[middle:]) for cut in _cuts_where_known(model, half)
    ]


def _loses_letters(model: LanguageModel) -> bool:
    """Return whether the tokenizer has no tokens for some letters; tried once a model."""
    if model.info not in _losing:
        try:
            _losing[model.info] = _lost(model, UNCOMMON)[0] > 0
        except InputError:  # it has none at all
            _losing[model.info] = True
    return _losing[model.info]


def _lost(model: LanguageModel, text: str) -> tuple[int, int]:
    """Return how many letters and digits of a text do not come back from its tokens, and of all."""
    letters = _letters(text)
    missing = letters - _letters(model.decode(model.encode(text)))
    return missing.total(), letters.total()


def _letters(text: str) -> "Counter[str]":
    plain = normal_form("NFKD", text).casefold()
    return Counter(letter for letter in plain if letter.isalnum())


def _lost_warning(text: str, lost: int, letters: int) -> str | None:
    if lost <= LOST * letters:
        return None
    return (
        f"the model's tokenizer has no tokens for {lost} of the {letters} letters of "
        f"{_shown(text)!r}, so its scores mean little"
    )


def shown_warnings(warnings: Iterable[str]) -> list[str]:
    """Return each warning once, and of very many the first and how many more there are."""
    distinct = list(dict.fromkeys(warnings))
    more = len(distinct) - SHOWN_WARNINGS
    if more <= 1:
        return distinct
    return [*distinct[:SHOWN_WARNINGS], f"there are {more} more warnings, of other texts"]


class WarningScorer(Scorer):
    """Compares as another scorer does, and warns of texts that the model hardly knows."""

    def __init__(self, scorer: Scorer, model: LanguageModel) -> None:
        self._scorer = scorer
        self._model = model
        self.fingerprint = scorer.fingerprint

    def check(self, texts: Sequence[Content]) -> None:
        """Raise InputError as the other scorer does."""
        self._scorer.check(given_texts(texts))

    def score(self, pairs: Sequence[Pair], progress: Progress = no_progress) -> Sequence[Score]:
        """Return what the other scorer does, with warnings."""
        pairs = given_pairs(pairs)
        scores = self._scorer.score(pairs, progress)
        warnings = unfamiliar(self._model, (text for pair in pairs for text in pair))
        return [_warned(score, warnings) for score in scores] if warnings else scores

    def matrix(
        self,
        rows: Sequence[Content],
        columns: Sequence[Content] | None = None,
        progress: Progress = no_progress,
    ) -> SimilarityMatrix:
        """Return what the other scorer does, with warnings."""
        rows, columns = given_matrix(rows, columns)
        result = self._scorer.matrix(rows, columns, progress)
        warnings = unfamiliar(self._model, [*rows, *(columns or ())])
        return replace(result, warnings=tuple(warnings.values()))

    def explain(
        self, pairs: Sequence[Pair], top: int = 5, progress: Progress = no_progress
    ) -> Sequence[Explanation]:
        """Return what the other scorer does, with warnings."""
        pairs = given_pairs(pairs)
        top = given_integer("top", top, at_least=1)
        found = self._scorer.explain(pairs, top, progress)
        warnings = unfamiliar(self._model, (text for pair in pairs for text in pair))
        return [replace(one, score=_warned(one.score, warnings)) for one in found]


def _warned(score: Score, warnings: dict[str, str]) -> Score:
    texts = dict.fromkeys(score.texts)
    return replace(score, warnings=tuple(warnings[text] for text in texts if text in warnings))


def _shown(text: str) -> str:
    stripped = " ".join(text.split())
    return stripped if len(stripped) <= 40 else f"{stripped[:40]}…"


def _warning(text: str, cuts: Cuts, usual: Cuts) -> str:
    return (
        f"the model hardly knows the script, language or spelling of {_shown(text)!r} "
        f"({cuts.letters_a_token:.1f} letters a token, in general English "
        f"{usual.letters_a_token:.1f}), so its scores mean little"
    )
