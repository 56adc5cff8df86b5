"""Cohere's /v1/embed and /v2/embed, against the examples of its documentation."""

import base64

import numpy as np
import pytest

from tests.service.test_dialects import assert_has_shape
from tests.service.test_embeddings import fitted, folder  # noqa: F401

REQUEST = {
    "model": "embed-v4.0",
    "input_type": "classification",
    "texts": ["hello", "goodbye"],
    "embedding_types": ["float"],
}
IMAGE = "data:image/png;base64,iVBORw0KGgo="
RECORDED = {
    "id": "da6e531f-54c5-4a73-bf92-f60566d8d753",
    "embeddings": {"float": [[0.016296387] * 3, [0.05014038] * 3]},
    "texts": ["hello", "goodbye"],
    "meta": {"api_version": {"version": "2"}, "billed_units": {"input_tokens": 2}},
}


@pytest.fixture
def client(open_client, folder):  # noqa: F811
    return open_client(vectors=folder)


def vectors_of(client, texts, **more):
    answer = client.post("/v1/embeddings", json={"input": texts, **more}).json()
    return [item["embedding"] for item in answer["data"]]


def test_vectors_by_type(client):
    answer = client.post("/v2/embed", json={**REQUEST, "output_dimension": 3}).json()
    assert_has_shape(answer, RECORDED)
    assert answer["response_type"] == "embeddings_by_type"
    assert answer["embeddings"]["float"] == vectors_of(client, REQUEST["texts"], dimensions=3)


def test_both_types_are_the_same_vectors(client):
    body = {**REQUEST, "embedding_types": ["base64", "float"]}
    found = client.post("/v2/embed", json=body).json()["embeddings"]
    for encoded, numbers in zip(found["base64"], found["float"], strict=True):
        assert np.frombuffer(base64.b64decode(encoded), "<f4").tolist() == pytest.approx(numbers)


def test_signs_are_packed_into_bytes(client):
    kinds = ["float", "ubinary", "binary"]
    for dimensions in (16, 11):
        body = {**REQUEST, "embedding_types": kinds, "output_dimension": dimensions}
        answer = client.post("/v2/embed", json=body)
        assert answer.status_code == 200, answer.text
        found = answer.json()["embeddings"]
        for numbers, unsigned, signed in zip(*(found[kind] for kind in kinds), strict=True):
            bits = "".join(str(int(number > 0)) for number in numbers).ljust(16, "0")
            assert unsigned == [int(bits[:8], 2), int(bits[8:], 2)]
            assert signed == [byte - 128 for byte in unsigned]


def test_the_first_version_gives_a_plain_list_unless_types_are_asked_for(client):
    body = {name: REQUEST[name] for name in ("model", "input_type", "texts")}
    plain = client.post("/v1/embed", json=body).json()
    assert plain["response_type"] == "embeddings_floats"
    assert plain["embeddings"] == vectors_of(client, body["texts"])
    typed = client.post("/v1/embed", json=REQUEST).json()
    assert typed["embeddings"] == {"float": plain["embeddings"]}
    assert client.post("/v2/embed", json=body).json()["embeddings"] == typed["embeddings"]


def test_inputs_of_one_text_each(client):
    inputs = [{"content": [{"type": "text", "text": text}]} for text in REQUEST["texts"]]
    body = {"model": "any", "input_type": "x", "inputs": inputs}
    found = client.post("/v2/embed", json=body).json()
    assert found["texts"] == REQUEST["texts"]
    assert found["embeddings"]["float"] == vectors_of(client, REQUEST["texts"])


@pytest.mark.parametrize(
    ("truncate", "kept"), [(None, "abcde"), ("END", "abcde"), ("START", "bcdef")]
)
def test_max_tokens_is_a_limit_of_each_text(client, truncate, kept):
    """It was ignored: texts were embedded whole."""
    body = {"texts": ["abcdef", "ab"], "max_tokens": 5, "truncate": truncate, "images": []}
    answer = client.post("/v2/embed", json=body)
    assert answer.status_code == 200, answer.text
    assert answer.json()["embeddings"]["float"] == vectors_of(client, [kept, "ab"])
    assert len(answer.json()["meta"]["warnings"]) == 1


@pytest.mark.parametrize(
    ("body", "message"),
    [
        ({"texts": []}, "texts: the list is empty; give a list of at least 1 item"),
        ({"texts": ["a", ""]}, "texts[1]: a text is empty"),
        ({}, "give texts, or inputs"),
        ({"texts": ["a"], "inputs": [{"content": [{"type": "text", "text": "a"}]}]}, "give texts"),
        (
            {"texts": ["a"], "embedding_types": ["float", "int8"]},
            "embedding_types[1]: int8 is not given, as how Cohere scales it is not public",
        ),
        ({"texts": ["a"], "embedding_types": ["uint8"]}, "or use binary or ubinary"),
        ({"texts": ["a"], "embedding_types": ["x"]}, "embedding_types[0]: Input should be"),
        (
            {"inputs": [{"content": [{"type": "image_url", "image_url": {"url": IMAGE}}]}]},
            "inputs[0].content[0].type: texts alone stand here; where the model reads images",
        ),
        ({"texts": ["a"], "images": [IMAGE]}, "images: texts alone stand here; where the"),
        ({"images": [IMAGE]}, "send them to /v1/embeddings"),
        ({"texts": ["abcdef"], "max_tokens": 5, "truncate": "NONE"}, "at most 5 are kept"),
    ],
)
def test_what_cannot_be_done_is_named(client, body, message):
    answer = client.post("/v2/embed", json=body)
    assert answer.status_code == 422
    assert message in answer.json()["error"]["message"]


@pytest.mark.parametrize(
    ("kinds", "max_bytes", "status"),
    [
        (["float"], 30_000, 200),
        (["float", "float"], 30_000, 200),
        (["float", "base64"], 30_000, 413),
        (["ubinary", "binary"], 10_000, 200),
        (["base64"], 10_000, 413),
        (None, 20_000, 413),
    ],
)
def test_an_answer_is_bounded_by_all_its_types(open_client, folder, kinds, max_bytes, status):  # noqa: F811
    """Whatever the types were, floats alone were counted."""
    client = open_client(vectors=folder, max_answer_bytes=max_bytes)
    body = {"texts": ["a"] * 100, "embedding_types": kinds, "output_dimension": 16}
    answer = client.post("/v2/embed", json=body)
    assert answer.status_code == status, answer.text
    assert status != 200 or len(answer.content) < max_bytes
