"""Log-likelihood profiles: every one-token continuation of a prompt counts alike.

The profile of a text s is ℓ_s(t) = log P(t | prompt(s)) for each token t. Less its mean ℓ̄ over
unlabelled text it is the pointwise mutual information of text and token. The similarity of two
texts is the correlation over tokens of ℓ_u − ℓ̄ and ℓ_v − ℓ̄ (docs/method/profiles.md).

With logits W h + b, the part of ℓ_u − ℓ̄ that varies over tokens is (W − w̄)(h_u − h̄), where w̄ is
the mean row. Let C be the covariance of the rows. The correlation over the whole vocabulary is then
the cosine of C^½(h_u − h̄) and C^½(h_v − h̄): exact, in the model's own width.
"""

from collections.abc import Sequence
from weakref import WeakKeyDictionary

import numpy as np

from similarity.arrays import FloatArray, Rows
from similarity.images.image import Content
from similarity.models.base import Ability, LanguageModel, OnProgress, ignore_progress
from similarity.noise import exponential, step_key, text_key
from similarity.vectors.config import ProfileConfig
from similarity.vectors.states import StateReader
from similarity.vectors.whitening import WhiteningFit

# Of the hash that chooses tokens: any number would do, and another gives other vectors.
SEED = 0
# Rows of the output head that are held in double precision at once.
HEAD_ROWS = 8192

_COVARIANCES: WeakKeyDictionary[LanguageModel, FloatArray] = WeakKeyDictionary()


class ProfileReader(StateReader):
    """Reads profiles over the whole vocabulary, as the state before the output head."""

    config: ProfileConfig

    def log_probs(self, model: LanguageModel, rows: Rows) -> FloatArray:
        """Return ℓ, shape "text token" in nats, of the texts' features."""
        weight, bias = model.output_head()
        found: FloatArray = (rows @ weight.T).astype(np.float64)
        if bias is not None:
            found += bias
        found -= np.logaddexp.reduce(found, axis=1, keepdims=True)
        return found

    def _basis(self, model: LanguageModel, _fit: WhiteningFit) -> FloatArray:
        """Return C^½, which makes profiles of states."""
        return head_root(model)

    def information(self, model: LanguageModel, mean: FloatArray, rows: Rows) -> FloatArray:
        """Return ℓ − ℓ̄ less its mean over the tokens, shape "text token" in nats.

        Parameters
        ----------
        mean
            Of the features over unlabelled text, shape "feature".
        rows
            The texts' features, shape "text feature".
        """
        weight, _ = model.output_head()
        centred = rows.astype(np.float64) - mean
        found = np.empty((len(rows), len(weight)))
        # Each part becomes float64 for its product: all at once are 226 MB for SmolLM2.
        for start in range(0, len(weight), HEAD_ROWS):
            some = slice(start, start + HEAD_ROWS)
            found[:, some] = centred @ weight[some].T
        found -= (centred @ weight.mean(axis=0, dtype=np.float64))[:, None]
        return found


class SubsetProfileReader(ProfileReader):
    """Reads profiles over some tokens alone, which a model server gives too."""

    needs = frozenset({Ability.TOKEN_LOG_PROBS})

    def rows(
        self,
        model: LanguageModel,
        texts: Sequence[Content],
        on_progress: OnProgress = ignore_progress,
    ) -> Rows:
        """Return each text's log-probabilities, shape "text token" in nats."""
        chosen = chosen_tokens(model, self.config.tokens)
        return model.next_log_probs(self.prefixes(model, texts), chosen, on_progress)

    def information(self, model: LanguageModel, mean: FloatArray, rows: Rows) -> FloatArray:
        """Return ℓ − ℓ̄ less its mean over the tokens, shape "text token" in nats."""
        centred = rows.astype(np.float64) - mean
        found: FloatArray = centred - centred.mean(axis=1, keepdims=True)
        return found

    def log_probs(self, model: LanguageModel, rows: Rows) -> FloatArray:
        """Return ℓ, which the features are, shape "text token" in nats."""
        return rows.astype(np.float64)

    def _basis(self, _model: LanguageModel, fit: WhiteningFit) -> FloatArray:
        """Return the matrix that takes away the mean over tokens."""
        centring: FloatArray = np.eye(fit.width) - 1 / fit.width
        return centring


def profile_reader(config: ProfileConfig) -> ProfileReader:
    """Return the reader of these settings."""
    return SubsetProfileReader(config) if config.tokens else ProfileReader(config)


def chosen_tokens(model: LanguageModel, count: int) -> list[int]:
    """Return so many token ids, in rising order, or all where the vocabulary has no more.

    They are those of the smallest hash, so that they are the same on every machine. A token that
    ends a sequence is none of them.
    """
    vocabulary = model.vocab_size
    assert vocabulary is not None, "a model that gives tokens' log-probabilities has a vocabulary"
    key = text_key(SEED, "profile")
    waits = exponential(step_key(key, 0, 0), vocabulary)
    order = [int(i) for i in np.argsort(waits, kind="stable") if int(i) not in model.end_ids]
    return sorted(order[:count])


def head_covariance(model: LanguageModel) -> FloatArray:
    """Return C, the covariance over the vocabulary of the rows of the output head.

    Shape "width width". Computed once for a model.

    Raises
    ------
    UnsupportedError
        If the model does not give its output head.
    """
    if model not in _COVARIANCES:
        weight, _ = model.output_head()
        mean = weight.mean(axis=0, dtype=np.float64)
        scatter = np.zeros((weight.shape[1], weight.shape[1]))
        for start in range(0, len(weight), HEAD_ROWS):
            centred = weight[start : start + HEAD_ROWS] - mean
            scatter += centred.T @ centred
        _COVARIANCES[model] = scatter / len(weight)
    return _COVARIANCES[model]


def head_root(model: LanguageModel) -> FloatArray:
    """Return C^½ up to a rotation, which no cosine sees, shape "width width"."""
    values, directions = np.linalg.eigh(head_covariance(model))
    root: FloatArray = directions * np.sqrt(values.clip(0))
    return root
