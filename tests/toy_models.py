"""Toy models that give less than the toy model does."""

from similarity.models.base import LanguageModel
from similarity.models.toy import ToyModel


class SilentModel(ToyModel):
    """Gives log-probabilities of what is scored alone, as an old server."""

    abilities = frozenset()
    next_log_probs = LanguageModel.next_log_probs
    distributions = LanguageModel.distributions
