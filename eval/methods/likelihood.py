"""The likelihood baselines of the paper: how probable one text is beside the other.

For texts u and v, "u v" is u as the trajectories' prefix has it (prompt and full stop), a space,
and v with its full stop. Both are means of log-probabilities, nats per token, as everywhere in
the paper's M, and the mean of both directions. To take means rather than sums, and to join the
directions so, are choices of ours, for want of a definition that we could find.
"""

from abc import abstractmethod
from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import asdict, replace
from itertools import chain

from eval.methods.base import Method, Pair, Setting
from eval.methods.texts import distinct, opening_length
from similarity.errors import TextTooLongError
from similarity.law import Law
from similarity.likelihood import mean_log_probs
from similarity.models.base import LanguageModel, ScoreRequest, TokenIds
from similarity.trajectories import encode_prefixes

# The tokens that are given, and those whose probability after them is computed.
Conditional = tuple[TokenIds, TokenIds]


class _Likelihood(Method):
    """The mean, over both orders of a pair, of the log-likelihood of one after the other."""

    def __init__(self, setting: Setting) -> None:
        setting.model.check_scoring(Law())
        self._model = setting.model
        self._prompt = setting.config.prompt
        self._opening = opening_length(setting.model)
        self.settings = {"prompt": asdict(self._prompt)}

    @abstractmethod
    def _given(self, first: TokenIds) -> int:
        """Return how many of the tokens of "u v" are given, and not scored."""

    def score(self, pairs: Sequence[Pair]) -> list[float]:
        """Return the log-likelihood of each pair, nats per token; the same in either order.

        Raises
        ------
        InputError
            If a text cannot be read; TextTooLongError if a pair is too long for the model.
        """
        texts = distinct(pairs)
        prefixes = encode_prefixes(self._model, texts, self._prompt, max_tokens=0)
        firsts = {text: prefix.token_ids for text, prefix in zip(texts, prefixes, strict=True)}
        full_stop = replace(self._prompt, before="", after="")
        seconds = {
            text: self._model.encode_continuation(f" {full_stop.apply(text)}") for text in texts
        }
        both_orders = [
            (self._conditional(firsts[u], seconds[v]), self._conditional(firsts[v], seconds[u]))
            for u, v in pairs
        ]
        means = _means(self._model, chain.from_iterable(both_orders))
        return [(means[one] + means[other]) / 2 for one, other in both_orders]

    def _conditional(self, first: TokenIds, second: TokenIds) -> Conditional:
        whole, limit = first + second, self._model.info.context_length
        if len(whole) > limit:
            raise TextTooLongError(
                f"a pair has {len(whole)} tokens, one text after the other, and the model takes "
                f"{limit}; shorten its texts"
            )
        given = self._given(first)
        return whole[:given], whole[given:]


class ConditionalLikelihood(_Likelihood):
    """½ (mean log P(v | u) + mean log P(u | v)), each mean over the tokens of the text scored."""

    def _given(self, first: TokenIds) -> int:
        return len(first)


class JointLikelihood(_Likelihood):
    """½ (mean log P(u v) + mean log P(v u)), each mean over all tokens of the concatenation.

    What the model wants at the beginning of a text is given; where it wants nothing, the first
    token is, as networks give no probability without a token before.
    """

    def _given(self, _first: TokenIds) -> int:
        return max(1, self._opening)


def _means(model: LanguageModel, conditionals: Iterable[Conditional]) -> dict[Conditional, float]:
    """Return the mean log-probability of each, nats per token; equal ones are computed once."""
    by_prefix: dict[TokenIds, list[TokenIds]] = defaultdict(list)
    for prefix, continuation in dict.fromkeys(conditionals):
        by_prefix[prefix].append(continuation)
    requests = [
        ScoreRequest(prefix=prefix, continuations=tuple(continuations))
        for prefix, continuations in by_prefix.items()
    ]
    return {
        (request.prefix, continuation): float(mean)
        for request, rows in zip(requests, model.score(requests, Law()), strict=True)
        for continuation, mean in zip(request.continuations, mean_log_probs(rows), strict=True)
    }
