"""Bodies of a few megabytes that would take seconds or gigabytes: refused, or read with little."""

import threading
import tracemalloc
from concurrent.futures import ThreadPoolExecutor

import pytest
from pydantic import ValidationError

from service.engine.exceptions import RequestTooLargeError
from service.http import json_body
from service.http.problems import place_of
from service.http.schemas.openai import EmbeddingsRequest
from service.http.schemas.tokens import DecodeRequest

HEADERS = {"content-type": "application/json"}
MANY = 10_000
ROWS = b"[" + b",".join([b"[]"] * MANY) + b"]"
MANY_LISTS = b'{"texts": ["a", "b"], "more": [' + b",".join([ROWS] * 14) + b"]}"


def peak_of(function):
    """Return what a function returns, and the bytes that it took at most."""
    tracemalloc.start()
    try:
        return function(), tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()


def test_more_lists_than_any_request_has_are_refused_unparsed(client, monkeypatch):
    with monkeypatch.context() as patch:
        patch.setattr(json_body.json, "loads", lambda *_, **__: pytest.fail("it was parsed"))
        answer = client.post("/v1/dedupe", content=MANY_LISTS, headers=HEADERS)
    assert answer.status_code == 413
    assert "lists and objects" in answer.json()["error"]["message"]


@pytest.mark.parametrize("objects", [1, 300])
def test_more_fields_than_any_request_has_are_refused_unparsed(client, monkeypatch, objects):
    one = b"{" + b",".join(b'"k%d":1' % number for number in range(300_000 // objects)) + b"}"
    content = b'{"texts": ["a", "b"], "more": [' + b",".join([one] * objects) + b"]}"
    with monkeypatch.context() as patch:
        patch.setattr(json_body.json, "loads", lambda *_, **__: pytest.fail("it was parsed"))
        answer = client.post("/v1/dedupe", content=content, headers=HEADERS)
    assert answer.status_code == 413
    assert "fields in all objects of the body" in answer.json()["error"]["message"]


@pytest.mark.parametrize("encoding", ["utf-16-le", "utf-16-be", "utf-32-le"])
def test_lists_in_another_encoding_do_not_pass_the_bound(encoding):
    """A byte of "\u2261" is that of a quotation mark: the lists looked as if within a string."""
    content = ('{"\u2261":0,' + MANY_LISTS.decode()[1:]).encode(encoding)
    with pytest.raises((json_body.HTTPException, RequestTooLargeError)):
        json_body.parsed(content, 16_384)


def test_brackets_within_texts_are_no_lists():
    text = '[{\\"a\\": [' * MANY
    content = b'{"texts": ["' + text.encode() * 7 + b'"], "more": [{}]}'
    assert content.count(b"[") + content.count(b"{") > json_body.CONTAINERS_OF_ITEM * 16_384
    assert json_body.parsed(content, 16_384)["texts"][0].startswith('[{"a": [')


def test_colons_within_texts_are_no_fields():
    content = b'{"texts": ["' + b"a: " * (json_body.FIELDS_OF_ITEM * 16_384 + 1) + b'"]}'
    assert json_body.parsed(content, 16_384)["texts"][0].startswith("a: a: ")


def test_a_string_without_end_is_looked_through_once():
    content = b'["' + b'\\"[' * 2**20
    with pytest.raises(json_body.HTTPException, match="the body is not JSON"):
        json_body.parsed(content, 16_384)


def test_long_bodies_are_parsed_one_after_the_other(client, monkeypatch):
    free, read = threading.Semaphore(1), json_body.json.loads

    def loads(*given, **options):
        assert free.acquire(blocking=False), "two bodies were parsed at once"
        try:
            threading.Event().wait(0.05)
            return read(*given, **options)
        finally:
            free.release()

    monkeypatch.setattr(json_body.json, "loads", loads)
    content = b'{"texts": ["a", "b"], "more": "' + b"x" * json_body.PARSED_AT_ONCE + b'"}'

    def status(_number):
        return client.post("/v1/dedupe", content=content, headers=HEADERS).status_code

    with ThreadPoolExecutor(8) as pool:
        assert set(pool.map(status, range(8))) == {422}


@pytest.mark.parametrize(
    ("schema", "field"), [(DecodeRequest, "ids"), (EmbeddingsRequest, "input")]
)
@pytest.mark.parametrize("wrong", ["", -1, 2**31])
def test_of_a_list_of_lists_of_mistakes_a_few_are_found(schema, field, wrong):
    with pytest.raises(ValidationError) as error:
        schema.model_validate({field: [[wrong] * 100] * 30})
    assert error.value.error_count() < 100


def test_the_place_of_a_text_is_found_without_copies_of_all_others():
    body = {"more": [[0, "b"] * MANY] * 3, "inputs": ["c", "a"]}
    place, peak = peak_of(lambda: place_of("a", body))
    assert place == "inputs[1]"
    assert peak < 2**16


def test_tokens_that_would_make_too_large_an_answer_are_refused(open_client):
    client = open_client(max_answer_bytes=100_000)
    answer = client.post("/tokenize", json={"inputs": ["a b c d e"] * 400})
    assert answer.status_code == 413
    assert "bytes of answer" in answer.json()["error"]["message"]
    assert client.post("/tokenize", json={"inputs": ["a b c d e"] * 40}).status_code == 200


@pytest.mark.parametrize("pad", ["", "p" * json_body.PARSED_AT_ONCE])
@pytest.mark.parametrize("depth", [200, 945, 5_000, 60_000])
def test_documents_that_are_nested_deeply_are_refused(client, pad, depth):
    nested = "[" * depth + "]" * depth
    content = f'{{"query": "a b", "documents": [{{"text": "c", "x": {nested}}}], "pad": "{pad}"}}'
    answer = client.post("/rerank", content=content, headers=HEADERS)
    assert answer.status_code == 413
    assert "levels" in answer.json()["error"]["message"]
    assert answer.json()["error"]["code"] == "request_too_large"
    flat = content.replace(nested, "[[1]]")
    assert client.post("/rerank", content=flat, headers=HEADERS).status_code == 200


def test_a_long_name_is_not_repeated_whole(client):
    answer = client.post("/v1/similarity", json={"pairs": [["a", "b"]], "distance": "x" * MANY})
    assert answer.status_code == 422
    assert len(answer.content) < 2_000
