"""The race in one pass has the numbers of the race in single steps."""

import pytest
import torch

from similarity.law import Law
from similarity.models import torch_ops
from similarity.models.fused import weights_and_rates
from similarity.models.torch_ops import draw

KEYS = [(number * 7919 % 2**32, number * 2654435761 % 2**32) for number in range(32)]


def test_there_is_none_on_a_cpu() -> None:
    one = torch.zeros(1, 1)
    assert weights_and_rates(one, one, one.int(), one.int()) is None


@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device")
@pytest.mark.parametrize("temperature", [1.0, 0.7])
def test_the_same_draws_on_a_gpu(monkeypatch: pytest.MonkeyPatch, temperature: float) -> None:
    logits = torch.randn(len(KEYS), 50_000, device="cuda") * 3
    law = Law(temperature=temperature)
    tokens, log_probs, leads = draw(logits, law, KEYS)
    monkeypatch.setattr(torch_ops, "weights_and_rates", lambda *_: None)
    plain = draw(logits, law, KEYS)
    assert tokens == plain[0]
    assert log_probs == pytest.approx(plain[1], abs=1e-5)
    assert leads == pytest.approx(plain[2], abs=1e-5)
