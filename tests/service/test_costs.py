"""Requests cost what they take, also where their texts are known."""

from pathlib import Path
from typing import Any

import pytest
from fastapi.testclient import TestClient

from service.engine.costs import short_cost
from service.engine.engine import Engine
from service.settings import Settings
from similarity.models.toy import ToyModel
from similarity.vectors import fit, save
from tests.similarity.vectors.conftest import TOY_CONFIG, sentences

TEXTS = ["a red car", "the sea", "a house", "old birds", "it is blue", "men sing", "a", "under it"]
PAIRS = [[a, b] for a in TEXTS for b in TEXTS]
MANY = [f"{text} {number}" for text in TEXTS for number in range(4)][:28]
CROSSED = [[a, b] for a in MANY[:16] for b in MANY[:16]]


@pytest.fixture
def served(open_client: Any, toy_model: ToyModel, tmp_path: Path) -> TestClient:
    save(fit(toy_model, sentences(60), TOY_CONFIG), tmp_path)
    return open_client(vectors=str(tmp_path))


@pytest.fixture
def runs(monkeypatch: pytest.MonkeyPatch) -> list[tuple[float, float]]:
    """Return the cost of each request as it ends, and which part of it was found to be new."""
    seen: list[tuple[float, float]] = []
    run = Engine.run

    async def noted(self: Engine, function: Any, cost: float, since: float | None = None) -> Any:
        def kept(model: Any) -> Any:
            try:
                return function(model)
            finally:
                seen.append((cost, model.usage.computed))

        return await run(self, kept, cost, since)

    monkeypatch.setattr(Engine, "run", noted)
    return seen


@pytest.mark.parametrize(
    ("route", "body", "long"),
    [
        ("similarity", {"rows": MANY}, False),
        ("similarity", {"rows": MANY, "explain": True}, True),
        ("similarity", {"pairs": [[a, b] for a in MANY for b in MANY], "explain": True}, True),
        ("similarity", {"rows": TEXTS, "explain": True}, False),
        ("similarity", {"source": MANY[0], "targets": MANY, "explain": True}, False),
        ("entailment", {"pairs": CROSSED}, True),
        ("entailment", {"pairs": CROSSED[:128], "explain": True}, True),
        ("entailment", {"pairs": CROSSED[:128]}, False),
    ],
)
def test_words_and_judgements_cost_by_pairs_and_texts(
    served: TestClient, runs: list[tuple[float, float]], route: str, body: Any, long: bool
) -> None:
    # Explanations of few texts held all places of short requests, and any cached pair with them.
    for _ in range(2):
        answer = served.post(f"/v1/{route}", json=body)
        assert answer.status_code == 200, answer.text
    (cost, first), (again, second) = runs
    limit = short_cost(Settings(model="toy"), ("profile",))
    assert cost == again
    assert (cost > limit) == long
    assert first == 1
    # The second time the texts are known, and what is made of them is not.
    assert (second > 0) == (route == "entailment" or "explain" in body)


def test_pairs_that_repeat_are_explained_once(
    served: TestClient, runs: list[tuple[float, float]]
) -> None:
    pairs = [PAIRS[1]] * 500
    assert served.post("/v1/similarity", json={"pairs": pairs, "explain": True}).status_code == 200
    assert served.post("/v1/similarity", json={"pairs": pairs[:1], "explain": True}).is_success
    assert runs[0][0] == runs[1][0]


def test_explaining_trajectories_costs_no_more(
    served: TestClient, runs: list[tuple[float, float]]
) -> None:
    body = {"pairs": PAIRS[1:3], "preset": "paper", "n_trajectories": 2, "max_tokens": 2}
    for explain in (False, True):
        assert served.post("/v1/similarity", json={**body, "explain": explain}).is_success
    assert runs[0][0] == runs[1][0]
