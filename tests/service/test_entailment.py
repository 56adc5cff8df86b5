"""POST /v1/entailment."""

from pathlib import Path

import pytest

from service.http.schemas.sampling import SamplingSettings
from similarity.config import ComparisonConfig
from similarity.entailment.trajectories import TrajectoryEntailment
from similarity.models.toy import ToyModel
from similarity.vectors import fit, save
from tests.similarity.vectors.conftest import TOY_CONFIG, sentences
from tests.toy_models import SilentModel

PAIRS = [["a red car", "a car"], ["the sea", "a house"], ["a red car", "a car"]]
SMALL = {"n_trajectories": 3, "max_tokens": 4}


@pytest.fixture
def client_of_profiles(open_client, toy_model: ToyModel, tmp_path: Path):
    save(fit(toy_model, sentences(60), TOY_CONFIG), tmp_path)
    return open_client(vectors=str(tmp_path))


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
        ({"pairs": [["a", "b"]], "max_tokens": 129, "estimator": "paper"}, 422),
        ({"pairs": [["a", " "]]}, 422),
        ({"pairs": [["a", "b" * 51]], "estimator": "paper", **SMALL}, 413),
    ):
        assert client.post("/v1/entailment", json=body).status_code == status, body


# A value of each setting, other than its default.
SETTINGS = {
    "n_trajectories": 3,
    "max_tokens": 4,
    "temperature": 0.5,
    "top_k": 3,
    "top_p": 0.5,
    "score_law": "model",
    "prompt": "meaning",
    "full_stop": False,
    "seed": 7,
}


def test_all_settings_of_trajectories_are_tried_here():
    assert SETTINGS.keys() == SamplingSettings.model_fields.keys()


@pytest.mark.parametrize("estimator", [None, "clarke"])
@pytest.mark.parametrize("name", SETTINGS)
def test_settings_of_trajectories_are_refused_where_profiles_are_read(
    client_of_profiles, name, estimator
):
    body = {"pairs": PAIRS[:1], "estimator": estimator, name: SETTINGS[name]}
    answer = client_of_profiles.post("/v1/entailment", json=body)
    assert answer.status_code == 422, answer.text
    error = answer.json()["error"]
    assert error["param"] == name
    assert error["message"] == (
        f"{name} is a setting of trajectories, and estimator {estimator or 'weeds-even'} reads "
        "profiles; give estimator paper, or leave it out"
    )


@pytest.mark.parametrize(
    ("more", "said"),
    [
        ({"estimator": "paper", "explain": True}, "explain gives words of profiles"),
        ({"top": 2}, "give explain: true, or leave top out"),
    ],
)
def test_words_that_an_answer_will_not_have_are_refused(client_of_profiles, more, said):
    answer = client_of_profiles.post("/v1/entailment", json={"pairs": PAIRS[:1], **more})
    assert answer.status_code == 422
    assert said in answer.json()["error"]["message"]
