"""What a text is described by, before whitening: one function a group, one table."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from similarity.arrays import Rows
from similarity.law import Law
from similarity.models.base import LanguageModel, TokenIds, parts_to_hold
from similarity.prompts import Prompt
from similarity.trajectories import encode_prefixes
from similarity.vectors.config import VectorConfig
from similarity.vectors.projection import signs
from similarity.vectors.references import References
from similarity.vectors.trigrams import buckets, hashed

# Token ids, shape "place k".
Ids = NDArray[np.int64]
Numbers = TypeVar("Numbers", bound=np.generic)


@dataclass(frozen=True, eq=False)
class Reader:
    """A model, and what of it is read for each text.

    `token_weights`, shape "vocabulary", and `trigram_weights`, shape "bucket", are those of
    `weights_by_rarity`.
    """

    model: LanguageModel
    config: VectorConfig
    references: References
    token_weights: Rows
    trigram_weights: Rows

    def rows(self, group: str, texts: Sequence[str]) -> Rows:
        """Return the features of one group, shape "text width".

        Raises
        ------
        InputError
            If a text is empty, not valid Unicode, or too long for the model.
        UnsupportedError
            If the model is reached in a way that does not tell them.
        """
        return FEATURES[group](self, texts)

    def tokens(self, group: str, texts: Sequence[str]) -> list[int]:
        """Return how many tokens of each text, its prompt and continuations are read for a group.

        Raises
        ------
        InputError
            If a text is empty, not valid Unicode, or too long for the model.
        """
        if group in ("states", "trigrams"):
            prefixes = bare_prefixes(self.model, self.config, texts)
            return [len(prefix) if group == "states" else 0 for prefix in prefixes]
        continued = self.config.n_references * self.config.reference_tokens
        return [len(prefix) + continued for prefix in self.prefixes(texts)]

    def prefixes(self, texts: Sequence[str]) -> list[TokenIds]:
        """Return the token ids of the texts with the prompt, with room for the trajectories."""
        found = encode_prefixes(self.model, texts, self.config.prompt, self.config.reference_tokens)
        return [prefix.token_ids for prefix in found]

    def roots(self, texts: Sequence[str]) -> Iterator[Rows]:
        """Yield each text's roots of next-token probabilities, shape "place vocabulary".

        The places are those of `References.places`.
        """
        requests = self.references.requests(self.prefixes(texts))
        for some in parts_to_hold(requests, self.model.vocab_size):
            for found in self.model.distributions(some, Law()):
                yield np.exp(_joined(found) / 2)

    def top_roots(self, texts: Sequence[str]) -> Iterator[tuple[Ids, Rows]]:
        """Yield each text's most probable next tokens and their roots, both of shape "place k"."""
        requests = self.references.requests(self.prefixes(texts))
        for found in self.model.top_distributions(requests, Law(), self.config.top_k):
            log_probs = _joined([top.log_probs for top in found])
            yield _joined([top.ids for top in found]), np.exp(log_probs / 2)


def _joined(rows: Sequence[NDArray[Numbers]]) -> NDArray[Numbers]:
    """Join what was read along each trajectory: before the first token it is the same in all."""
    return np.concatenate([rows[0][:1], *(of_one[1:] for of_one in rows)])


def _trajectories(reader: Reader, texts: Sequence[str]) -> Rows:
    """Return the log-probability of each token of each trajectory, nats."""
    requests = reader.references.requests(reader.prefixes(texts))
    scored = reader.model.score(requests, Law())
    return np.array([np.concatenate(rows) for rows in scored], dtype=np.float32)


def _distributions(reader: Reader, texts: Sequence[str]) -> Rows:
    """Return the roots of the distributions at each place, projected.

    The inner product of two distributions' roots is 1 − H², H their Hellinger distance.
    """
    projected = _projected_top if reader.config.top_k else _projected
    return np.stack([rows.ravel() for rows in projected(reader, texts)])


def _projected(reader: Reader, texts: Sequence[str]) -> Iterator[Rows]:
    """Yield each text's roots times the signs, shape "place projection"."""
    config = reader.config
    for roots in reader.roots(texts):
        yield roots @ signs(roots.shape[1], config.projection, config.seed)


def _projected_top(reader: Reader, texts: Sequence[str]) -> Iterator[Rows]:
    """Do the same for the most probable tokens, as if all others had none of the probability."""
    config = reader.config
    for ids, roots in reader.top_roots(texts):
        # A token's signs are the same in any vocabulary, and a server does not tell its own: so
        # the next power of two, lest there be a matrix for each text.
        matrix = signs(1 << int(ids.max()).bit_length(), config.projection, config.seed)
        yield np.einsum("pk,pkd->pd", roots, matrix[ids])


def _states(reader: Reader, texts: Sequence[str]) -> Rows:
    """Return the mean state of the text's tokens, frequent tokens counting less.

    Of the text with its full stop and without a prompt.
    """
    prefixes = bare_prefixes(reader.model, reader.config, texts)
    states = reader.model.hidden_states(prefixes)
    weights = (reader.token_weights[list(prefix)] for prefix in prefixes)
    means = [(w @ rows) / w.sum() for w, rows in zip(weights, states, strict=True)]
    return np.stack(means).astype(np.float32)


def _trigrams(reader: Reader, texts: Sequence[str]) -> Rows:
    """Return the sums of the weights of the trigrams that are hashed to each coordinate."""
    reader.tokens("trigrams", texts)  # refuses what the model could not read
    weights, width = reader.trigram_weights, reader.config.trigram_width
    return np.stack([hashed(buckets(text), weights, width) for text in texts])


def bare_prefixes(
    model: LanguageModel, config: VectorConfig, texts: Sequence[str]
) -> list[TokenIds]:
    """Return the token ids of the texts with their full stop and without a prompt."""
    prompt = Prompt(full_stop=config.prompt.full_stop)
    return [prefix.token_ids for prefix in encode_prefixes(model, texts, prompt, 0)]


FEATURES: dict[str, Callable[[Reader, Sequence[str]], Rows]] = {
    "trajectories": _trajectories,
    "distributions": _distributions,
    "states": _states,
    "trigrams": _trigrams,
}
