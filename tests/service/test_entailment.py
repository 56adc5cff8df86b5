"""POST /v1/entailment."""

from pathlib import Path

import pytest

from similarity.config import ComparisonConfig
from similarity.entailment.trajectories import TrajectoryEntailment
from similarity.models.toy import ToyModel
from similarity.vectors import fit, save
from tests.similarity.vectors.conftest import TOY_CONFIG, sentences
from tests.toy_models import SilentModel

PAIRS = [["a red car", "a car"], ["the sea", "a house"], ["a red car", "a car"]]
SMALL = {"n_trajectories": 3, "max_tokens": 4}


def test_it_is_the_librarys(client):
    answer = client.post("/v1/entailment", json={"pairs": PAIRS, "estimator": "paper", **SMALL})
    assert answer.status_code == 200, answer.text
    content = answer.json()
    scorer = TrajectoryEntailment(model=ToyModel(), config=ComparisonConfig.build(**SMALL))
    expected = scorer.judge([tuple(pair) for pair in PAIRS])
    assert content["estimator"] == "paper"
    assert content["results"][0] == content["results"][2]
    for got, want in zip(content["results"], expected, strict=True):
        assert got["forward"] == pytest.approx(want.forward)
        assert got["verdict"] == want.verdict
        assert got["direction"] == pytest.approx(want.inclusion)
        assert got["parts"]["evenness"] == 0


@pytest.mark.parametrize("preset", [None, "paper"])
def test_a_model_without_profiles_is_asked_by_trajectories(open_client, preset):
    client = open_client(SilentModel(), preset=preset)
    answer = client.post("/v1/entailment", json={"pairs": PAIRS[:1], **SMALL})
    assert answer.status_code == 200, answer.text
    assert answer.json()["estimator"] == "paper"


def test_profiles_with_their_words(open_client, toy_model: ToyModel, tmp_path: Path):
    save(fit(toy_model, sentences(60), TOY_CONFIG), tmp_path)
    # Limits of what it does not do refuse nothing.
    client = open_client(vectors=str(tmp_path), max_trajectories=1, max_continuation_tokens=1)
    body = {"pairs": PAIRS[:2], "explain": True, "top": 2}
    answer = client.post("/v1/entailment", json=body)
    assert answer.status_code == 200, answer.text
    content = answer.json()
    assert content["estimator"] == "weeds-even"
    one = content["results"][0]
    assert one["direction"] == pytest.approx(sum(one["parts"].values()))
    low, high = one["interval"]["direction"]
    assert low <= one["direction"] <= high
    assert set(one["words"]) == {"both", "first", "second"}
    assert 0 <= content["thresholds"]["related"] <= content["thresholds"]["same"] <= 1


def test_what_is_refused(open_client):
    client = open_client(max_characters=50)
    for body, status in (
        ({"pairs": []}, 422),
        ({"pairs": [["a", "b"]], "estimator": "nonsense"}, 422),
        ({"pairs": [["a", "b"]], "confidence": 1}, 422),
        # Also where they change nothing, as the interface says how much is allowed.
        ({"pairs": [["a", "b"]], "max_tokens": 129, "estimator": "weeds-even"}, 422),
        ({"pairs": [["a", " "]]}, 422),
        ({"pairs": [["a", "b" * 51]], **SMALL}, 413),
    ):
        assert client.post("/v1/entailment", json=body).status_code == status, body
