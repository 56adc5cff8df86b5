"""The service's own routes: their answers are the library's."""

import numpy as np
import pytest

from similarity import ComparisonConfig, compare_matrix, compare_pairs
from similarity.estimators.table import ESTIMATORS, WITHOUT_BANK
from similarity.models.toy import ToyModel

GUITAR = ["A man is playing a guitar.", "Someone plays an instrument."]
SMALL = {"n_trajectories": 4, "max_tokens": 6}
CONFIG = ComparisonConfig.build(n_trajectories=4, max_tokens=6)


def test_pairs(client):
    pairs = [GUITAR, ["one text", "one text"]]
    answer = client.post("/v1/similarity", json={"pairs": pairs})
    assert answer.status_code == 200
    expected = compare_pairs(ToyModel(), [tuple(pair) for pair in pairs], preset="paper")
    body = answer.json()
    assert body["model"] == "toy"
    assert body["results"] == [
        {"similarity": c.similarity, "distance": c.distance} for c in expected
    ]
    assert body["results"][1] == {"similarity": 1.0, "distance": 0.0}
    assert body["fingerprint"] == expected[0].fingerprint.to_dict()
    assert body["usage"]["sampled_tokens"] > 0


def test_one_source_to_many_targets(client):
    body = {"source": "a b", "targets": ["a b", "c d"], **SMALL, "distance": "hellinger"}
    answer = client.post("/v1/similarity", json=body).json()
    config = ComparisonConfig.build(**SMALL, distance="hellinger")
    expected = compare_pairs(ToyModel(), [("a b", "a b"), ("a b", "c d")], config)
    assert [r["distance"] for r in answer["results"]] == [c.distance for c in expected]


@pytest.mark.parametrize("columns", [None, ["c d", "a b", "x"]])
@pytest.mark.parametrize("explain", [False, True])
def test_matrix(client, columns, explain):
    rows = ["a b", "c d"]
    body = {"rows": rows, **({"explain": True, "top": 2} if explain else {}), **SMALL}
    if columns:
        body["columns"] = columns
    answer = client.post("/v1/similarity", json=body).json()
    expected = compare_matrix(ToyModel(), rows, columns, CONFIG)
    np.testing.assert_allclose(answer["distances"], expected.distances, atol=1e-9)
    np.testing.assert_allclose(answer["similarities"], expected.similarities, atol=1e-9)
    if explain:
        cells = np.array(answer["explanations"])
        assert cells.shape == expected.distances.shape
        assert len(cells[0, 1]["continuations"]) == 2
    else:
        assert "explanations" not in answer


def test_explanation_gives_what_weighs_most_with_both_likelihoods(client):
    body = {"pairs": [GUITAR], "explain": True, "top": 3, **SMALL}
    result = client.post("/v1/similarity", json=body).json()["results"][0]
    comparison = compare_pairs(ToyModel(), [tuple(GUITAR)], CONFIG)[0]
    shown = result["explanation"]["continuations"]
    best = comparison.most_telling(3)
    assert [t["text"] for t in shown] == [comparison.trajectories[i].text for i in best]
    assert shown[0]["log_likelihoods"] == comparison.log_likelihoods[:, best[0]].tolist()
    gaps = [abs(t["log_likelihoods"][0] - t["log_likelihoods"][1]) for t in shown]
    assert gaps == sorted(gaps, reverse=True)


def test_settings_reach_the_model(client):
    base = client.post("/v1/similarity", json={"pairs": [GUITAR], **SMALL}).json()
    for name, value in {
        "seed": 7,
        "temperature": 0.5,
        "top_k": 3,
        "top_p": 0.5,
        "prompt": "implies",
        "full_stop": False,
        "score_law": "model",
        "distance": "l2",
    }.items():
        other = client.post("/v1/similarity", json={"pairs": [GUITAR], **SMALL, name: value})
        assert other.status_code == 200
        assert other.json()["fingerprint"]["id"] != base["fingerprint"]["id"], name


def test_trajectories_and_likelihoods_are_the_material_of_a_comparison(client):
    texts = ["a text", "another"]
    sampled = client.post("/v1/trajectories", json={"texts": texts, **SMALL}).json()
    pooled = [t["token_ids"] for row in sampled["trajectories"] for t in row]
    matrix = client.post("/v1/likelihoods", json={"texts": texts, "continuations": pooled}).json()
    comparison = compare_pairs(ToyModel(), [tuple(texts)], CONFIG)[0]
    np.testing.assert_allclose(matrix["log_likelihoods"], comparison.log_likelihoods, atol=1e-9)
    own = [t["log_likelihood"] for t in sampled["trajectories"][0]]
    np.testing.assert_allclose(own, comparison.log_likelihoods[0, :4], atol=1e-9)
    assert [t["text"] for row in sampled["trajectories"] for t in row] == [
        t.text for t in comparison.trajectories
    ]


def test_likelihoods_of_text_and_of_token_ids_agree(client):
    body = {"texts": ["It rains.", "It rains."], "continuations": [" A", [32, 65], [32, 256]]}
    rows = client.post("/v1/likelihoods", json=body).json()["log_likelihoods"]
    assert rows[0] == rows[1]
    assert rows[0][0] == rows[0][1] != rows[0][2]


def test_a_continuation_may_have_white_space_alone(client):
    """As a model may continue a text by a line end; a text of it would be refused."""
    body = {"texts": ["It rains."], "continuations": ["\n", [10], "\u200b"]}
    (row,) = client.post("/v1/likelihoods", json=body).json()["log_likelihoods"]
    assert row[0] == row[1]


@pytest.mark.parametrize(
    ("more", "said"),
    [
        ({"n_trajectories": 3}, "there is no such field here"),
        ({"max_tokens": 3}, "there is no such field here"),
        ({"seed": 3}, "there is no such field here"),
        ({"score_law": "model", "temperature": 2}, "temperature is of the law sampled from"),
        ({"score_law": "model", "top_p": 0.5}, "top_p is of the law sampled from"),
    ],
)
def test_settings_that_change_no_likelihood_are_refused(client, more, said):
    body = {"texts": ["It rains."], "continuations": [" A"], **more}
    answer = client.post("/v1/likelihoods", json=body)
    assert answer.status_code == 422
    assert said in answer.json()["error"]["message"]


def test_settings_of_likelihoods_change_them(client):
    body = {"texts": ["It rains"], "continuations": [" A"]}
    base = client.post("/v1/likelihoods", json=body).json()["log_likelihoods"]
    settings = {"temperature": 2, "top_k": 3, "top_p": 0.5, "prompt": "meaning", "full_stop": False}
    for name, value in settings.items():
        found = client.post("/v1/likelihoods", json={**body, name: value}).json()
        assert found["log_likelihoods"] != base, name


@pytest.mark.parametrize("more", [{}, {"explain": False}, {"rows": ["a"]}])
def test_the_size_of_an_explanation_that_is_not_requested_is_refused(client, more):
    given = {} if "rows" in more else {"pairs": [GUITAR]}
    answer = client.post("/v1/similarity", json={**given, **more, "top": 3})
    assert answer.status_code == 422
    assert "give explain: true, or leave top out" in answer.json()["error"]["message"]


def test_a_repeated_text_comes_from_the_cache_with_the_same_answer(client):
    first = client.post("/v1/similarity", json={"pairs": [GUITAR]}).json()
    again = client.post("/v1/similarity", json={"pairs": [GUITAR]}).json()
    assert again["results"] == first["results"]
    assert first["usage"]["cached_tokens"] == 0
    usage = again["usage"]
    assert usage["cached_tokens"] == usage["sampled_tokens"] + usage["scored_tokens"]
    metrics = client.get("/metrics").text
    assert 'trajsim_cache_lookups_total{outcome="hit",stage="sample"} 2.0' in metrics


def test_models(client):
    card = client.get("/v1/models").json()["data"][0]
    assert card["id"] == "toy"
    assert card["limits"]["trajectories"] == 100


def test_a_model_by_its_name(client):
    assert client.get("/v1/models/toy").json() == client.get("/v1/models").json()["data"][0]
    other = client.get("/v1/models/other/model")
    assert other.status_code == 404
    assert "toy" in other.json()["error"]["message"]


@pytest.mark.parametrize("name", ESTIMATORS)
def test_a_distance_is_answered_under_its_name_or_refused(client, name):
    """What whitens by a bank of texts was answered without one, as another distance."""
    answer = client.post("/v1/similarity", json={"pairs": [GUITAR], **SMALL, "distance": name})
    if ESTIMATORS[name].reads_distributions:
        assert answer.status_code == 501
        assert "of any model" in answer.json()["error"]["message"]
    elif ESTIMATORS[name].needs_bank:
        assert answer.status_code == 422
        allowed = ", ".join(WITHOUT_BANK)
        assert answer.json()["error"]["message"].endswith(
            f"unknown distance {name!r}; allowed: {allowed}"
        )
    else:
        assert answer.json()["fingerprint"]["settings"]["distance"] == name
