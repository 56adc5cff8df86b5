"""Answers are bounded before any work, computed once where texts repeat, and streamed if large."""

import asyncio
import json
import re
import socket
import time
from contextlib import ExitStack
from types import SimpleNamespace

import httpx
import numpy as np
import pytest

import similarity
from service.engine.exceptions import BusyError
from service.http.app import ROUTES
from service.http.json_stream import CHUNK_BYTES, JsonArray, answer_size, json_answer
from service.http.room import Room
from service.http.writing import Writing
from similarity.models.toy import ToyModel
from tests.service.models import FaultyModel
from tests.service.servers import eventually, running, serving
from tests.service.test_embeddings import fitted, folder, vectors  # noqa: F401

pytestmark = pytest.mark.longer

SMALL = {"n_trajectories": 2, "max_tokens": 3}


@pytest.fixture(scope="module")
def embedded():
    return similarity.load_model("embedded")


def post(client, path, **body):
    return client.post(path, json=body)


@pytest.mark.parametrize(
    ("path", "body", "needle"),
    [
        ("/v1/embeddings", {"input": ["a"] * 20_000}, "20000 items in input"),
        ("/v1/embeddings", {"input": ["a"] * 9}, "9 items in input"),
        ("/v1/similarity", {"pairs": [["a", "b"]] * 9}, "9 items in pairs"),
        ("/v1/similarity", {"source": "a", "targets": ["b"] * 9}, "9 items in targets"),
        ("/v1/similarity", {f"k{i}": 1 for i in range(2_000)}, "2000 fields in all objects"),
        ("/v1/similarity", {"rows": ["a"] * 8, "columns": ["a", "b"]}, "16 cells"),
        ("/v1/similarity", {"rows": ["a"] * 5}, "25 cells"),
        ("/v1/similarity", {"rows": ["a", "b"], "explain": True}, "bytes of answer"),
        ("/v1/similarity", {"pairs": [["a", "b"]] * 8, "explain": True}, "bytes of answer"),
        ("/similarity", {"inputs": {"source_sentence": "a", "sentences": ["b"] * 9}}, "9 items"),
        ("/score", {"text_1": "a", "text_2": ["b"] * 9}, "9 items in text_2"),
        ("/v2/rerank", {"query": "a", "documents": ["b"] * 9}, "9 items in documents"),
        ("/v1/trajectories", {"texts": ["a"] * 8, "n_trajectories": 50}, "bytes of answer"),
        ("/v1/likelihoods", {"texts": ["a"] * 3, "continuations": [[1]] * 8}, "24 cells"),
    ],
)
def test_small_requests_with_huge_answers_are_refused_before_any_work(
    open_client, path, body, needle
):
    model = FaultyModel()
    limits = {"max_items": 8, "max_cells": 10, "max_answer_bytes": 4_000}
    client = open_client(model, probe_seconds=1_000, **limits)
    probes = len(model.scored)
    answer = client.post(path, json=body)
    assert answer.status_code == 413, answer.text
    assert answer.json()["error"]["code"] == "request_too_large"
    assert needle in answer.json()["error"]["message"]
    assert model.sampled == []
    # The model may be probed meanwhile.
    assert len(model.scored) - probes <= 1


@pytest.mark.parametrize(
    ("path", "body"),
    [
        ("/v1/likelihoods", {"texts": ["a"], "continuations": [[1]] * 8}),
        ("/similarity", {"inputs": {"source_sentence": "a", "sentences": ["b"] * 8}}),
        ("/score", {"text_1": "a", "text_2": ["b"] * 8}),
        ("/rerank", {"query": "a", "documents": ["b"] * 8}),
        ("/rerank", {"query": "a", "texts": ["b"] * 8}),
    ],
)
def test_numbers_that_are_too_many_are_refused_before_any_work(open_client, path, body):
    model = FaultyModel()
    client = open_client(model, probe_seconds=1_000, max_answer_bytes=100)
    probes = len(model.scored)
    answer = client.post(path, json=body)
    assert answer.status_code == 413, answer.text
    assert "bytes of answer" in answer.json()["error"]["message"]
    assert model.sampled == []
    assert len(model.scored) - probes <= 1


# A request of each route, by the number of texts in it, whose answer grows with them.
GROWING = {
    "/v1/similarity": lambda n: {"source": "a", "targets": some(n)},
    "/v1/entailment": lambda n: {"pairs": [[text, "b"] for text in some(n)]},
    "/v1/consensus": lambda n: {"texts": some(n)},
    "/v1/cluster": lambda n: {"texts": some(n), "k": 2},
    "/v1/dedupe": lambda n: {"texts": some(n)},
    "/v1/trajectories": lambda n: {"texts": some(n), **SMALL},
    "/v1/likelihoods": lambda n: {"texts": some(n), "continuations": ["a"] * 4},
    "/": lambda n: {"inputs": some(n)},
    "/similarity": lambda n: {"inputs": {"source_sentence": "a", "sentences": some(n)}},
    "/embed": lambda n: {"inputs": some(n)},
    "/embed_all": lambda n: {"inputs": some(n)},
    "/tokenize": lambda n: {"inputs": some(n)},
    "/decode": lambda n: {"ids": [[1, 2, 3, 4]] * n},
    "/detokenize": lambda n: {"tokens": [1, 2, 3, 4] * n},
    "/score": lambda n: {"text_1": "a", "text_2": some(n)},
    "/v1/score": lambda n: {"text_1": "a", "text_2": some(n)},
    "/rerank": lambda n: {"query": "a", "documents": some(n)},
    "/v1/rerank": lambda n: {"query": "a", "documents": some(n)},
    "/v2/rerank": lambda n: {"query": "a", "documents": some(n)},
    "/v1/embed": lambda n: {"texts": some(n), "model": "m", "input_type": "classification"},
    "/v2/embed": lambda n: {"texts": some(n), "model": "m", "input_type": "classification"},
    "/v1/embeddings": lambda n: {"input": some(n)},
}
OTHERS = [
    ("/v1/similarity", lambda n: {"rows": some(n), "columns": ["a", "b"]}),
    ("/v1/similarity", lambda n: {"rows": some(n), "columns": ["a", "b"], "explain": True}),
    ("/", lambda n: {"inputs": {"source_sentence": "a", "sentences": some(n)}}),
    ("/tokenize", lambda n: {"prompt": " ".join(some(n))}),
    ("/rerank", lambda n: {"query": "a", "texts": some(n), "return_text": True}),
    ("/v1/rerank", lambda n: {"query": "a", "documents": some(n), "top_k": n}),
    ("/v1/embeddings", lambda n: {"input": some(n), "encoding_format": "base64"}),
    (
        "/v2/embed",
        lambda n: {
            **GROWING["/v2/embed"](n),
            "embedding_types": ["float", "base64", "binary", "ubinary"],
        },
    ),
]
# Routes that refuse whatever they are given.
REFUSING = {"/predict", "/embed_sparse"}


def some(count):
    return [f"a man rides horse {number}" for number in range(count)]


def test_each_route_that_takes_a_body_is_among_those_whose_answers_are_tried(client):
    routes = [route for module in ROUTES for route in module.router.routes]
    taking = {
        route.path
        for route in [*client.app.routes, *routes]
        if "POST" in (getattr(route, "methods", None) or ()) or getattr(route, "body_field", None)
    }
    assert taking == GROWING.keys() | REFUSING
    for path in REFUSING:
        assert post(client, path, inputs="a").status_code == 501


@pytest.mark.parametrize(("path", "body"), [*GROWING.items(), *OTHERS])
def test_an_answer_of_any_route_is_bounded(open_client, embedded, path, body):
    """That of some had no bound but those of requests."""
    client = open_client(embedded, preset=None)
    sizes = [len(client.post(path, json=body(n)).content) for n in (2, 40)]
    assert sizes[1] > 1.3 * sizes[0] > 0, sizes
    small = open_client(embedded, preset=None, max_answer_bytes=sum(sizes) // 2)
    refused = small.post(path, json=body(40))
    assert refused.status_code == 413, refused.text[:200]
    assert refused.json()["error"]["code"] == "request_too_large"
    assert "bytes of answer" in refused.json()["error"]["message"]
    assert small.post(path, json=body(2)).status_code == 200


@pytest.mark.parametrize(("path", "body"), [*GROWING.items(), *OTHERS])
def test_an_answer_has_no_more_bytes_than_were_counted(
    open_client, embedded, path, body, monkeypatch
):
    counted = []

    def size_of(answer):
        counted.append(answer_size(answer))
        return counted[-1]

    monkeypatch.setattr("service.http.json_body.answer_size", size_of)
    monkeypatch.setattr("service.http.json_stream.CHUNK_BYTES", 100)
    answer = open_client(embedded, preset=None).post(path, json=body(40))
    assert answer.status_code == 200, answer.text[:200]
    assert len(answer.content) <= counted[0] <= 4 * len(answer.content)


def test_an_answer_of_vectors_is_bounded(open_client, folder):  # noqa: F811
    client = open_client(vectors=folder, max_answer_bytes=3_000)
    assert post(client, "/v1/embeddings", input=["a"] * 10, dimensions=8).status_code == 200
    assert post(client, "/v1/embeddings", input=["a"] * 100, dimensions=8).status_code == 413


def test_what_repeats_is_computed_once_and_answered_as_often_as_it_stands_there(open_client):
    model = FaultyModel()
    client = open_client(model, cache_megabytes=0, probe_seconds=1_000)
    rows = ["a b", "c d", "a b"] * 50
    answer = post(client, "/v1/similarity", rows=rows, columns=["c d", "a b", "c d"], **SMALL)
    assert sum(model.sampled) <= 2 + 1
    few = post(client, "/v1/similarity", rows=["a b", "c d"], **SMALL).json()
    expected = np.array(few["distances"])[[0, 1, 0] * 50][:, [1, 0, 1]]
    np.testing.assert_array_equal(answer.json()["distances"], expected)

    pairs = [["a b", "c d"], ["c d", "a b"], ["a b", "c d"]] * 50
    many = post(client, "/v1/similarity", pairs=pairs, explain=True, top=2, **SMALL).json()
    assert len(many["results"]) == 150
    assert many["results"][::3] == [many["results"][0]] * 50
    one = post(client, "/v1/similarity", pairs=pairs[:1], explain=True, top=2, **SMALL).json()
    assert one["results"] == many["results"][:1]
    assert one["usage"] == many["usage"]


def test_a_matrix_of_rows_that_repeat_is_explained_cell_by_cell(client):
    body = {"rows": ["a b", "c d", "a b"], "explain": True, "top": 1, "interval": 0.9, **SMALL}
    answer = client.post("/v1/similarity", json=body).json()
    for name in ("similarities", "distances", "explanations", "intervals"):
        cells = answer[name]
        assert [len(row) for row in cells] == [3, 3, 3]
        assert cells[0] == cells[2]
        assert [row[0] for row in cells] == [row[2] for row in cells]


def test_streams_are_the_json_that_they_stand_for():
    for count in (0, 1, 2, 20_000):
        content = {
            "a": 1,
            "rows": JsonArray.of([b'"%d"' % i for i in range(count)]),
            "b": {"ä": None},
        }
        answer = json_answer(content)

        async def gather(answer=answer):
            if hasattr(answer, "body"):
                return [answer.body]
            return [chunk async for chunk in answer.body_iterator]

        chunks = asyncio.run(gather())
        expected = {"a": 1, "rows": [str(i) for i in range(count)], "b": {"ä": None}}
        assert json.loads(b"".join(chunks)) == expected
        assert max(map(len, chunks)) < 2 * CHUNK_BYTES


def test_clients_that_do_not_read_lose_their_connections():
    rows = ["A man is playing a guitar.", "It rains.", "Some call it a day."]
    content = json.dumps({"rows": rows * 170, **SMALL}).encode()
    head = b"POST /v1/similarity HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n"
    with serving(ToyModel(), write_seconds=0.5) as (url, server):
        connections = [socket.socket() for _ in range(3)]
        try:
            for connection in connections:
                # Less than the answer fits between the two.
                connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
                connection.connect(("127.0.0.1", int(url.rpartition(":")[2])))
                connection.sendall(head + b"Content-Length: %d\r\n\r\n" % len(content) + content)
            assert eventually(lambda: len(server.server_state.connections) >= 3)
            assert eventually(lambda: not server.server_state.connections, 20)
        finally:
            for connection in connections:
                connection.close()
        # One that reads gets all of it.
        answer = httpx.post(f"{url}/v1/similarity", content=content, headers=JSON)
        assert len(answer.content) > 6 * 2**20
        assert np.array(answer.json()["distances"]).shape == (510, 510)


JSON = {"content-type": "application/json"}


def test_a_client_that_leaves_a_large_answer_frees_it():
    body = {"rows": ["a b", "c d"] * 250, **SMALL}
    with running(ToyModel()) as url:
        for _ in range(3):
            with httpx.stream("POST", f"{url}/v1/similarity", json=body) as answer:
                next(answer.iter_bytes())
        metrics = httpx.get(f"{url}/metrics").text
        assert "trajsim_active_requests 0.0" in metrics


def test_of_answers_that_are_not_read_that_which_was_read_longest_ago_makes_room():
    """It was that whose last part was written longest ago, though its client read on meanwhile."""
    room = Room(100, "the answers are", "TRAJSIM_MAX_ANSWERS_BYTES")
    closed = []

    def writing(name, seconds_ago):
        read = time.monotonic() - seconds_ago
        app = SimpleNamespace(state=SimpleNamespace(answers=room))
        state = {"abort": lambda code: closed.append((name, code)), "read": lambda: read}
        answer = Writing({"app": app, "state": state}, None, 40)
        # As if written long ago.
        answer._read = read - 10
        return answer

    slow, silent, late = writing("slow", 7), writing("silent", 9), writing("late", 0)
    with slow, silent, late:
        assert closed == [("silent", "answer_not_read")]
        with writing("one more", 0):
            assert [name for name, _ in closed] == ["silent", "slow"]
            with pytest.raises(BusyError):
                room.hold(writing("too many", 0), 40)


def test_answers_that_are_not_read_are_bounded_together():
    """Each connection that did not read held some megabytes, and there may be hundreds."""
    rows = ["A man is playing a guitar.", "It rains.", "Some call it a day."]
    content = json.dumps({"rows": rows * 170, **SMALL}).encode()
    head = b"POST /v1/similarity HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n"
    bound = 30_000_000
    held = []
    with ExitStack() as opened:
        url, server = opened.enter_context(
            serving(ToyModel(), write_seconds=60, max_answers_bytes=bound, cache_megabytes=1)
        )

        def bytes_held():
            found = re.search(r"\ntrajsim_answers_bytes (\S+)", httpx.get(f"{url}/metrics").text)
            held.append(float(found[1]))
            return held[-1]

        def is_served():
            bytes_held()
            answer = httpx.post(f"{url}/v1/similarity", content=content, headers=JSON)
            assert answer.status_code in (200, 429), answer.text
            return answer.status_code == 200 and len(answer.json()["distances"]) == 510

        for _ in range(6):
            connection = opened.enter_context(socket.socket())
            connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
            connection.connect(("127.0.0.1", int(url.rpartition(":")[2])))
            connection.sendall(head + b"Content-Length: %d\r\n\r\n" % len(content) + content)
        assert eventually(lambda: bytes_held() > bound / 2)
        # Those that do not read make room for it.
        assert eventually(is_served, 20)
        assert eventually(lambda: server.server_state.connections and is_served(), 20)
        assert max(held) <= bound
        metrics = httpx.get(f"{url}/metrics").text
        assert 'trajsim_failures_total{code="answer_not_read"}' in metrics
    assert re.search(r'trajsim_failures_total{code="queue_full"} [1-9]', metrics)
