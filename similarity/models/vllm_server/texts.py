"""Token ids of texts, as servers read them: without begin and end, and nothing special in them."""

from collections.abc import Sequence

from similarity.errors import InputError
from similarity.law import Law
from similarity.models.base import SampleRequest, TokenIds
from similarity.models.tokenization import ANCHORS
from similarity.models.vllm_server import wire
from similarity.models.vllm_server.identity import ServedName, tokenize
from similarity.models.vllm_server.pool import Pool


class ServedTexts:
    """Encodes texts by the servers of one model; remembers which tokens are special."""

    def __init__(self, pool: Pool, identity: ServedName) -> None:
        self._pool = pool
        self._identity = identity
        # Both by the pool's changes: another tokenizer's answers are not used again.
        self._special: dict[tuple[int, int], bool] = {}
        self._anchors: dict[tuple[int, str], TokenIds] = {}

    async def encode(self, text: str) -> TokenIds:
        """Return the server's ids of a prefix; raises InputError as `ServerModel.encode`."""
        ids, strings = await tokenize(self._pool, self._identity.name, text)
        begin, end = len(self._identity.begin), len(ids) - len(self._identity.end)
        await self._check_plain(text, ids[begin:end], strings[begin:end])
        if end < 1:
            raise InputError(f"the text {text[:40]!r} has no tokens; give another")
        return ids[:end]

    async def encode_around(self, before: str, token: str, after: str) -> tuple[TokenIds, int]:
        """Return the ids of two texts with a special token between them, and its place.

        Raises
        ------
        InputError
            As `encode`, and if a text spells that token.
        """
        ids, strings = await tokenize(self._pool, self._identity.name, before + token + after)
        begin, end = len(self._identity.begin), len(ids) - len(self._identity.end)
        if strings.count(token) != 1:
            raise InputError(f"a prompt has {token!r}, which stands for an image; leave it out")
        place = strings.index(token)
        for part in (slice(begin, place), slice(place + 1, end)):
            await self._check_plain(before + after, ids[part], strings[part])
        return ids[:end], place

    async def _bare(self, text: str) -> TokenIds:
        ids, strings = await tokenize(self._pool, self._identity.name, text, affixes=False)
        await self._check_plain(text, ids, strings)
        return ids

    async def encode_continuation(self, text: str) -> TokenIds:
        """Return ids without the mark of a first word, as `Tokenization` finds them."""
        for anchor in ANCHORS:
            key = self._pool.roster.changes, anchor
            if key not in self._anchors:
                self._anchors[key] = await self._bare(anchor)
            begin, joined = self._anchors[key], await self._bare(anchor + text)
            if begin and joined[: len(begin)] == begin:
                return joined[len(begin) :]
        return await self._bare(text)

    async def _check_plain(self, text: str, ids: TokenIds, strings: Sequence[str]) -> None:
        """Raise InputError if a server has read a part of the text as a special token."""
        for token, string in zip(ids, strings, strict=True):
            if _looks_special(string) and string in text and await self._is_special(token, string):
                raise InputError(
                    f"the text that begins {text.strip()[:40]!r} spells the special token "
                    f"{string!r}, which a server reads as one; take it out of the text"
                )

    async def _is_special(self, token: int, string: str) -> bool:
        key = self._pool.roster.changes, token
        if key not in self._special:
            self._special[key] = await self._look_whether_special(token, string)
        return self._special[key]

    async def _look_whether_special(self, token: int, _string: str) -> bool:
        """Have a server generate exactly this token: the text of a special one is empty."""
        prefix, _ = await tokenize(self._pool, self._identity.name, "a")
        request = SampleRequest(prefix=prefix, n=1, max_tokens=1, key=0)
        body = wire.sampling_body(self._identity.name, request, Law())
        (said,) = await self._pool.request(
            wire.COMPLETIONS,
            lambda answer: wire.read_samples(answer, request),
            {**body, "allowed_token_ids": [token]},
        )
        return not said.text


class PooledTexts(ServedTexts):
    """Encodes texts by servers that pool, which generate no text."""

    async def _look_whether_special(self, token: int, string: str) -> bool:
        """Find out whether the token stays whole wherever its string stands.

        Tokens that are added to a vocabulary do. Those learnt from text are joined to what is
        about them, or cut.
        """
        for around in (f"{string[0]}{string}{string[-1]}", f"x{string}x"):
            ids, _ = await tokenize(self._pool, self._identity.name, around, affixes=False)
            if token not in ids:
                return False
        return True


def _looks_special(string: str) -> bool:
    return len(string) > 2 and string[0] + string[-1] in ("<>", "[]")
