"""A closed-form toy model, without torch: Pólya's urn over the bytes of a text.

Every byte seen so far, in the text or its continuation, is a ball in the urn. So the meaning of a
text is what letters it is made of, and every probability can be computed by hand.
"""

from collections import Counter

import numpy as np

from similarity.arrays import LogProbs
from similarity.errors import ConfigError, InputError
from similarity.law import Law
from similarity.models.base import ModelInfo, TokenIds
from similarity.models.laws import law_log_probs
from similarity.models.loader import LoadOptions
from similarity.models.stepwise import StepwiseModel

ALL_BYTES = bytes(range(256))


class ToyModel(StepwiseModel):
    """P(a | context) = (1 − e)·(count of a + α) / (length + α·V), and P(end) = e.

    Parameters
    ----------
    alphabet
        The V bytes that are tokens; the end of sequence is token V.
    prior
        α, the weight of a byte not seen yet.
    end
        e, the probability that a continuation ends at any step.
    """

    on_processor = True

    def __init__(
        self, alphabet: bytes = ALL_BYTES, *, prior: float = 0.02, end: float = 0.0625
    ) -> None:
        self._alphabet = alphabet
        self._prior = prior
        self._end = end
        self.end_ids = frozenset({len(alphabet)})
        self.vocab_size = len(alphabet) + 1
        self.info = ModelInfo(
            name="toy",
            revision=f"urn-{len(alphabet)}-{prior:g}-{end:g}",
            dtype="float64",
            context_length=4096,
        )

    def encode(self, text: str) -> TokenIds:
        """Return the index in the alphabet of each UTF-8 byte."""
        ids = tuple(self._alphabet.find(byte) for byte in text.encode())
        if -1 in ids:
            raise InputError(f"{text[:40]!r} has bytes outside the alphabet of the toy model")
        return ids

    def encode_continuation(self, text: str) -> TokenIds:
        """Return the ids of the text itself, as nothing is put before any."""
        return self.encode(text)

    def decode(self, token_ids: TokenIds) -> str:
        """Return the text of the bytes; what is not UTF-8 shows as U+FFFD."""
        kept = bytes(self._alphabet[i] for i in token_ids if i not in self.end_ids)
        return kept.decode(errors="replace")

    def step_log_probs(self, context: TokenIds, law: Law) -> LogProbs:
        """Return log P(token | context) under the law, shape "token" in nats."""
        size = len(self._alphabet)
        weights = np.full(size, self._prior)
        for token, count in Counter(context).items():
            weights[token] += count
        probs = np.append((1 - self._end) * weights / weights.sum(), self._end)
        return law_log_probs(np.log(probs), law)


def load(_name: str, options: LoadOptions) -> ToyModel:
    """Return the toy model over all bytes, for the table of backends.

    Raises
    ------
    ConfigError
        If it is to compute elsewhere than on the processor, or in another precision than its own.
    """
    if options.device not in ("auto", "cpu") or options.dtype not in ("auto", "fastest"):
        raise ConfigError(
            f"the model 'toy' computes on the processor in float64, got device {options.device} "
            f"and dtype {options.dtype}; leave both at auto, or choose another model"
        )
    return ToyModel()
