import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from scipy.special import log_softmax

from similarity.arrays import LogProbs
from similarity.law import Law
from similarity.models.base import LOG_ZERO
from similarity.models.laws import law_log_probs
from similarity.models.torch_ops import law_log_probs as torch_law_log_probs
from similarity.models.torch_ops import token_log_probs

# Distinct logits: where two tie at the border of a law, which is kept is not defined.
logits = st.integers(2, 40).flatmap(
    lambda size: arrays(np.int64, (3, size), elements=st.integers(-2000, 2000), unique=True)
).map(lambda ints: ints / 100.0)  # fmt: skip
laws = st.builds(
    Law,
    temperature=st.sampled_from([0.3, 1.0, 1.7]),
    top_k=st.sampled_from([0, 1, 3, 10, 1000]),
    top_p=st.sampled_from([0.05, 0.5, 0.9, 1.0]),
)


@given(logits=logits)
def test_the_plain_law_is_the_model(logits: LogProbs) -> None:
    np.testing.assert_allclose(
        law_log_probs(logits, Law()), np.maximum(log_softmax(logits, axis=-1), LOG_ZERO)
    )


@given(logits=logits, law=laws)
def test_probabilities_sum_to_one(logits: LogProbs, law: Law) -> None:
    np.testing.assert_allclose(np.exp(law_log_probs(logits, law)).sum(-1), 1.0)


@given(logits=logits, law=laws)
def test_torch_twin_agrees(logits: LogProbs, law: Law) -> None:
    expected = law_log_probs(logits.astype(np.float32).astype(np.float64), law)
    tensor = torch.from_numpy(logits).float()
    twin = torch_law_log_probs(tensor, law).numpy()
    # A token at the very border of the nucleus may fall on either side in float32.
    same_support = (twin > LOG_ZERO + 1) == (expected > LOG_ZERO + 1)
    rows = same_support.all(-1)
    assert rows.mean() >= 2 / 3
    np.testing.assert_allclose(twin[rows], expected[rows], atol=2e-4)
    tokens = torch.zeros(3, dtype=torch.long)
    alone = token_log_probs(tensor, tokens, law).numpy()
    np.testing.assert_allclose(np.maximum(alone, LOG_ZERO), twin[:, 0], atol=2e-4)


@pytest.mark.parametrize("module", [law_log_probs, None])
def test_truncation_by_hand(module: object) -> None:
    logits = np.log([[0.1, 0.4, 0.2, 0.3]])

    def probs(law: Law) -> LogProbs:
        if module is None:
            return np.exp(torch_law_log_probs(torch.from_numpy(logits), law).double().numpy())[0]
        return np.exp(law_log_probs(logits, law))[0]

    np.testing.assert_allclose(probs(Law(top_k=2)), [0, 4 / 7, 0, 3 / 7], atol=1e-6)
    # The smallest set with at least that mass: 0.4 + 0.3 reach 0.65, 0.4 alone does not.
    np.testing.assert_allclose(probs(Law(top_p=0.65)), [0, 4 / 7, 0, 3 / 7], atol=1e-6)
    np.testing.assert_allclose(probs(Law(top_p=0.3)), [0, 1, 0, 0], atol=1e-6)
    np.testing.assert_allclose(probs(Law(temperature=0.5)), np.array([1, 16, 4, 9]) / 30, atol=1e-6)
