"""Large bodies are read, and their requests prepared, off the event loop."""

import asyncio
import json
import threading
from collections import Counter

import pytest
from fastapi._compat.v2 import ModelField
from hypothesis import given, settings
from hypothesis import strategies as st

from service.http import call, json_body, json_stream, problems
from service.http.schemas import json_object
from tests.service.test_answers import GROWING, OTHERS, REFUSING, embedded

__all__ = ["embedded"]

HEADERS = {"content-type": "application/json"}
# White space makes a body of any dialect long.
PAD = " " * (json_body.PARSED_AT_ONCE + 1)
BODIES = [*((path, body(2)) for path, body in [*GROWING.items(), *OTHERS])]
WRONG = [None, [], "a", 1, {}, {"model": "a"}, {"model": 1}]


def on_loop():
    return asyncio._get_running_loop() is not None


def answer_to(client, path, body, pad):
    """Return the status and the answer, without what differs for each request."""
    answer = client.post(path, content=json.dumps(body) + pad, headers=HEADERS)
    content = answer.json()
    if isinstance(content, dict):
        content = {
            name: value for name, value in content.items() if name not in {"id", "usage", "created"}
        }
        content.get("error", {}).pop("request_id", None)
    return answer.status_code, content


@pytest.mark.longer
@pytest.mark.parametrize(("path", "body"), [*BODIES, *((path, {}) for path in sorted(REFUSING))])
def test_fields_of_a_long_body_are_checked_off_the_event_loop(
    open_client, embedded, path, body, monkeypatch
):
    """A body of 550 kB was parsed in a thread, and its fields took the loop 0.4 s."""
    client = open_client(embedded, preset=None)
    seen, validate = [], ModelField.validate

    def record(self, value, *rest, **named):
        found, mistakes = validate(self, value, *rest, **named)
        if self.mode == "validation":
            seen.append((on_loop(), value, found))
        return found, mistakes

    monkeypatch.setattr(ModelField, "validate", record)
    client.post(path, content=json.dumps(body) + PAD, headers=HEADERS)
    assert [value for loop, value, _ in seen if not loop] == [body]
    # What is left to the loop takes what was made as it is.
    assert all(found is value for loop, value, found in seen if loop)


@pytest.mark.longer
@pytest.mark.parametrize(("path", "body"), BODIES)
def test_long_bodies_are_answered_as_short_ones(open_client, embedded, path, body):
    client = open_client(embedded, preset=None)
    (name, value), *_ = body.items()
    mistakes = [{**body, name: wrong} for wrong in (None, [], 1, [1], [value, None], {"a": 1})]
    for one in [body, {**body, "unknown": [1]}, *mistakes, *WRONG]:
        short, long = (answer_to(client, path, one, pad) for pad in ("", PAD))
        assert short == long


@pytest.mark.longer
@pytest.mark.parametrize(("path", "body"), [*GROWING.items(), *OTHERS])
def test_nothing_is_called_on_the_event_loop_for_each_item(
    open_client, embedded, path, body, monkeypatch
):
    """Of 16,000 documents that took 0.2 s twice: for their texts, and for the answer."""
    called: Counter[str] = Counter()

    def note(frame, event, _):
        code = frame.f_code
        own = "/service/" in code.co_filename or "/similarity/" in code.co_filename
        if event != "call" or not own or code.co_name.startswith("<") or not on_loop():
            return
        while frame is not None:
            # What is written piece by piece lets others have their turn.
            if frame.f_code is json_stream._chunks.__code__ or frame.f_code.co_name == "send":
                return
            frame = frame.f_back
        called[f"{code.co_filename}:{code.co_qualname}"] += 1

    monkeypatch.setattr(call, "ITEMS_AT_ONCE", 1)
    threading.setprofile(note)
    try:
        client = open_client(embedded, preset=None, probe_seconds=1_000)
        counts = []
        for count in (2, 42):
            called.clear()
            content = json.dumps(body(count)) + PAD
            assert client.post(path, content=content, headers=HEADERS).status_code == 200
            counts.append(dict(called))
    finally:
        threading.setprofile(None)
    assert counts[0]
    grown = {name: n - counts[0].get(name, 0) for name, n in counts[1].items()}
    assert {name: n for name, n in grown.items() if n >= 40} == {}


@pytest.mark.parametrize(("path", "body"), [*GROWING.items(), *OTHERS])
def test_no_answer_is_checked_or_written_on_the_event_loop(
    open_client, embedded, path, body, monkeypatch
):
    """The texts of 15,000 rows of token ids took the loop 0.1 s, as they were checked again."""
    written = []

    def record(*given, **named):
        written.append(given)

    monkeypatch.setattr("fastapi.routing.serialize_response", record)
    answer = open_client(embedded, preset=None).post(path, json=body(2))
    assert answer.status_code == 200
    assert written == []


def test_a_text_is_looked_for_off_the_event_loop(open_client, monkeypatch):
    """Among 16,000 documents of some objects that took 0.4 s."""
    client = open_client(max_characters=10)
    found, place_of = [], problems.place_of

    def record(text, body):
        if text is not None:
            found.append(on_loop())
        return place_of(text, body)

    monkeypatch.setattr(problems, "place_of", record)
    body = {"query": "a", "documents": [{"x": [{}]}, "b" * 11], "rank_fields": ["x"]}
    answer = client.post("/rerank", json={**body, "truncation": False})
    assert answer.json()["error"]["param"] == "documents[1]"
    assert found
    assert not any(found)


VALUES = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.text(st.characters() | st.just("\ud800"), max_size=3),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(st.text("a\udc00", max_size=2), inner, max_size=3)
    ),
    max_leaves=8,
)


@settings(max_examples=300)
@given(st.dictionaries(st.text("ab\ud800", max_size=2), VALUES, max_size=3))
def test_what_cannot_be_written_has_a_place(content):
    assert json_object._is_written(content) == (json_object._fault_in(content) is None)


def test_no_place_is_looked_for_where_there_is_no_fault(client, monkeypatch):
    monkeypatch.setattr(json_object, "_fault_in", lambda _: pytest.fail("it was looked for"))
    body = {"query": "a", "documents": [{"text": "a", "x": [{}, [1.5, None, "\u00e9"]]}]}
    assert client.post("/rerank", json=body).status_code == 200
