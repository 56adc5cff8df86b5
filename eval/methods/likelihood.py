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

from eval.methods.base import Method, Pair, Setting
from eval.methods.texts import distinct, opening_length
from similarity.errors import TextTooLongError
from similarity.law import Law
from similarity.likelihood import mean_log_probs
from similarity.models.base import LanguageModel, ScoreRequest, TokenIds
from similarity.trajectories import encode_prefixes

# What is given, and the tokens whose probability after it is asked for.
Question = tuple[TokenIds, TokenIds]


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
        asked = [
            (self._question(firsts[u], seconds[v]), self._question(firsts[v], seconds[u]))
            for u, v in pairs
        ]
        told = _answers(self._model, (question for both in asked for question in both))
        return [(told[one] + told[other]) / 2 for one, other in asked]

    def _question(self, first: TokenIds, second: TokenIds) -> Question:
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
    token is, as networks tell no probability without a token before.
    """

    def _given(self, _first: TokenIds) -> int:
        return max(1, self._opening)


def _answers(model: LanguageModel, questions: Iterable[Question]) -> dict[Question, float]:
    """Return the mean log-probability, nats per token, asked for; equal questions once."""
    by_prefix: dict[TokenIds, list[TokenIds]] = defaultdict(list)
    for prefix, continuation in dict.fromkeys(questions):
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
