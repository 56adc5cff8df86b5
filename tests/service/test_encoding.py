"""Texts are encoded outside of the scheduler, and no longer than somebody waits for the answer."""

import threading

import pytest

from similarity.errors import BackendUnavailableError
from similarity.models.toy import ToyModel
from tests.service.servers import eventually

DISTINCT = [f"text {number} of several" for number in range(200)]
LONG = [f"{number} {'long ' * 1_000}" for number in range(40)]
# Those that are encoded together, once more than that.
FEW = 40


class Stuck(ToyModel):
    """Encodes nothing for a request until it is free; it is away once one has begun."""

    def __init__(self):
        super().__init__()
        self.free = threading.Event()
        self.free.set()
        self.encoded = 0

    def check_alive(self):
        if self.encoded and not self.free.is_set():
            raise BackendUnavailableError("connection refused")

    def encode(self, text):
        if threading.current_thread().name == "request":
            self.encoded += 1
            assert self.free.wait(20)
        return super().encode(text)


@pytest.mark.parametrize(
    ("path", "body"),
    [
        ("/v1/similarity", {"rows": LONG, "preset": "fast", "truncate": "end"}),
        ("/v1/cluster", {"texts": LONG, "preset": "fast", "truncate": "start"}),
        ("/v1/dedupe", {"texts": LONG, "preset": "fast", "truncate": "end"}),
        ("/v1/cluster", {"texts": LONG, "preset": "paper", "truncate": "end"}),
        ("/v1/embeddings", {"model": "toy", "input": LONG, "truncate_prompt_tokens": -1}),
        ("/v1/consensus", {"texts": DISTINCT}),
        ("/v1/consensus", {"texts": DISTINCT, "question": "Which?"}),
        ("/v1/entailment", {"pairs": [["a", "b"]], "estimator": "weeds-even"}),
    ],
)
def test_a_request_ends_with_its_answer_while_its_texts_are_encoded(path, body, open_client):
    """Else its thread, and its texts, stay; and no answer comes before the deadline."""
    model = Stuck()
    # Other tests may have left threads that wait.
    before = set(threading.enumerate())
    # As long as several probes: what is not ended before gets 504.
    client = open_client(model, probe_seconds=0.1, deadline_seconds=5)
    model.free.clear()
    answer = client.post(path, json=body)
    assert model.encoded > 0
    model.free.set()
    assert eventually(
        lambda: all(thread.name != "request" for thread in set(threading.enumerate()) - before)
    )
    assert (answer.status_code, model.encoded <= FEW) == (503, True), (answer.text, model.encoded)
