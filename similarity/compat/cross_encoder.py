"""The comparison of pairs behind the interface of sentence-transformers' `CrossEncoder`.

Nothing of that package is needed here; its evaluators take this in the place of one of its models.
"""

from collections.abc import Sequence
from os import PathLike
from typing import Any

import numpy as np

from similarity.compat.shared import Evaluations, as_tensor, check_options, warn_of
from similarity.config import ComparisonConfig
from similarity.given import check_pairs, given_pairs, given_strings
from similarity.models.base import LanguageModel
from similarity.scorers import open_scorer
from similarity.slices import slices
from similarity.texts.truncation import END, cut_warnings
from similarity.validation import given_integer

# Pairs whose trajectories are held at once.
BATCH = 64


class TrajectoryCrossEncoder:
    """Scores pairs of texts by their similarity, in [0, 1].

    Compares as `similarity.scorers.open_scorer` does with the same arguments. A score depends on
    the pair alone, so the size of a batch is a matter of memory.

    Parameters
    ----------
    truncate
        What is done with texts that are too long: their end is left out with a warning, where
        sentence-transformers leaves it out without; or "start", or "refuse".

    Attributes
    ----------
    model_card_data
        Keeps what the evaluators of sentence-transformers report.
    """

    def __init__(
        self,
        model: LanguageModel,
        config: ComparisonConfig | None = None,
        *,
        preset: str | None = None,
        vectors: str | PathLike[str] | None = None,
        truncate: str = END,
    ) -> None:
        self._scorer = open_scorer(model, preset, config, vectors, truncate)
        self.model_card_data = Evaluations()

    def predict(
        self,
        inputs: Sequence[Sequence[str]],
        prompt_name: str | None = None,
        batch_size: int = BATCH,
        **options: Any,
    ) -> Any:
        """Return the similarity of each pair, shape "pair", or of one pair, without a shape.

        Parameters
        ----------
        prompt_name
            None: prompts are of the configuration.
        options
            Of `CrossEncoder.predict`: `convert_to_tensor` gives a tensor of torch in the place of
            an array of NumPy. Those that change nothing here are taken: progress bars, devices.

        Raises
        ------
        InputError
            If a text cannot be compared, or an input is no pair.
        ConfigError
            If a prompt, an activation or no whole batch size is given.
        """
        batch_size = given_integer("batch_size", batch_size, at_least=1)
        why = "scores are similarities in [0, 1], and prompts are set in the configuration"
        check_options({"prompt": prompt_name, **options}, _UNCHANGED, _WITHOUT_EFFECT, why)
        check_pairs(inputs)
        given: list[Any] = list(inputs)
        one = len(given) > 0 and isinstance(given[0], str)
        given = [given] if one else given
        pairs = given_pairs(given)
        blocks = slices(pairs, batch_size)
        found = [score.similarity for block in blocks for score in self._scorer.score(block)]
        warn_of(cut_warnings(self._scorer, (text for pair in pairs for text in pair)))
        scores = np.array(found, np.float64).reshape(() if one else (len(pairs),))
        return as_tensor(scores) if options.get("convert_to_tensor") else scores

    def rank(
        self,
        query: str,
        documents: Sequence[str],
        top_k: int | None = None,
        return_documents: bool = False,
        **options: Any,
    ) -> list[dict[str, Any]]:
        """Return the documents' numbers and scores, the most alike first; of equal ones, in order.

        Parameters
        ----------
        top_k
            How many; None is all.
        return_documents
            Whether each comes with its "text".
        options
            As of `predict`.

        Raises
        ------
        InputError
            As of `predict`.
        ConfigError
            As of `predict`, or if `top_k` is not at least 1.
        """
        if top_k is not None:
            top_k = given_integer("top_k", top_k, at_least=1)
        documents = given_strings(documents)
        options["convert_to_tensor"] = False
        scores = self.predict([(query, document) for document in documents], **options)
        order = np.argsort(-scores, kind="stable")[:top_k]
        return [
            {"corpus_id": int(i), "score": float(scores[i])}
            | ({"text": documents[i]} if return_documents else {})
            for i in order
        ]


# Options of `CrossEncoder.predict` that would change what comes back, and what leaves it as it is.
_UNCHANGED: dict[str, tuple[Any, ...]] = {
    "prompt": (None,),
    "activation_fn": (None,),
    "apply_softmax": (None, False),
}
_WITHOUT_EFFECT = frozenset(
    {
        "chunk_size",
        "convert_to_numpy",
        "convert_to_tensor",
        "device",
        "pool",
        "show_progress_bar",
    }
)
