import json
from collections.abc import Callable, Iterator, Sequence
from contextlib import nullcontext
from pathlib import Path
from typing import Any

import pytest

from similarity import compare_matrix, compare_pairs
from similarity.config import ComparisonConfig
from similarity.errors import ModelChangedError
from similarity.law import Law
from similarity.models import stored as stored_module
from similarity.models.base import Continuation, ModelInfo, SampleRequest, ScoreRequest
from similarity.models.local import LocalModel
from similarity.models.stored import StoredModel, can_be_stored
from similarity.models.toy import ToyModel
from similarity.models.wrapper import WrapperModel
from similarity.storage.store import Store

CONFIG = ComparisonConfig.build(n_trajectories=3, max_tokens=4)
PAIRS = [("a red car", "the sea"), ("the sea", "it rains"), ("a", "a.")]


class Counting(WrapperModel):
    """Counts the continuations that the model itself is asked for."""

    def __init__(self, wrapped: Any) -> None:
        super().__init__(wrapped)
        self.sampled = self.scored = 0

    def sample(
        self, requests: Sequence[SampleRequest], law: Law, *more: Any
    ) -> list[list[Continuation]]:
        self.sampled += sum(request.n for request in requests)
        return super().sample(requests, law, *more)

    def score(self, requests: Sequence[ScoreRequest], law: Law, *more: Any) -> Any:
        self.scored += sum(len(request.continuations) for request in requests)
        return super().score(requests, law, *more)


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    with Store(tmp_path / "answers.sqlite") as opened:
        yield opened


@pytest.fixture(params=["toy", "llama"])
def model(request: pytest.FixtureRequest, tiny: Callable[[str], LocalModel]) -> Counting:
    return Counting(ToyModel() if request.param == "toy" else tiny(request.param))


def test_nothing_is_computed_twice_and_all_is_the_same(model: Counting, store: Store) -> None:
    expected = compare_pairs(model, PAIRS, CONFIG)
    model.sampled = model.scored = 0
    first = compare_pairs(StoredModel(model, store), PAIRS, CONFIG)
    assert model.sampled == 4 * 3
    counts = model.sampled, model.scored
    # What was asked for in pairs is known in a matrix, but for what pairs do not need.
    again = compare_pairs(StoredModel(model, store), PAIRS[::-1], CONFIG)[::-1]
    assert (model.sampled, model.scored) == counts
    compare_matrix(StoredModel(model, store), ["a red car", "it rains"], config=CONFIG)
    assert model.sampled == counts[0]
    for one, other in zip([*expected, *expected], [*first, *again], strict=True):
        assert json.dumps(one.to_dict()) == json.dumps(other.to_dict())


def test_other_settings_are_other_entries(store: Store) -> None:
    model = Counting(ToyModel())
    for changed in ({}, {"seed": 1}, {"temperature": 0.5}, {"max_tokens": 3}, {"top_k": 9}):
        settings = {"n_trajectories": 3, "max_tokens": 4} | changed
        config = ComparisonConfig.build(**settings)
        kept = compare_pairs(StoredModel(model, store), PAIRS, config)
        fresh = compare_pairs(ToyModel(), PAIRS, config)
        assert [one.distance for one in kept] == [one.distance for one in fresh]


def test_more_trajectories_go_on_where_fewer_stopped(store: Store) -> None:
    stored = StoredModel(Counting(ToyModel()), store)
    law = Law()
    few = SampleRequest(prefix=(1, 2), n=2, max_tokens=5, key=7)
    more = SampleRequest(prefix=(1, 2), n=2, max_tokens=5, key=7, start=2)
    for _ in range(2):
        (first,), (second,) = (stored.sample([request], law) for request in (few, more))
        expected = ToyModel().sample([few, more], law)
        assert [one.token_ids for one in first] == [one.token_ids for one in expected[0]]
        assert [one.token_ids for one in second] == [one.token_ids for one in expected[1]]


def test_very_large_calls_are_not_kept(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(stored_module, "MOST_CONTINUATIONS", 3)
    stored = StoredModel(ToyModel(), store)
    large = [ScoreRequest(prefix=(1, 2), continuations=((3,), (4,), (5,), (6,)))]
    expected = [row.tolist() for row in ToyModel().score(large, Law())[0]]
    assert [row.tolist() for row in stored.score(large, Law())[0]] == expected
    assert store.info().kinds == {}


def test_no_prefix_is_taken_for_another(store: Store) -> None:
    stored = StoredModel(ToyModel(), store)
    requests = [
        ScoreRequest(prefix=(1, 2), continuations=((3,), (4,))),
        ScoreRequest(prefix=(1,), continuations=((2, 3), (4,))),
    ]
    expected = ToyModel().score(requests, Law())
    for _ in range(2):
        found = stored.score(requests, Law())
        assert [[row.tolist() for row in rows] for rows in found] == [
            [row.tolist() for row in rows] for rows in expected
        ]


def test_a_model_that_cannot_be_distinguished_is_not_stored() -> None:
    model = ToyModel()
    assert can_be_stored(model)
    model.info = ModelInfo(name="x", revision="unknown", dtype="float64", context_length=9)
    assert not can_be_stored(model)


def test_another_version_may_compute_otherwise(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    model = Counting(ToyModel())
    for version in ("1.0", "1.1"):
        monkeypatch.setattr(stored_module, "__version__", version)
        model.sampled = model.scored = 0
        compare_pairs(StoredModel(model, store), PAIRS, CONFIG)
        assert model.sampled == 4 * 3
        assert model.scored > 0


@pytest.mark.parametrize("error", [True, False])
@pytest.mark.parametrize("what", ["sample", "score"])
def test_what_another_model_computed_is_not_kept(
    store: Store, monkeypatch: pytest.MonkeyPatch, what: str, error: bool
) -> None:
    """It was taken for the right model's ever after."""
    model = Counting(ToyModel())
    stored, found = StoredModel(model, store), [0]
    monkeypatch.setattr(model, "changes", lambda: found[0])
    requests: dict[str, list[Any]] = {
        "sample": [SampleRequest(prefix=(1, i), n=2, max_tokens=3, key=7) for i in range(3)],
        "score": [ScoreRequest(prefix=(1, i), continuations=((3,),)) for i in range(3)],
    }
    call = getattr(stored, what)
    call(requests[what][:1], Law())
    compute = getattr(model, what)

    def changed(*given: Any) -> Any:
        found[0] += 1
        if error:
            raise ModelChangedError("another model")
        return compute(*given)

    monkeypatch.setattr(model, what, changed)
    with pytest.raises(ModelChangedError) if error else nullcontext():
        call(requests[what], Law())
    assert sum(count for count, _ in store.info().kinds.values()) == 1
    monkeypatch.setattr(model, what, compute)
    call(requests[what], Law())
    assert sum(count for count, _ in store.info().kinds.values()) == 3
