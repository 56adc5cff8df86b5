"""POST /v1/embeddings, against the examples of OpenAI's documentation."""

import base64
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest

from service.engine.request_model import RequestModel
from similarity.models.toy import ToyModel
from similarity.vectors import MeaningVectors, fit, save
from tests.service.test_dialects import assert_has_shape
from tests.similarity.vectors.conftest import TOY_CONFIG

TEXTS = ["The food was delicious and the waiter...", "It rains.", "A dog runs."]
REQUEST = {
    "input": TEXTS[0],
    "model": "text-embedding-ada-002",
    "encoding_format": "float",
}
RECORDED = {
    "object": "list",
    "data": [{"object": "embedding", "embedding": [0.0023064255] * 8, "index": 0}],
    "model": "text-embedding-ada-002",
    "usage": {"prompt_tokens": 8, "total_tokens": 8},
}


@pytest.fixture(scope="module")
def fitted(toy_model: ToyModel) -> MeaningVectors:
    config = TOY_CONFIG
    return fit(toy_model, [f"{i} texts of {i * i} letters" for i in range(60)], config)


@pytest.fixture
def vectors(fitted: MeaningVectors) -> MeaningVectors:
    """Return what the default preset compares by: the texts' own words are no part of it."""
    return fitted.only("profile")


@pytest.fixture
def folder(fitted: MeaningVectors, tmp_path: Path) -> str:
    save(fitted, tmp_path)
    return str(tmp_path)


def test_the_answer_has_the_shape_of_the_recorded_one(open_client, folder):
    dimensions = len(RECORDED["data"][0]["embedding"])
    body = {**REQUEST, "dimensions": dimensions}
    answer = open_client(vectors=folder).post("/v1/embeddings", json=body)
    assert answer.status_code == 200, answer.text
    assert_has_shape(answer.json(), RECORDED)
    assert answer.json()["model"] == "toy"


def test_vectors_are_the_librarys(open_client, folder, vectors):
    client = open_client(vectors=folder)
    answer = client.post("/v1/embeddings", json={"input": [*TEXTS, TEXTS[0]]}).json()
    assert [item["index"] for item in answer["data"]] == [0, 1, 2, 3]
    rows = np.array([item["embedding"] for item in answer["data"]])
    np.testing.assert_allclose(rows, vectors.encode([*TEXTS, TEXTS[0]]), atol=1e-6)
    expected = sum(vectors.tokens([*TEXTS, TEXTS[0]]))
    assert answer["usage"] == {"prompt_tokens": expected, "total_tokens": expected}


@pytest.mark.parametrize("preset", ["fast", "best"])
def test_vectors_are_of_the_preset_of_the_request_or_the_service(
    open_client, folder, fitted, preset
):
    groups = {"fast": ("profile",), "best": ("profile", "trigrams")}[preset]
    expected = fitted.only(*groups).encode(TEXTS)
    body = {"input": TEXTS}
    for client, asked in (
        (open_client(vectors=folder), {**body, "preset": preset}),
        (open_client(vectors=folder, preset=preset), body),
    ):
        answer = client.post("/v1/embeddings", json=asked).json()
        rows = np.array([item["embedding"] for item in answer["data"]])
        np.testing.assert_allclose(rows, expected, atol=1e-6)
        pair = {"pairs": [TEXTS[:2]], "preset": preset}
        score = client.post("/v1/similarity", json=pair).json()["results"][0]
        assert 1 - rows[0] @ rows[1] == pytest.approx(score["distance"], abs=1e-6)


def test_a_service_of_the_paper_embeds_by_meaning(open_client, folder, vectors):
    client = open_client(vectors=folder, preset="paper")
    answer = client.post("/v1/embeddings", json={"input": TEXTS}).json()
    rows = np.array([item["embedding"] for item in answer["data"]])
    np.testing.assert_allclose(rows, vectors.encode(TEXTS), atol=1e-6)


def test_base64_is_of_little_endian_floats(open_client, folder, vectors):
    body = {"input": TEXTS, "encoding_format": "base64", "dimensions": 3}
    answer = open_client(vectors=folder).post("/v1/embeddings", json=body).json()
    packed = [base64.b64decode(item["embedding"]) for item in answer["data"]]
    rows = np.array([np.frombuffer(one, dtype="<f4") for one in packed])
    np.testing.assert_allclose(rows, vectors.encode(TEXTS, dimensions=3), atol=1e-6)


def test_requests_at_once_share_calls_and_stay_apart(open_client, folder, vectors):
    client = open_client(vectors=folder)
    gate = threading.Barrier(6)

    def ask(number: int) -> list[float]:
        gate.wait()
        found = client.post("/v1/embeddings", json={"input": f"text {number % 3}"})
        return found.json()["data"][0]["embedding"]

    with ThreadPoolExecutor(6) as pool:
        rows = np.array(list(pool.map(ask, range(6))))
    expected = vectors.encode([f"text {number % 3}" for number in range(6)])
    np.testing.assert_allclose(rows, expected, atol=1e-6)
    again = client.post("/v1/embeddings", json={"input": "text 0"})
    assert again.json()["data"][0]["embedding"] == rows[0].tolist()
    metrics = client.get("/metrics").text
    assert 'trajsim_cache_lookups_total{outcome="hit",stage="embed"}' in metrics


@pytest.mark.parametrize(
    ("body", "status", "code"),
    [
        ({"input": []}, 422, "invalid_request"),
        ({"input": " "}, 422, "invalid_request"),
        ({"input": [1212, 318], "tokenizer": "model"}, 422, "invalid_text"),
        ({"input": [[65, 66], []]}, 422, "invalid_request"),
        ({"input": [[65, 66], [32]], "tokenizer": "model"}, 422, "invalid_text"),
        ({"input": [65, 66]}, 422, "invalid_text"),
        ({"input": ["a", 65]}, 422, "invalid_request"),
        ({"input": "a", "encoding_format": "int8"}, 422, "invalid_request"),
        ({"input": "a", "preset": "paper"}, 422, "invalid_request"),
        ({"input": "a", "preset": "trajectories"}, 422, "invalid_setting"),
        ({"input": "a", "dimensions": 0}, 422, "invalid_request"),
        ({"input": "a", "dimensions": 65}, 422, "invalid_setting"),
        ({"input": "a" * 5000}, 422, "text_too_long"),
        ({"input": [str(i) for i in range(2_049)]}, 413, "request_too_large"),
    ],
)
def test_what_cannot_be_answered(open_client, folder, body, status, code):
    answer = open_client(vectors=folder).post("/v1/embeddings", json=body)
    assert (answer.status_code, answer.json()["error"]["code"]) == (status, code)


def test_token_ids_are_the_text_that_they_stand_for(open_client, folder):
    client = open_client(vectors=folder)
    texts = client.post("/v1/embeddings", json={"input": TEXTS[1:], "encoding_format": None})
    ids = [list(ToyModel().encode(text)) for text in TEXTS[1:]]
    tokens = client.post("/v1/embeddings", json={"input": ids, "tokenizer": "model"})
    assert tokens.json()["data"] == texts.json()["data"]
    one = client.post("/v1/embeddings", json={"input": ids[0], "tokenizer": "model"})
    assert one.json()["data"] == texts.json()["data"][:1]


def test_texts_in_objects_as_jinas_clients_write_them(open_client, folder):
    client = open_client(vectors=folder)
    plain = client.post("/v1/embeddings", json={"input": TEXTS}).json()
    objects = [{"text": text} for text in TEXTS]
    for given in (objects, [TEXTS[0], *objects[1:]]):
        assert client.post("/v1/embeddings", json={"input": given}).json() == plain
    one = client.post("/v1/embeddings", json={"input": objects[0]})
    assert one.json()["data"] == plain["data"][:1]


@pytest.mark.parametrize(
    ("others", "usual"),
    [
        ({"embedding_type": "base64"}, {"encoding_format": "base64"}),
        ({"embedding_type": "base64", "encoding_format": None}, {"encoding_format": "base64"}),
        ({"embedding_type": "float", "encoding_format": "float"}, {}),
        ({"output_dimension": 3}, {"dimensions": 3}),
        ({"output_dimension": 3, "dimensions": 3}, {"dimensions": 3}),
        ({"output_dtype": "float", "encoding_format": "base64"}, {"encoding_format": "base64"}),
        # What clients send that want what there is.
        (
            {
                "embedding_type": None,
                "output_dimension": None,
                "output_dtype": None,
                "late_chunking": False,
                "return_multivector": False,
                "return_tokenized_input": False,
                "embed_dtype": "float32",
                "endianness": "native",
                "task": "retrieval.query",
                "input_type": "query",
                "user": "a",
                "priority": 1,
            },
            {},
        ),
    ],
)
def test_names_of_jina_voyage_and_vllm(open_client, folder, others, usual):
    """What they asked for was ignored, and the answer had other vectors than they wanted."""
    client = open_client(vectors=folder)
    answer = client.post("/v1/embeddings", json={"input": TEXTS, **others})
    assert answer.status_code == 200, answer.text
    expected = client.post("/v1/embeddings", json={"input": TEXTS, **usual}).json()
    assert answer.json()["data"] == expected["data"]


@pytest.mark.parametrize(
    ("field", "value", "message"),
    [
        ("embedding_type", "ubinary", "give float or base64"),
        ("embedding_type", ["float", "base64"], "give float or base64, and no list"),
        ("output_dtype", "int8", "give float, or POST /v2/embed for binary"),
        ("encoding_format", "int8", "give float or base64, and no list, or POST /v2/embed for oth"),
        ("embedding_types", ["int8"], "this route has encoding_format and embedding_type in its"),
        ("embedding_types", "float", "this route has encoding_format and embedding_type in its"),
        ("embed_dtype", "float16", "little-endian float32 here; leave it out"),
        ("endianness", "big", "little-endian float32 here; leave it out"),
        ("late_chunking", True, "each text is read by itself here; leave it out"),
        ("return_multivector", True, "POST /embed_all for the states of its tokens"),
        ("return_tokenized_input", True, "POST /tokenize for the tokens of texts"),
        (
            "messages",
            [{"role": "user", "content": "a"}],
            "there are no conversations here; give texts",
        ),
        ("output_dimension", 0, "greater than or equal to 1"),
    ],
)
def test_what_changes_the_answer_of_others_and_is_not_here_is_refused(
    open_client, folder, field, value, message
):
    body = {"input": "a", field: value}
    answer = open_client(vectors=folder).post("/v1/embeddings", json=body)
    assert answer.status_code == 422, answer.text
    error = answer.json()["error"]
    assert error["param"] == field
    assert message in error["message"]


@pytest.mark.parametrize(
    "body",
    [
        {"encoding_format": "float", "embedding_type": "base64"},
        {"dimensions": 3, "output_dimension": 4},
        {"embedding_types": ["float"], "encoding_format": "base64"},
    ],
)
def test_two_names_of_one_thing_must_agree(open_client, folder, body):
    answer = open_client(vectors=folder).post("/v1/embeddings", json={"input": "a", **body})
    assert answer.status_code == 422
    first, second = body
    expected = f"{first} and {second} contradict each other; give one"
    assert expected in answer.json()["error"]["message"]


@pytest.mark.parametrize(
    ("path", "texts", "field"),
    [
        ("/v1/embeddings", {"input": "a"}, "dimensions"),
        ("/v1/embeddings", {"input": "a"}, "output_dimension"),
        ("/v1/embed", {"texts": ["a"]}, "output_dimension"),
        ("/v2/embed", {"texts": ["a"]}, "output_dimension"),
        ("/embed", {"inputs": "a"}, "dimensions"),
        ("/", {"inputs": "a"}, "dimensions"),
    ],
)
def test_a_width_that_no_vector_has_is_named_as_it_was_sent(
    open_client, folder, path, texts, field
):
    """Under the names of Voyage and Cohere the message was of `dimensions`, and the field null."""
    answer = open_client(vectors=folder).post(path, json={**texts, field: 10**6})
    error = answer.json()["error"]
    assert (answer.status_code, error["param"]) == (422, field)
    assert error["message"].startswith(f"{field} must be between 1 and ")


def test_two_thousand_inputs(open_client, folder):
    client = open_client(vectors=folder)
    body = {"input": [f"{i % 40}" for i in range(2_048)], "dimensions": 2}
    assert len(client.post("/v1/embeddings", json=body).json()["data"]) == 2_048


def test_equal_inputs_share_one_vector(shared, vectors):
    """Each of 2,048 was computed and held, though they were of four texts: 80 MB for a request."""
    together = shared(vectors.model, vectors=vectors)
    found = RequestModel(together).embed(["A dog runs.", "It rains."] * 50)
    assert len(found) == 100
    assert all(row.base is found[0].base for row in found)
    assert len(found[0].base) == 2
    np.testing.assert_array_equal(found[0], found[98])


def test_text_embeddings_inference(open_client, folder):
    client = open_client(vectors=folder)
    openai = client.post("/v1/embeddings", json={"input": TEXTS}).json()
    rows = client.post("/embed", json={"inputs": TEXTS, "truncate": True, "normalize": True})
    assert rows.json() == [item["embedding"] for item in openai["data"]]
    one = client.post("/embed", json={"inputs": TEXTS[0]})
    assert one.json() == rows.json()[:1]
    info = client.get("/info").json()
    assert (info["model_id"], info["max_client_batch_size"]) == ("toy", 2_048)
