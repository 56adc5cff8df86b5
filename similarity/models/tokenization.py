"""Finds the token ids of prefixes and continuations, by encoding texts together and apart.

Tokenizers put a beginning before a text, an end or a separator behind it, and a mark before its
first word. A prefix keeps its beginning and nothing behind; a continuation has neither, nor the
mark of a first word, as it is none.
"""

import threading
from collections.abc import Callable, Iterable
from typing import Any

from similarity.errors import InputError, ModelError, WrongAnswerError
from similarity.models.base import LanguageModel, TokenIds
from similarity.models.checks import PARAGRAPH, Check

# What a continuation is encoded behind: the first that the tokenizer keeps apart from it. Most
# prefixes end in a full stop.
ANCHORS = (".", "\n", "a", "1", '"', "!")
_PROBES = ("a", "The boats came in.", "12", PARAGRAPH)
# A tokenizer that leaves pieces out at random is found with this many readings of a paragraph.
_READINGS = 3


class Tokenization:
    """A tokenizer of transformers, and what it puts around every text.

    Parameters
    ----------
    tokenizer
        Of transformers' `AutoTokenizer`.
    end_ids
        The tokens that end a sequence.
    rows
        Token ids are below this.

    Attributes
    ----------
    opening, closing
        What the tokenizer puts before and behind every text.

    Raises
    ------
    WrongAnswerError
        If texts are not put together so, or the tokenizer is of another network.
    """

    def __init__(self, tokenizer: Any, end_ids: frozenset[int], rows: int) -> None:
        self.tokenizer = tokenizer
        self._end_ids = end_ids
        self._rows = rows
        self._unknown = _unknown_id(tokenizer)
        # Tokenizers of transformers are not made for two threads at once.
        self._one_at_a_time = threading.Lock()
        self._check_vocabulary()
        try:
            self._check_repeatable()
            self.opening, self.closing = self._affixes()
        except InputError as error:
            raise WrongAnswerError(
                f"{error}; give the tokenizer's files that belong to the weights"
            ) from error

    def encode(self, text: str) -> TokenIds:
        """Return the ids of a prefix: with the opening, without the closing.

        Raises
        ------
        InputError
            If the tokenizer has no tokens for the text, or ids that the network has not.
        """
        return self.opening + self._known(text, self._bare(text))

    def encode_continuation(self, text: str) -> TokenIds:
        """Return the ids of a text that follows another, as they are behind an anchor.

        Raises
        ------
        InputError
            As `encode`.
        """
        behind = ids_behind_an_anchor(self._bare, self.decode, text)
        return self._known(text, self._bare(text) if behind is None else behind)

    def decode(self, token_ids: Iterable[int]) -> str:
        """Return the text without special tokens; bytes that are not UTF-8 show as U+FFFD."""
        with self._one_at_a_time:
            text = self.tokenizer.decode(
                list(token_ids), skip_special_tokens=True, clean_up_tokenization_spaces=False
            )
        return str(text)

    def without_closing(self, ids: TokenIds) -> TokenIds:
        """Return the ids of a whole text without those that the tokenizer puts behind it."""
        count = len(self.closing)
        return ids[:-count] if count and ids[-count:] == self.closing else ids

    def checks(self) -> list[Check]:
        """Return the findings, in words."""
        before, behind = (self._names(ids) for ids in (self.opening, self.closing))
        marks = self._bare("a") != self.encode_continuation("a")
        of_first = ", and marks first words, which continuations are not" if marks else ""
        return [Check("tokenizer", f"puts {before} before a text, {behind} behind it{of_first}")]

    def _names(self, ids: TokenIds) -> str:
        return " ".join(self.tokenizer.convert_ids_to_tokens(list(ids))) or "nothing"

    def _bare(self, text: str) -> TokenIds:
        ids = self._ids(text, affixes=False)
        # Where a text that spells a special token cannot be kept from being one.
        while ids and ids[-1] in self._end_ids:
            ids = ids[:-1]
        return ids

    def _ids(self, text: str, *, affixes: bool) -> TokenIds:
        # A text that spells a special token is text: it must not end the sequence.
        # Its length is checked against the context by the caller, without a warning here.
        try:
            with self._one_at_a_time:
                encoded = self.tokenizer(
                    text, add_special_tokens=affixes, split_special_tokens=True, verbose=False
                )
        except Exception as error:  # the libraries of tokenizers raise no narrower one
            raise InputError(
                f"the tokenizer cannot read the text that begins {text.strip()[:40]!r}: {error}"
            ) from error
        return tuple(encoded["input_ids"])

    def _known(self, text: str, ids: TokenIds) -> TokenIds:
        if not ids and text.strip():
            raise InputError(
                f"the tokenizer has no tokens for the text that begins {text.strip()[:40]!r}; "
                "give a text in the characters that it knows"
            )
        if self._unknown in ids and text.strip() and not self._says_anything(ids):
            raise InputError(
                f"the tokenizer has {self._names((self._unknown,))} alone for the text that begins "
                f"{text.strip()[:40]!r}, as for any that it does not know; give a text in the "
                "characters that it knows"
            )
        if ids and max(ids) >= self._rows:
            raise InputError(
                f"the text that begins {text.strip()[:40]!r} has token {max(ids)}, and the "
                f"network has {self._rows}; leave out what the tokenizer added to its vocabulary"
            )
        return ids

    def _says_anything(self, ids: TokenIds) -> bool:
        return bool(self.decode(i for i in ids if i != self._unknown).strip())

    def _check_vocabulary(self) -> None:
        """Refuse a tokenizer whose ordinary tokens, or end, the network has no place for."""
        special = set(self.tokenizer.all_special_ids)
        added = getattr(self.tokenizer, "added_tokens_decoder", {})
        ordinary = set(self.tokenizer.get_vocab().values()) - special - set(added)
        advice = "give the tokenizer's files that belong to the weights"
        if ordinary and max(ordinary) >= self._rows:
            raise WrongAnswerError(
                f"the tokenizer has {max(ordinary) + 1} tokens and the network {self._rows}: they "
                f"are of two models; {advice}"
            )
        if len(ordinary) < self._rows // 2 - 1:
            raise WrongAnswerError(
                f"the tokenizer has {len(ordinary)} tokens and the network {self._rows}: most of "
                f"what is sampled would be no text; {advice}"
            )
        if self._end_ids and min(self._end_ids) >= self._rows:
            raise WrongAnswerError(
                f"the end of a sequence is token {min(self._end_ids)} and the network has "
                f"{self._rows}; {advice}"
            )

    def _check_repeatable(self) -> None:
        readings = {self._ids(PARAGRAPH, affixes=False) for _ in range(_READINGS)}
        model = getattr(getattr(self.tokenizer, "backend_tokenizer", None), "model", None)
        # So seldom, it may be, that no reading of so few shows it.
        if len(readings) > 1 or getattr(model, "dropout", None):
            raise WrongAnswerError(
                "the tokenizer reads one text in other tokens each time; set its dropout to null "
                "in tokenizer.json"
            )

    def _affixes(self) -> tuple[TokenIds, TokenIds]:
        """Return the ids that are put before and behind every text."""
        found = {_around(self._ids(text, affixes=True), self._bare(text)) for text in _PROBES}
        affixes = found.pop()
        if found or affixes is None:
            raise WrongAnswerError(
                "the tokenizer does not put one beginning and one end around every text, so that "
                "the ids of a prefix cannot be found; give another tokenizer"
            )
        return affixes


class Tokenized(LanguageModel):
    """A language model that reads texts by a tokenizer in this process."""

    tokenization: Tokenization

    def encode(self, text: str) -> TokenIds:
        """Return ids with the tokenizer's own beginning of text, never an end of sequence."""
        return self.tokenization.encode(text)

    def encode_continuation(self, text: str) -> TokenIds:
        """Return ids without beginning, end and the mark of a first word."""
        return self.tokenization.encode_continuation(text)

    def decode(self, token_ids: TokenIds) -> str:
        """Return the text without special tokens; bytes that are not UTF-8 show as U+FFFD."""
        return self.tokenization.decode(token_ids)


def _unknown_id(tokenizer: Any) -> int:
    """Return the id of unknown tokens; -1 if the tokenizer has none."""
    model = getattr(getattr(tokenizer, "backend_tokenizer", None), "model", None)
    named = getattr(model, "unk_token", None)
    found = None if named is None else tokenizer.convert_tokens_to_ids(named)
    found = getattr(tokenizer, "unk_token_id", None) if found is None else found
    return -1 if found is None else int(found)


def end_ids(module: Any, tokenizer: Any) -> frozenset[int]:
    """Return every id that the model or its tokenizer has as an end of sequence."""
    found: set[int] = set()
    for config in (module.config, module.generation_config, tokenizer):
        ids = getattr(config, "eos_token_id", None)
        for token in ids if isinstance(ids, list) else [ids]:
            if isinstance(token, int) and token >= 0:
                found.add(token)
            elif token is not None:
                raise ModelError(
                    f"eos_token_id of config.json or generation_config.json is {token!r}; give "
                    "the number of a token, or a list of such"
                )
    return frozenset(found)


def ids_behind_an_anchor(
    bare: Callable[[str], TokenIds], decode: Callable[[TokenIds], str], text: str
) -> TokenIds | None:
    """Return the ids of a text behind another, or None where no anchor is kept apart from it.

    Parameters
    ----------
    bare
        Encodes a text without beginning and end.
    """
    for anchor in ANCHORS:
        begin = bare(anchor)
        if begin and anchor in decode(begin):
            joined = bare(anchor + text)
            if joined[: len(begin)] == begin:
                return joined[len(begin) :]
    return None


def _around(whole: TokenIds, inner: TokenIds) -> tuple[TokenIds, TokenIds] | None:
    """Return the ids before and behind the inner ids, or None if those are not inside."""
    for start in range(len(whole) - len(inner) + 1):
        if whole[start : start + len(inner)] == inner:
            return whole[:start], whole[start + len(inner) :]
    return None
