"""POST /v1/consensus."""

import pytest

TEXTS = ["the sea", "0123 4567", "the sea", "the sea."]


def test_it_groups_what_agrees(client):
    body = {"texts": TEXTS, "threshold": 0.999}
    answer = client.post("/v1/consensus", json=body)
    assert answer.status_code == 200, answer.text
    content = answer.json()
    assert [group["members"] for group in content["groups"]] == [[0, 2, 3], [1]]
    assert content["answer"] == "the sea"
    assert content["entropy"] == pytest.approx(0.562335, abs=1e-6)
    weighed = client.post("/v1/consensus", json={**body, "log_probs": [-9, -1, -9, -9]}).json()
    assert weighed["answer"] == "0123 4567"


def test_a_question_is_read_with_each_text(client):
    one = client.post("/v1/consensus", json={"texts": TEXTS, "question": "Blue?"}).json()
    asked = client.post("/v1/consensus", json={"texts": TEXTS, "question": "What is blue?"}).json()
    assert asked["usage"]["scored_tokens"] > one["usage"]["scored_tokens"]


def test_what_is_refused(open_client):
    client = open_client(max_characters=50, max_cells=100)
    for body, status in (
        ({"texts": []}, 422),
        ({"texts": [" "]}, 422),
        ({"texts": ["a"], "threshold": 2}, 422),
        ({"texts": ["a", "b"], "log_probs": [0.0]}, 422),
        ({"texts": ["a", "b"], "log_probs": [-1.0, 0.5]}, 422),
        ({"texts": ["a" * 30], "question": "b" * 30}, 413),
        ({"texts": ["a"] * 11}, 413),
    ):
        assert client.post("/v1/consensus", json=body).status_code == status, body
