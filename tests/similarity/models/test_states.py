"""States after many prefixes, what they share read once, against one plain reading each."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch

from similarity.models import states
from similarity.models.base import TokenIds
from similarity.models.drifts import Drift
from similarity.models.local import LocalModel, load_local
from similarity.models.reference import ReferenceModel
from similarity.models.states import PrefixStates, shared_length
from tests.tiny_models import ARCHITECTURES, save_tiny_model

Loader = Callable[[str], LocalModel]
SHARED: TokenIds = (40, 41, 42, 43, 44)
PREFIXES: list[TokenIds] = [
    SHARED + tuple(range(60 + i, 60 + i + length)) for i, length in enumerate((3, 1, 20, 3, 7, 12))
]


@pytest.mark.parametrize("architecture", ARCHITECTURES)
@pytest.mark.parametrize("tokens", [4096, 24])
def test_states_are_the_references(
    tiny: Loader, architecture: str, tokens: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(states, "STATE_TOKENS", {"cpu": tokens})
    model = tiny(architecture)
    found = model.next_states(PREFIXES)
    np.testing.assert_allclose(found, ReferenceModel(model).next_states(PREFIXES), atol=1e-4)


def test_progress_is_reported_of_each_reading(
    tiny: Loader, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(states, "STATE_TOKENS", {"cpu": 24})
    model, finished = tiny("llama"), list[int]()
    model.next_states(PREFIXES, finished.append)
    assert len(finished) > 2
    assert sum(finished) == len(PREFIXES)
    finished.clear()
    model.next_log_probs(PREFIXES, [3, 1], finished.append)
    assert len(finished) > 2
    assert sum(finished) == len(PREFIXES)


def counted(model: LocalModel, monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """Return the numbers of tokens that the network is asked to read, as they come."""
    read: list[int] = []
    forward = model.network._forward

    def count(ids: torch.Tensor, *rest: object, **state: object) -> object:
        read.append(ids.numel())
        return forward(ids, *rest, **state)  # type: ignore[arg-type]

    monkeypatch.setattr(model.network, "_forward", count)
    return read


def fresh(model: LocalModel, monkeypatch: pytest.MonkeyPatch) -> None:
    assert model.network.head is not None
    reader = PrefixStates(model.network, model.network.head, model._verified)
    monkeypatch.setattr(model, "_state_reader", reader)


def test_what_prefixes_share_is_read_once(tiny: Loader, monkeypatch: pytest.MonkeyPatch) -> None:
    model = tiny("llama")
    fresh(model, monkeypatch)
    read = counted(model, monkeypatch)
    model.next_states(PREFIXES)
    # The beginning, all that follows it padded to 20, and the longest again to be sure.
    assert read == [5, 6 * 20, 25]
    read.clear()
    model.next_states(PREFIXES)
    assert read == [5, 6 * 20]
    read.clear()
    # What few share is kept if it has eight tokens.
    model.next_states(PREFIXES[:2])
    assert read == [2 * 8]


PROMPT: TokenIds = tuple(range(30, 42))


def prompted(*rests: TokenIds) -> list[TokenIds]:
    return [PROMPT + rest for rest in rests]


def test_the_prompt_of_pairs_is_read_once(tiny: Loader, monkeypatch: pytest.MonkeyPatch) -> None:
    model = tiny("llama")
    fresh(model, monkeypatch)
    read = counted(model, monkeypatch)
    model.next_states(prompted((60, 61), (62, 63, 64)))
    # Eight of its twelve tokens, the rest of both texts, and the longest plainly to be sure.
    assert read == [8, 2 * 7, 15]
    read.clear()
    # These begin alike for two tokens more.
    pair = prompted((70, 71, 72), (70, 71, 73))
    found = model.next_states(pair)
    assert read == [2 * 7]
    np.testing.assert_allclose(found, ReferenceModel(model).next_states(pair), atol=1e-4)


def test_numbers_do_not_depend_on_calls_before(
    tiny: Loader, monkeypatch: pytest.MonkeyPatch
) -> None:
    model = tiny("llama")
    fresh(model, monkeypatch)
    calls = [
        prompted((60, 61), (62,)),
        prompted((60, 61)),
        prompted((60, 61), (60, 61, 62), (5,)),
        [(7, 8, 9), (7, 8)],
        PREFIXES,
    ]
    first = [model.next_states(call) for call in calls]
    again = [model.next_states(call) for call in reversed(calls)]
    for found, expected in zip(again, reversed(first), strict=True):
        np.testing.assert_array_equal(found, expected)
    fresh(model, monkeypatch)
    for call, expected in zip(calls, first, strict=True):
        np.testing.assert_array_equal(model.next_states(call), expected)


def test_few_beginnings_are_kept(tiny: Loader, monkeypatch: pytest.MonkeyPatch) -> None:
    model = tiny("llama")
    fresh(model, monkeypatch)
    for start in range(20, 20 + 4 * states.KEPT):
        model.next_states([(*range(start, start + 9), last) for last in (1, 2)])
    assert model._state_reader is not None
    assert len(model._state_reader._kept) == states.KEPT


def test_no_long_beginning_is_kept(tiny: Loader, monkeypatch: pytest.MonkeyPatch) -> None:
    model = tiny("llama")
    fresh(model, monkeypatch)
    monkeypatch.setattr(states, "MAX_KEPT", 16)
    pair: list[TokenIds] = [(*range(5, 45), last) for last in (1, 2)]
    found = model.next_states(pair)
    assert model._state_reader is not None
    assert [kept.length for kept in model._state_reader._kept.values()] == [16]
    np.testing.assert_allclose(found, ReferenceModel(model).next_states(pair), atol=1e-4)


def test_nothing_is_kept_in_half_precision(tiny: Loader, monkeypatch: pytest.MonkeyPatch) -> None:
    model = tiny("llama")
    fresh(model, monkeypatch)
    monkeypatch.setattr(type(model.network), "exact", False)
    read = counted(model, monkeypatch)
    for _ in range(3):
        model.next_states(prompted((60, 61), (62, 63)))
    assert read == [2 * 14] * 3


def test_a_state_that_does_not_hold_is_given_up(
    tiny: Loader, monkeypatch: pytest.MonkeyPatch
) -> None:
    model = tiny("llama")
    fresh(model, monkeypatch)
    expected = ReferenceModel(model).next_states(PREFIXES)
    copies = model.network.copies

    def spoilt(*arguments: object) -> object:
        copied = copies(*arguments)  # type: ignore[arg-type]
        for layer in copied.layers:
            layer.keys.mul_(0.5)
        return copied

    monkeypatch.setattr(model.network, "copies", spoilt)
    np.testing.assert_allclose(model.next_states(PREFIXES), expected, atol=1e-4)
    read = counted(model, monkeypatch)
    model.next_states(PREFIXES)
    assert read == [6 * 25]


def test_shared_length() -> None:
    assert shared_length(PREFIXES) == 5
    assert shared_length([(1, 2, 3), (1, 2, 3)]) == 2
    assert shared_length([(1, 2), (1, 2, 3)]) == 1
    assert shared_length([(1,), (2,)]) == 0
    assert shared_length([(7, 8), (7, 9), (7, 8, 9)]) == 1


@pytest.mark.parametrize("architecture", ARCHITECTURES)
def test_states_in_half_precision_are_those_of_one_reading(
    tmp_path: Path, architecture: str
) -> None:
    folder = str(save_tiny_model(architecture, tmp_path / "model"))
    model = load_local(folder, device="cpu", dtype="bfloat16")
    together = model.next_states(PREFIXES)
    alone = np.concatenate([model.next_states([prefix]) for prefix in PREFIXES])
    assert Drift.between(together, alone).is_rounding
