"""What a text is described by, before whitening: one function a group, one table."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from similarity.config import Law
from similarity.models.base import LanguageModel, Rows, TokenIds
from similarity.prompts import Prompt
from similarity.trajectories import encode_prefixes
from similarity.vectors.config import VectorConfig
from similarity.vectors.projection import signs
from similarity.vectors.references import References

# Numbers of next-token distributions that are held at once: 128 MiB, in the model and here.
HELD_NUMBERS = 1 << 25


@dataclass(frozen=True, eq=False)
class Reader:
    """A model, and what of it is read for each text.

    `token_weights`, shape "vocabulary", are those of `weights_of_tokens`.
    """

    model: LanguageModel
    config: VectorConfig
    references: References
    token_weights: Rows

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
        if group == "states":
            return [len(prefix) for prefix in bare_prefixes(self.model, self.config, texts)]
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
        prefixes = self.prefixes(texts)
        numbers = self.config.n_references * self.config.reference_tokens
        for some in _parts(prefixes, HELD_NUMBERS // (numbers * (self.model.vocab_size or 1))):
            for found in self.model.distributions(self.references.requests(some), Law()):
                # The first token's distribution is the same before every trajectory.
                yield np.exp(np.concatenate([found[0][:1], *(rows[1:] for rows in found)]) / 2)


def _trajectories(reader: Reader, texts: Sequence[str]) -> Rows:
    """Return the log-probability of each token of each trajectory, nats."""
    requests = reader.references.requests(reader.prefixes(texts))
    scored = reader.model.score(requests, Law())
    return np.array([np.concatenate(rows) for rows in scored], dtype=np.float32)


def _distributions(reader: Reader, texts: Sequence[str]) -> Rows:
    """Return the roots of the distributions at each place, projected.

    The inner product of two distributions' roots is 1 − H², H their Hellinger distance.
    """
    config = reader.config
    projected: list[Rows] = []
    for roots in reader.roots(texts):
        matrix = signs(roots.shape[1], config.projection, config.seed)
        projected.append((roots @ matrix).ravel())
    return np.stack(projected)


def _states(reader: Reader, texts: Sequence[str]) -> Rows:
    """Return the mean state of the text's tokens, frequent tokens counting less.

    Of the text with its full stop and without a prompt.
    """
    prefixes = bare_prefixes(reader.model, reader.config, texts)
    states = reader.model.hidden_states(prefixes)
    weights = (reader.token_weights[list(prefix)] for prefix in prefixes)
    means = [(w @ rows) / w.sum() for w, rows in zip(weights, states, strict=True)]
    return np.stack(means).astype(np.float32)


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
}


def _parts(prefixes: Sequence[TokenIds], size: int) -> Iterator[Sequence[TokenIds]]:
    step = max(1, size)
    return (prefixes[i : i + step] for i in range(0, len(prefixes), step))
