"""What a server must serve to be in use: the name, the room and the tokenizer as at loading.

One that had another model must also compute what it did at loading.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from similarity.digests import digest_of
from similarity.errors import ModelChangedError
from similarity.models.base import TokenIds
from similarity.models.vllm_server import wire
from similarity.models.vllm_server.replica import HEALTH_TIMEOUT, Replica

# Texts on which two vocabularies hardly agree by accident.
TOKENIZER_PROBES = (
    "The meaning of a sentence is what could follow it.",
    "  Two spaces,\ta tab,\n\na line; 3.14159 x_1 = y²",
    "naïve Übermut, l'été, don't, 北京, Привет, ١٢٣, 🙂",
)
# All in one, for one request.
READING_PROBE = "\n".join(TOKENIZER_PROBES)


def tokenize_body(name: str, text: str, *, affixes: bool = True) -> dict[str, Any]:
    """Return the request for the ids of a text, and the string of each."""
    return {
        "model": name,
        "prompt": text,
        "add_special_tokens": affixes,
        "return_token_strs": True,
    }


def reading_of(encoded: tuple[TokenIds, tuple[str, ...]]) -> str:
    """Return a digest of the ids and strings of READING_PROBE."""
    return digest_of([encoded])


@dataclass(frozen=True, kw_only=True)
class Wanted:
    """What each server of a model is to serve.

    Parameters
    ----------
    name
        As served.
    max_model_len
        Tokens that a server must take, as it says itself.
    reading
        What `reading_of` gives.
    probe
        Route and body of a small request that the model computes, and what raises
        ModelChangedError of an answer unlike that of loading; or None.
    """

    name: str
    max_model_len: int
    reading: str
    probe: tuple[str, dict[str, Any], Callable[[Any], None]] | None = None

    async def check_room(self, replica: Replica) -> None:
        """Check that a server has the name, and takes as many tokens as before.

        Raises
        ------
        ModelChangedError
            If it does not.
        PassingError, BackendError, WrongAnswerError
            If it gives no answer to this.
        """
        models = await replica.request(wire.MODELS, wire.read_models, timeout=HEALTH_TIMEOUT)
        if self.name not in models:
            raise ModelChangedError(
                f"{replica.url} serves {', '.join(models) or 'nothing'}, and {self.name!r} no "
                "longer; serve that again"
            )
        if models[self.name] < self.max_model_len:
            raise ModelChangedError(
                f"{replica.url} takes {models[self.name]} tokens as {self.name!r}, and took "
                f"{self.max_model_len} before; raise its --max-model-len, or load the model anew",
                f"takes texts of {models[self.name]} tokens, fewer",
            )

    async def check_reading(self, replica: Replica) -> None:
        """Check by one request that a server has the tokenizer as before.

        Raises
        ------
        ModelChangedError
            If it does not.
        PassingError, BackendError, WrongAnswerError
            If it gives no answer to this.
        """
        encoded = await replica.request(
            wire.TOKENIZE, wire.read_ids, tokenize_body(self.name, READING_PROBE)
        )
        if reading_of(encoded) != self.reading:
            raise ModelChangedError(
                f"{replica.url} has another model than before as {self.name!r}: its tokenizer "
                "reads one text in other tokens; serve the old one, or load this one anew"
            )

    async def check_computing(self, replica: Replica) -> None:
        """Check that a server computes of a small request what it did at loading.

        Raises
        ------
        ModelChangedError, PassingError, BackendError, WrongAnswerError
            If it does not.
        """
        if self.probe is not None:
            path, body, check = self.probe
            await replica.request(path, check, body)
