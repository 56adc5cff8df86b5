import pytest
import torch

from training.model import IGNORE, Llama, ModelConfig, document_mask, next_tokens
from training.tokens import BOS_ID, EOS_ID, PAD_ID

CONFIG = ModelConfig(vocab=50, hidden=32, layers=2, heads=2, intermediate=48, max_positions=64)
FIRST = [BOS_ID, 7, 8, 9, EOS_ID]
SECOND = [BOS_ID, 20, 21, 22, 23]


@pytest.fixture
def model():
    torch.manual_seed(0)
    return Llama(CONFIG).eval()


def test_no_loss_crosses_documents_or_falls_on_padding():
    tokens = torch.tensor([[*FIRST, *SECOND, PAD_ID, PAD_ID]])
    assert next_tokens(tokens, BOS_ID, PAD_ID).tolist() == [
        [7, 8, 9, EOS_ID, IGNORE, 20, 21, 22, 23, IGNORE, IGNORE, IGNORE]
    ]


def test_positions_begin_anew_in_each_document():
    allowed, positions = document_mask(torch.tensor([[*FIRST, *SECOND]]), BOS_ID)
    assert positions.tolist() == [[0, 1, 2, 3, 4, 0, 1, 2, 3, 4]]
    assert allowed[0, 0].sum(dim=-1).tolist() == [1, 2, 3, 4, 5, 1, 2, 3, 4, 5]


def test_logits_do_not_depend_on_another_document(model):
    alone = model(torch.tensor([SECOND]), BOS_ID)
    packed = model(torch.tensor([[*FIRST, *SECOND]]), BOS_ID)[:, len(FIRST) :]
    torch.testing.assert_close(packed, alone)


def test_logits_do_not_depend_on_later_tokens(model):
    changed = [*SECOND[:3], 40, 41]
    before = model(torch.tensor([SECOND]), BOS_ID)[:, :3]
    torch.testing.assert_close(model(torch.tensor([changed]), BOS_ID)[:, :3], before)


def test_the_loss_is_the_sum_over_documents(model):
    parts = sum(model.loss(torch.tensor([ids]), BOS_ID, PAD_ID) for ids in (FIRST, SECOND))
    padded = torch.tensor([[*FIRST, *SECOND, PAD_ID, PAD_ID]])
    torch.testing.assert_close(model.loss(padded, BOS_ID, PAD_ID), parts)


def test_a_head_size_that_does_not_fit_is_refused():
    with pytest.raises(ValueError, match="hidden=30"):
        ModelConfig(hidden=30, heads=4)
