"""Texts that are longer than the model takes: refused, or cut to what it takes; never images.

What is left of a text is the longest part, in characters, that the model takes with its prompt,
less the rest of a word that this would cut.
"""

import unicodedata
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import takewhile
from typing import TypeVar

from similarity.errors import TextTooLongError
from similarity.given import Pair, check_several, given_matrix, given_pairs, given_texts
from similarity.images.image import Content, name_of
from similarity.models.base import ModelInfo, TokenIds
from similarity.results import Explanation, Score, SimilarityMatrix
from similarity.scorer import Progress, Scorer, no_progress
from similarity.validation import check_choice

REFUSE, END, START = "refuse", "end", "start"
# By the names that users give; the first is the default.
TRUNCATIONS: Mapping[str, str] = {
    REFUSE: "makes them an error",
    END: "leaves out the end",
    START: "leaves out the beginning",
}


# Names the length in a header of kept results, and in the message where it is another.
_CUT_TO = "the number of tokens to which texts are cut (of a server, by --max-model-len)"
# A run of more letters is no word: it is cut anywhere.
_LONGEST_WORD = 40


class _AboveMostError(TextTooLongError):
    """A text has more tokens than are to be kept of each; it may have room in the model."""

    def __init__(self, text: str, tokens: int, most: int) -> None:
        super().__init__(
            f"the text that begins {text[:40]!r} has {tokens} tokens, with those that the model "
            f"wants at its beginning; at most {most} are kept",
            text,
        )
        self.tokens, self.most = tokens, most


def truncation_header(truncate: str, model: ModelInfo) -> dict[str, str | int]:
    """Return what kept results depend on by texts that are too long for the model.

    Where these are refused, how long they may be changes no result.
    """
    cut = {} if truncate == REFUSE else {_CUT_TO: model.context_length}
    return {"truncate": truncate, **cut}


Check = Callable[[Sequence[str]], object]
Given = TypeVar("Given", str, Content)


@dataclass
class Truncator:
    """Cuts the texts that are too long, and remembers them.

    Parameters
    ----------
    check
        Raises TextTooLongError if one of some texts is too long.
    truncate
        A name in `TRUNCATIONS`.
    max_characters
        Longer texts are cut to so many at once, before the model's tokens are counted.

    Attributes
    ----------
    kept
        What was left of each text that was cut.
    """

    check: Check
    truncate: str = REFUSE
    max_characters: int | None = None

    def __post_init__(self) -> None:
        check_choice("truncate", self.truncate, TRUNCATIONS)
        self.kept: dict[str, str] = {}

    def cut(self, texts: Iterable[Given]) -> list[Given]:
        """Return the texts, each as it is or what is left of it, and images as they are.

        Raises
        ------
        InputError
            If this is no list of texts, or a text cannot be compared, however short it is made.
        TextTooLongError
            If one is too long, and is not to be cut; or the prompt alone is too long.
        """
        check_several(texts)
        texts = list(texts)
        if self.truncate != REFUSE:
            new = [text for text in dict.fromkeys(texts) if isinstance(text, str)]
            self._note([text for text in new if text not in self.kept])
        return [self.kept.get(text, text) if isinstance(text, str) else text for text in texts]

    def cut_pairs(self, pairs: Sequence[tuple[Given, Given]]) -> list[tuple[Given, Given]]:
        """Return pairs of texts, cut; raises as `cut` does."""
        cut = iter(self.cut([text for pair in pairs for text in pair]))
        return list(zip(cut, cut, strict=True))

    def warnings(self, texts: Iterable[Content]) -> list[str]:
        """Return what to know of those of the texts that were cut.

        Raises InputError if this is no list of texts.
        """
        check_several(texts)
        distinct = [text for text in dict.fromkeys(texts) if isinstance(text, str)]
        return [self._warning(text) for text in distinct if text in self.kept]

    def _note(self, texts: Sequence[str]) -> None:
        short = [text for text in texts if not self._exceeds(text)]
        try:
            self.check(short)
            long = [text for text in texts if self._exceeds(text)]
        except TextTooLongError:
            long = list(texts)
        for text in long:
            part = self._longest(text)
            if part != text:
                self.kept[text] = part

    def _exceeds(self, text: str) -> bool:
        return self.max_characters is not None and len(text) > self.max_characters

    def _longest(self, text: str) -> str:
        """Return the longest part of a text that is not too long, by bisection."""
        if not self._exceeds(text) and self._fits(text):
            return text
        whole = text.strip()
        if self._exceeds(whole):
            whole = self._part(whole, self.max_characters or 1).strip()
        if self._fits(whole):
            return whole
        self._check_least(text)
        low, high = 1, len(whole)
        while high - low > 1:
            middle = (low + high) // 2
            low, high = (middle, high) if self._fits(self._part(whole, middle)) else (low, middle)
        words = self._whole_words(whole, low)
        return words if self._fits(words) else self._part(whole, low)

    def _whole_words(self, whole: str, characters: int) -> str:
        """Return a part of a text without the rest of a word that is cut, if it has other words."""
        at = characters if self.truncate == END else len(whole) - characters
        before = "".join(takewhile(_is_of_words, whole[:at][: -_LONGEST_WORD - 1 : -1]))
        after = "".join(takewhile(_is_of_words, whole[at : at + _LONGEST_WORD]))
        part = self._part(whole, characters)
        if not before or not after or len(before + after) > _LONGEST_WORD:
            return part
        end = self.truncate == END
        rest = whole[: at - len(before)] if end else whole[at + len(after) :]
        return rest if any(map(str.isalnum, rest)) else part

    def _check_least(self, text: str) -> None:
        """Raise TextTooLongError if not even the least part of a text, one character, fits."""
        try:
            self.check([self._part(text.strip(), 1)])
        except _AboveMostError as error:
            raise TextTooLongError(
                f"of the text that begins {text.strip()[:40]!r} nothing would be left: its "
                f"{self._end} character alone has {error.tokens} tokens, with those that the model "
                f"wants at its beginning, and the request keeps {error.most} at most; have at "
                f"least {error.tokens} kept",
                text,
            ) from error
        except TextTooLongError as error:
            if error.text is None:
                raise  # It says what leaves no room.
            raise TextTooLongError(
                "what is put around each text and after it leaves no room for a text in the model; "
                "shorten the prompt or the question, or lower max_tokens"
            ) from error

    @property
    def _end(self) -> str:
        return "first" if self.truncate == END else "last"

    def _part(self, text: str, characters: int) -> str:
        return text[:characters] if self.truncate == END else text[-characters:]

    def _fits(self, text: str) -> bool:
        try:
            self.check([text])
        except TextTooLongError:
            return False
        return True

    def _warning(self, text: str) -> str:
        whole, kept = text.strip(), self.kept[text].strip()
        return (
            f"the text that begins {whole[:40]!r} is too long: its {self._end} "
            f"{len(kept)} characters of {len(whole)} were read"
        )


def _is_of_words(character: str) -> bool:
    """Return whether a character is of words with spaces between them, as Chinese has not."""
    return character.isalnum() and unicodedata.category(character) != "Lo"


class TruncatingScorer(Scorer):
    """Compares as another scorer does, what is left of texts that are too long for the model.

    Each score has a warning of the texts that were cut.

    Parameters
    ----------
    truncator
        Its `check` is that of the other scorer.
    """

    def __init__(self, scorer: Scorer, truncator: Truncator) -> None:
        self._scorer = scorer
        self.truncator = truncator
        self.fingerprint = scorer.fingerprint
        self.truncate = truncator.truncate

    def check(self, texts: Sequence[Content]) -> None:
        """Raise InputError if a text is empty or not valid Unicode, or its prompt too long."""
        self._scorer.check(self.truncator.cut(given_texts(texts)))

    def score(self, pairs: Sequence[Pair], progress: Progress = no_progress) -> Sequence[Score]:
        """Return what the other scorer does of what is left of the texts."""
        pairs = given_pairs(pairs)
        scores = self._scorer.score(self.truncator.cut_pairs(pairs), progress)
        return [self._with_warnings(score, pair) for score, pair in zip(scores, pairs, strict=True)]

    def matrix(
        self,
        rows: Sequence[Content],
        columns: Sequence[Content] | None = None,
        progress: Progress = no_progress,
    ) -> SimilarityMatrix:
        """Return what the other scorer does of what is left of the texts."""
        rows, columns = given_matrix(rows, columns)
        others = None if columns is None else self.truncator.cut(columns)
        result = self._scorer.matrix(self.truncator.cut(rows), others, progress)
        columns = rows if columns is None else columns
        return replace(
            result,
            rows=tuple(map(name_of, rows)),
            columns=tuple(map(name_of, columns)),
            warnings=(*self.truncator.warnings([*rows, *columns]), *result.warnings),
        )

    def explain(
        self, pairs: Sequence[Pair], top: int = 5, progress: Progress = no_progress
    ) -> Sequence[Explanation]:
        """Return what the other scorer does of what is left of the texts."""
        pairs = given_pairs(pairs)
        found = self._scorer.explain(self.truncator.cut_pairs(pairs), top, progress)
        return [
            replace(one, score=self._with_warnings(one.score, pair))
            for one, pair in zip(found, pairs, strict=True)
        ]

    def _with_warnings(self, score: Score, pair: Pair) -> Score:
        found = self.truncator.warnings(pair)
        if not found:
            return score
        names = name_of(pair[0]), name_of(pair[1])
        return replace(score, texts=names, warnings=(*found, *score.warnings))


def within_tokens(
    check: Check, encode: Callable[[Sequence[str]], list[TokenIds]], most: int
) -> Check:
    """Return a check of texts that takes those of more than so many tokens for too long as well.

    Parameters
    ----------
    encode
        Gives the token ids of texts.
    """

    def checked(texts: Sequence[str]) -> None:
        check(texts)
        for text, ids in zip(texts, encode(texts), strict=True):
            if len(ids) > most:
                raise _AboveMostError(text, len(ids), most)

    return checked


def cut_warnings(scorer: Scorer, texts: Iterable[Content]) -> list[str]:
    """Return what to know of those of the texts that a scorer has cut."""
    return scorer.truncator.warnings(texts) if isinstance(scorer, TruncatingScorer) else []
