"""Entailment behind the interfaces of packages that detect hallucinations by agreement.

Nothing of those packages is needed here: uqlm's `SemanticClusterer` takes `EntailmentNLI` in the
place of its NLI model, and lm-polygraph's estimators read the matrices of `semantic_matrices`.
"""

from collections.abc import Sequence
from typing import Any

import numpy as np

from similarity.arrays import FloatArray
from similarity.entailment.profiles import ProfileEntailment
from similarity.given import given_strings, given_text_pairs


class EntailmentNLI:
    """Has the interface of `uqlm.nli.NLI`, with no NLI model behind it.

    Profiles do not find contradiction: `noncontradiction_score` is the degree of agreement, as
    `entailment_score` is.
    """

    def __init__(self, scorer: ProfileEntailment) -> None:
        self._scorer = scorer

    def get_nli_results(self, response1: str, response2: str) -> dict[str, Any]:
        """Return "entailment", "entailment_score" and "noncontradiction_score" of two texts.

        Raises
        ------
        InputError
            If a text is empty, not valid Unicode, or too long for the model.
        """
        return self.get_nli_results_batch([(response1, response2)])[0]

    def get_nli_results_batch(
        self, response_pairs: Sequence[tuple[str, str]]
    ) -> list[dict[str, Any]]:
        """Return the same of each pair; a text that repeats is read once.

        Raises as `get_nli_results` does.
        """
        response_pairs = given_text_pairs(response_pairs)
        if not response_pairs:
            return []
        same = self._scorer.thresholds().same
        texts = list(dict.fromkeys(text for pair in response_pairs for text in pair))
        degrees = self._scorer.degrees(texts)
        place = {text: i for i, text in enumerate(texts)}
        found = []
        for first, second in response_pairs:
            i, j = place[first], place[second]
            agreement = 1.0 if i == j else float((degrees[i, j] + degrees[j, i]) / 2)
            mutual = i == j or bool(min(degrees[i, j], degrees[j, i]) >= same)
            found.append(
                {
                    "noncontradiction_score": agreement,
                    "entailment": mutual,
                    "entailment_score": agreement,
                }
            )
        return found


def semantic_matrices(scorer: ProfileEntailment, texts: Sequence[str]) -> dict[str, FloatArray]:
    """Return what lm-polygraph's `SemanticMatrixCalculator` gives of one input's samples.

    Returns
    -------
    dict
        "semantic_matrix_entail" and "semantic_matrix_contra", shape "text text", in [0, 1]. What
        does not entail counts as contradiction, as profiles do not distinguish it from neutral.

    Raises
    ------
    InputError
        If a text is empty, not valid Unicode, or too long for the model.
    """
    texts = given_strings(texts)
    distinct = list(dict.fromkeys(texts))
    place = {text: i for i, text in enumerate(distinct)}
    numbers = [place[text] for text in texts]
    degrees = scorer.degrees(distinct) if distinct else np.empty((0, 0))
    np.fill_diagonal(degrees, 1.0)
    entail = degrees[np.ix_(numbers, numbers)]
    return {"semantic_matrix_entail": entail, "semantic_matrix_contra": 1 - entail}
