import io
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from eval import store
from eval.store import CachedModel
from similarity import Law, Tolerance, compare, compare_to_tolerance
from similarity.arrays import Rows
from similarity.config import ComparisonConfig
from similarity.errors import InputError
from similarity.models.base import (
    Continuation,
    OnProgress,
    SampleRequest,
    TokenIds,
    ignore_progress,
)
from similarity.models.toy import ToyModel

CONFIG = ComparisonConfig.build(n_trajectories=3, max_tokens=5)
REQUESTS = [SampleRequest(prefix=(97, i), n=3, max_tokens=5, key=2**63 + i) for i in range(4)]


class Counting(ToyModel):
    def __init__(self, *, scores: bool = True) -> None:
        super().__init__()
        self.sampled = 0
        self._scores = scores

    def sample(
        self, requests: list[SampleRequest], law: Law, on_progress: OnProgress = ignore_progress
    ) -> list[list[Continuation]]:
        self.sampled += len(requests)
        found = super().sample(requests, law, on_progress)
        if self._scores:
            return found
        return [[replace(c, log_probs=None) for c in row] for row in found]


def plain(found: list[list[Continuation]]) -> list[list[tuple[object, object]]]:
    return [
        [(c.token_ids, None if c.log_probs is None else c.log_probs.tolist()) for c in row]
        for row in found
    ]


@pytest.mark.parametrize("scores", [True, False])
def test_a_text_is_sampled_once_also_by_the_next_process(tmp_path: Path, scores: bool) -> None:
    truth = plain(Counting(scores=scores).sample(REQUESTS, Law()))
    model = CachedModel(inner := Counting(scores=scores), tmp_path)
    assert plain(model.sample(REQUESTS[:2], Law())) == truth[:2]
    model.save(0)
    model.save(1)  # nothing new
    assert plain(model.sample(REQUESTS[1:], Law())) == truth[1:]
    model.save(2)
    assert inner.sampled == 4

    again = CachedModel(inner := Counting(scores=scores), tmp_path)
    again.load(2)
    assert plain(again.sample(REQUESTS, Law())) == truth
    assert inner.sampled == 2
    again.load(3)
    assert plain(again.sample(REQUESTS, Law())) == truth
    assert inner.sampled == 2


def test_it_is_the_model_in_all_else(tmp_path: Path, toy_model: ToyModel) -> None:
    model = CachedModel(toy_model, tmp_path)
    for _ in range(2):
        mine, truth = (compare(m, "a red car", "a car", CONFIG) for m in (model, toy_model))
        assert mine.to_dict() == truth.to_dict()
        np.testing.assert_array_equal(mine.log_likelihoods, truth.log_likelihoods)


def test_a_request_for_more_is_not_answered_with_the_first(
    tmp_path: Path, toy_model: ToyModel
) -> None:
    tolerance = Tolerance(half_width=0.01, max_trajectories=12)
    truth = compare_to_tolerance(toy_model, "a red car", "a blue boat", tolerance, CONFIG)
    model = CachedModel(toy_model, tmp_path)
    mine = compare_to_tolerance(model, "a red car", "a blue boat", tolerance, CONFIG)
    assert mine.to_dict() == truth.to_dict()
    model.save(0)
    again = CachedModel(inner := Counting(), tmp_path)
    again.load(1)
    found = compare_to_tolerance(again, "a red car", "a blue boat", tolerance, CONFIG)
    assert found.to_dict() == truth.to_dict()
    assert inner.sampled == 0


def _changed(content: bytes) -> bytes:
    place = len(content) // 2
    return content[:place] + bytes([content[place] ^ 1]) + content[place + 1 :]


def _pickled(_content: bytes) -> bytes:
    file = io.BytesIO()
    np.savez(file, keys=np.array([{}], dtype=object))
    return file.getvalue()


@pytest.mark.parametrize(
    "damage",
    [lambda _: b"PK", lambda _: b"", _changed, _pickled, lambda content: content[:-9]],
    ids=["no archive", "empty", "changed", "pickled", "cut"],
)
def test_a_damaged_file(
    damage: Callable[[bytes], bytes], tmp_path: Path, toy_model: ToyModel
) -> None:
    cached = CachedModel(toy_model, tmp_path)
    cached.load(0)
    cached.sample([SampleRequest(prefix=(65,), n=3, max_tokens=9, key=1)], Law())
    cached.save(0)
    path = tmp_path / "000000.npz"
    path.write_bytes(damage(path.read_bytes()))
    with pytest.raises(InputError, match=r"000000\.npz"):
        CachedModel(toy_model, tmp_path).load(1)


@pytest.mark.parametrize("bit", range(8))
def test_any_damage_of_the_directory_is_an_error_or_none(
    bit: int, tmp_path: Path, toy_model: ToyModel
) -> None:
    """zipfile raises kinds of its own for compression, encryption and names."""
    cached = CachedModel(toy_model, tmp_path)
    request = SampleRequest(prefix=(65,), n=2, max_tokens=3, key=1)
    sampled = [c.token_ids for c in cached.sample([request], Law())[0]]
    cached.save(0)
    path = tmp_path / "000000.npz"
    content = path.read_bytes()
    refused = 0
    for place in range(content.index(b"PK\x01\x02"), len(content)):
        damaged = bytearray(content)
        damaged[place] ^= 1 << bit
        path.write_bytes(damaged)
        again = CachedModel(toy_model, tmp_path)
        try:
            again.load(1)
        except InputError:
            refused += 1
        else:
            assert [c.token_ids for c in again.sample([request], Law())[0]] == sampled
    assert refused


class States(ToyModel):
    """Tells how often it was read."""

    calls = 0

    def next_states(
        self, prefixes: Sequence[TokenIds], on_progress: OnProgress = ignore_progress
    ) -> Rows:
        self.calls += 1
        on_progress(len(prefixes))
        return np.array([[len(prefix), *prefix[:1]] for prefix in prefixes], np.float32)


def test_the_same_batch_is_read_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    model = CachedModel(inner := States(), tmp_path)
    batches: list[list[TokenIds]] = [[(1, 2), (3,)], [(1, 2)], [(3,), (1, 2)]]
    first = [model.next_states(batch).tolist() for batch in batches]
    assert [model.next_states(batch).tolist() for batch in batches] == first
    assert first == [States().next_states(batch).tolist() for batch in batches]
    assert inner.calls == len(batches)
    # One that was read is counted at once.
    counted: list[int] = []
    model.next_states(batches[0], counted.append)
    assert counted == [2]
    # Little is held: the batch that was asked for longest ago is forgotten.
    monkeypatch.setattr(store, "HELD", 16)
    model.next_states([(5,)])
    model.next_states([(5,)])
    assert inner.calls == len(batches) + 1
    model.next_states(batches[0])
    assert inner.calls == len(batches) + 2
