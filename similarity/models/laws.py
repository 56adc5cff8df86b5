"""Next-token laws on logits, in NumPy: the definition that `torch_ops` is tested against."""

from dataclasses import fields

import numpy as np
import scipy

from similarity.arrays import LogProbs
from similarity.errors import ConfigError
from similarity.law import Law
from similarity.models.base import LOG_ZERO


def law_log_probs(logits: LogProbs, law: Law) -> LogProbs:
    """Return the log-probabilities, shape "... token" in nats, of logits of that shape.

    Temperature first, then top-k, then top-p; what they cut counts LOG_ZERO.
    """
    scaled = logits / law.temperature
    if law.top_k and law.top_k < scaled.shape[-1]:
        kth = np.sort(scaled, axis=-1)[..., -law.top_k, None]
        scaled = np.where(scaled < kth, -np.inf, scaled)
    if law.top_p < 1.0:
        scaled = np.where(_outside_nucleus(scaled, law.top_p), -np.inf, scaled)
    return np.maximum(scipy.special.log_softmax(scaled, axis=-1), LOG_ZERO)


def require_model_law(law: Law) -> None:
    """Raise ConfigError unless the law is the model itself, the only one that vLLM scores under."""
    for field in fields(law):
        if getattr(law, field.name) != field.default:
            raise ConfigError(
                "vLLM scores under the model as it is; give score_law model, or temperature 1, "
                "top_k 0 and top_p 1",
                field.name,
            )


def _outside_nucleus(scaled: LogProbs, top_p: float) -> LogProbs:
    """Return which tokens come after more probable ones that have mass `top_p` already."""
    order = np.argsort(-scaled, axis=-1, kind="stable")
    ranked = np.take_along_axis(np.exp(scipy.special.log_softmax(scaled, axis=-1)), order, axis=-1)
    before = np.cumsum(ranked, axis=-1) - ranked
    outside = np.empty(scaled.shape, dtype=bool)
    np.put_along_axis(outside, order, before >= top_p, axis=-1)
    return outside
