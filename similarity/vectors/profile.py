"""Log-likelihood profiles: every one-token continuation of a prompt counts alike.

The profile of a text s is ℓ_s(t) = log P(t | prompt(s)) for each token t. Less its mean ℓ̄ over
unlabelled text it is the pointwise mutual information of text and token. The similarity of two
texts is the correlation over tokens of ℓ_u − ℓ̄ and ℓ_v − ℓ̄ (docs/method/profiles.md).

With logits W h + b, the part of ℓ_u − ℓ̄ that varies over tokens is (W − w̄)(h_u − h̄), where w̄ is
the mean row. Let C be the covariance of the rows. The correlation over the whole vocabulary is then
the cosine of C^½(h_u − h̄) and C^½(h_v − h̄): exact, in the model's own width.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from weakref import WeakKeyDictionary

import numpy as np
from numpy.typing import NDArray

from similarity.arrays import FloatArray, Rows
from similarity.images.image import Content
from similarity.models.base import Ability, LanguageModel, OnProgress, ignore_progress
from similarity.noise import exponential, step_key, text_key
from similarity.vectors.config import ProfileConfig
from similarity.vectors.states import StateReader
from similarity.vectors.whitening import Whitening, WhiteningFit

# Of the hash that chooses tokens: any number would do, and another gives other vectors.
SEED = 0
# Rows of the output head that are held in double precision at once.
HEAD_ROWS = 8192
# In a product with a few vectors: these stay in the processor's cache.
PRODUCT_ROWS = 128
# A direction whose variance over the head is below this part of the largest is rounding.
SINGULAR = 1e-10


@dataclass(frozen=True, eq=False)
class HeadCovariance:
    """The covariance of the rows of an output head, C = V diag(c) Vᵀ.

    Parameters
    ----------
    variances
        c, in rising order, shape "width".
    directions
        V, shape "width width".
    """

    variances: FloatArray
    directions: FloatArray

    def root(self) -> FloatArray:
        """Return C^½ up to a rotation, which no cosine sees, shape "width width"."""
        root: FloatArray = self.directions * np.sqrt(self.variances.clip(0))
        return root

    def solved(self, rows: FloatArray) -> FloatArray:
        """Return the rows times the pseudo-inverse of C, shape "row width"."""
        seen = self.variances > SINGULAR * self.variances[-1]
        directions = self.directions[:, seen]
        found: FloatArray = (rows @ directions / self.variances[seen]) @ directions.T
        return found


_MEANS: WeakKeyDictionary[LanguageModel, FloatArray] = WeakKeyDictionary()
_COVARIANCES: WeakKeyDictionary[LanguageModel, HeadCovariance] = WeakKeyDictionary()


@dataclass(frozen=True)
class Profiles:
    """The profiles of some texts, over the tokens that a group looks at.

    Parameters
    ----------
    tokens
        Token ids, shape "token".
    beyond_usual
        ℓ − ℓ̄ less its mean over the tokens, shape "text token", nats.
    log_probs
        ℓ, shape "text token", nats.
    partners
        What the profile of another text is multiplied by for the product of the two parts, shape
        "text token": the product is the sum over tokens.
    """

    tokens: NDArray[np.int64]
    beyond_usual: FloatArray
    log_probs: FloatArray
    partners: FloatArray

    def of(self, texts: Sequence[int]) -> "Profiles":
        """Return those of some of the texts, by number, in this order."""
        chosen = list(texts)
        return Profiles(
            self.tokens, self.beyond_usual[chosen], self.log_probs[chosen], self.partners[chosen]
        )

    def at(self, places: NDArray[np.int64]) -> "Profiles":
        """Return the same texts' at some of the tokens, by their places."""
        return Profiles(
            self.tokens[places],
            self.beyond_usual[:, places],
            self.log_probs[:, places],
            self.partners[:, places],
        )


class ProfileReader(StateReader):
    """Reads profiles over the whole vocabulary, as the state before the output head."""

    config: ProfileConfig

    def profiles(self, model: LanguageModel, whitening: Whitening, rows: Rows) -> Profiles:
        """Return the profiles of texts from their features, shape "text feature".

        That of a text is the same to the last bit, whichever other texts there are.
        """
        weight, bias = model.output_head()
        # A product of several rows may round otherwise than that of one: each text has its own.
        states = rows.astype(np.float64)[:, None]
        centred = states - whitening.mean
        # Directions in which the head does not vary are seen by no token.
        through = head_covariance(model).solved(_metric(whitening, centred)) / len(weight)
        # The head is read once for all three of all texts.
        together = _products(np.concatenate([states, centred, through], axis=1), weight)
        logits, beyond, partners = np.moveaxis(together, 1, 0)
        beyond -= beyond.mean(axis=1, keepdims=True)
        partners -= partners.mean(axis=1, keepdims=True)
        return Profiles(
            tokens=np.arange(len(weight)),
            beyond_usual=beyond,
            log_probs=_log_softmax(logits, bias),
            partners=partners,
        )

    def _basis(self, model: LanguageModel, _fit: WhiteningFit) -> FloatArray:
        """Return C^½, which makes profiles of states."""
        return head_covariance(model).root()

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
        found = _products(centred, weight)
        found -= (centred @ head_mean(model))[:, None]
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

    def profiles(self, model: LanguageModel, whitening: Whitening, rows: Rows) -> Profiles:
        """Return the profiles of texts from their features, shape "text feature"."""
        return Profiles(
            tokens=np.array(chosen_tokens(model, self.config.tokens)),
            beyond_usual=self.information(model, whitening.mean, rows),
            log_probs=rows.astype(np.float64),
            # A product of several rows may round otherwise than that of one.
            partners=_metric(whitening, (rows.astype(np.float64) - whitening.mean)[:, None])[:, 0],
        )

    def information(self, model: LanguageModel, mean: FloatArray, rows: Rows) -> FloatArray:
        """Return ℓ − ℓ̄ less its mean over the tokens, shape "text token" in nats."""
        centred = rows.astype(np.float64) - mean
        found: FloatArray = centred - centred.mean(axis=1, keepdims=True)
        return found

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
    return list(_smallest_hashes(vocabulary, model.end_ids, count))


# A hash of each token of a vocabulary of 152,000 takes longer than a score.
@lru_cache(maxsize=16)
def _smallest_hashes(vocabulary: int, but: frozenset[int], count: int) -> tuple[int, ...]:
    key = text_key(SEED, "profile")
    waits = exponential(step_key(key, 0, 0), vocabulary)
    order = np.argsort(waits, kind="stable")
    kept = order[~np.isin(order, list(but))]
    return tuple(np.sort(kept[:count]).tolist())


def head_mean(model: LanguageModel) -> FloatArray:
    """Return w̄, the mean row of the output head, shape "width"; computed once for a model.

    Raises
    ------
    UnsupportedError
        If the model does not give its output head.
    """
    if model not in _MEANS:
        weight, _ = model.output_head()
        _MEANS[model] = weight.mean(axis=0, dtype=np.float64)
    return _MEANS[model]


def head_covariance(model: LanguageModel) -> HeadCovariance:
    """Return C, the covariance over the vocabulary of the rows of the output head.

    Computed once for a model; raises as `head_mean` does.
    """
    if model not in _COVARIANCES:
        weight, _ = model.output_head()
        mean = head_mean(model)
        scatter = np.zeros((weight.shape[1], weight.shape[1]))
        for start in range(0, len(weight), HEAD_ROWS):
            centred = weight[start : start + HEAD_ROWS] - mean
            scatter += centred.T @ centred
        _COVARIANCES[model] = HeadCovariance(*np.linalg.eigh(scatter / len(weight)))
    return _COVARIANCES[model]


def _metric(whitening: Whitening, centred: FloatArray) -> FloatArray:
    """Return rows whose products with centred features are those of the parts, "… feature"."""
    # The part is centred @ matrix, and a product of parts is centred @ metric @ centred.T.
    found: FloatArray = centred @ whitening.matrix @ whitening.matrix.T
    return found


def _products(rows: FloatArray, weight: Rows) -> FloatArray:
    """Return rows @ weight.T in double precision, shape "… token" from "… feature"."""
    found = np.empty((*rows.shape[:-1], len(weight)))
    # Each part becomes float64 for its product: all at once are 226 MB for SmolLM2.
    for start in range(0, len(weight), PRODUCT_ROWS):
        some = slice(start, start + PRODUCT_ROWS)
        found[..., some] = rows @ weight[some].astype(np.float64).T
    return found


def _log_softmax(logits: FloatArray, bias: Rows | None) -> FloatArray:
    """Turn logits that lack their bias into log-probabilities, shape "text token" in nats."""
    if bias is not None:
        logits += bias
    logits -= logits.max(axis=1, keepdims=True)
    logits -= np.log(np.exp(logits).sum(axis=1, keepdims=True))
    return logits
