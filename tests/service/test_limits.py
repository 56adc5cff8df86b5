"""What costs too much is refused before anything is sampled, and says what is allowed."""

import annotated_types
import pytest

from service.engine.exceptions import RequestTooLargeError
from service.engine.limits import check_cost, check_usual
from service.settings import Settings
from similarity.batch.lines import MAX_LIST_TEXTS
from similarity.errors import ConfigError
from similarity.presets import PRESETS
from similarity.scorers import ScoringRequest, plan_scoring
from similarity.vectors import fit, save
from tests.service.models import FaultyModel
from tests.similarity.vectors.conftest import TOY_CONFIG, sentences
from tests.toy_models import SilentModel

PAIR = ["a text", "another"]


def error_of(answer, status, code):
    assert answer.status_code == status, answer.text
    error = answer.json()["error"]
    assert error["code"] == code
    assert error["request_id"] == answer.headers["x-request-id"]
    assert set(error) == {"message", "type", "param", "code", "request_id"}
    return error["message"]


@pytest.mark.parametrize(
    ("path", "body", "needle"),
    [
        ("/v1/similarity", {"pairs": [PAIR] * 3 + [["x", "y"], ["z", "w"]]}, "6 different texts"),
        ("/v1/similarity", {"pairs": [["a" * 101, "b"]]}, "101 characters"),
        ("/v1/similarity", {"rows": list("abcd")}, "6400 tokens"),
        ("/similarity", {"inputs": {"source_sentence": "a", "sentences": list("bcdef")}}, "6 diff"),
        ("/score", {"text_1": "a", "text_2": list("bcdef")}, "6 different texts"),
        ("/v2/rerank", {"query": "a", "documents": list("bcdef")}, "6 different texts"),
        ("/v1/trajectories", {"texts": list("abcdef")}, "6 different texts"),
        ("/v1/trajectories", {"texts": ["a"], "n_trajectories": 60, "max_tokens": 60}, "3600 tok"),
        (
            "/v1/likelihoods",
            {"texts": list("abcde"), "continuations": ["b" * 90] * 5},
            "2250 tokens",
        ),
        ("/v1/likelihoods", {"texts": ["a"], "continuations": ["b" * 101]}, "101 characters"),
    ],
)
def test_what_costs_too_much_is_refused_with_413_and_never_asked_of_the_model(
    open_client, path, body, needle
):
    model = FaultyModel()
    client = open_client(
        model, max_texts=5, max_characters=100, max_request_tokens=2_000, probe_seconds=1_000
    )
    probes = len(model.scored)
    message = error_of(client.post(path, json=body), 413, "request_too_large")
    assert needle in message
    assert "at most" in message
    assert model.sampled == []
    # The model may be probed meanwhile.
    assert len(model.scored) - probes <= 1


LONG = "b" * 101


@pytest.mark.parametrize(
    ("path", "body", "place"),
    [
        ("/v1/similarity", {"pairs": [["a", "b"], ["a", LONG]]}, "pairs[1][1]"),
        ("/v1/similarity", {"rows": ["a", "b", "c", LONG]}, "rows[3]"),
        ("/v1/similarity", {"preset": "paper", "source": LONG, "targets": ["a"]}, "source"),
        ("/v1/trajectories", {"texts": ["a", LONG]}, "texts[1]"),
        ("/v1/likelihoods", {"texts": ["a"], "continuations": ["a", LONG]}, "continuations[1]"),
        ("/v1/entailment", {"pairs": [[LONG, "a"]]}, "pairs[0][0]"),
        ("/v1/cluster", {"texts": ["a", "b", LONG], "k": 2}, "texts[2]"),
        ("/v1/embeddings", {"input": ["a", LONG]}, "input[1]"),
        ("/rerank", {"query": "a", "texts": ["a", LONG]}, "texts[1]"),
        ("/tokenize", {"inputs": ["a", LONG]}, "inputs[1]"),
    ],
)
def test_a_text_that_is_too_long_for_the_service_is_named_by_its_place(
    open_client, path, body, place
):
    answer = open_client(max_characters=100).post(path, json=body)
    assert answer.status_code == 413
    error = answer.json()["error"]
    assert error["param"] == place
    assert error["message"].startswith(f"{place}: the request has 101 characters in the text that")


@pytest.mark.parametrize(
    ("path", "body"),
    [
        ("/v1/trajectories", {"texts": ["a"] * 6, "n_trajectories": 30, "max_tokens": 10}),
        ("/v1/likelihoods", {"texts": ["a"] * 6, "continuations": ["b" * 90] * 6}),
    ],
)
def test_texts_that_repeat_count_once_as_they_are_computed_once(open_client, path, body):
    client = open_client(max_texts=5, max_request_tokens=600)
    answer = client.post(path, json=body)
    assert answer.status_code == 200, answer.text
    rows = answer.json()[path.removeprefix("/v1/").replace("likelihoods", "log_likelihoods")]
    assert rows == rows[:1] * 6


@pytest.mark.parametrize(("name", "value"), [("n_trajectories", 11), ("max_tokens", 11)])
@pytest.mark.parametrize(
    ("path", "body"),
    [
        ("/v1/similarity", {"pairs": [PAIR]}),
        ("/v1/trajectories", {"texts": PAIR}),
    ],
)
def test_settings_beyond_the_services_are_refused(open_client, path, body, name, value):
    client = open_client(max_trajectories=10, max_continuation_tokens=10)
    # The defaults of both are above these limits: ask for less of the other.
    settings = {"n_trajectories": 5, "max_tokens": 5, name: value}
    message = error_of(client.post(path, json={**body, **settings}), 422, "invalid_setting")
    assert f"{name} is 11; this service allows at most 10: send {name} of at most 10" in message


LEAST = {
    name: bound.ge
    for name, field in Settings.model_fields.items()
    for bound in field.metadata
    if name.startswith("max_") and isinstance(bound, annotated_types.Ge)
}
GROUPS = tuple(dict.fromkeys(group for preset in PRESETS.values() for group in preset.groups))


@pytest.mark.parametrize("preset", PRESETS)
@pytest.mark.parametrize("name", LEAST)
def test_limits_by_which_the_services_own_preset_is_always_refused_are_refused_at_start(
    name, preset
):
    plan = plan_scoring(ScoringRequest(), GROUPS, preset)
    low = Settings(**{name: LEAST[name]})
    try:
        check_usual(plan, low)
    except ConfigError as error:
        message = str(error)
        assert f"{name} is {LEAST[name]}, and a pair by preset {preset} needs" in message
        with pytest.raises((ConfigError, RequestTooLargeError)):
            check_cost(plan, [("a", "b")], low)
        # What the message says to give is enough, and less is not.
        option, number = message.partition("; give --")[2].split(" or more")[0].split()
        assert option.replace("-", "_") == name
        check_usual(plan, Settings(**{name: int(number)}))
        check_cost(plan, [("a", "b")], Settings(**{name: int(number)}))
        with pytest.raises(ConfigError):
            check_usual(plan, Settings(**{name: int(number) - 1}))
    else:
        check_cost(plan, [("a", "b")], low)


COMPARE = "compare by a preset of meaning vectors"
CHOOSE = "choose an estimator that reads profiles"


@pytest.mark.parametrize("vectors", [False, True], ids=["no vectors", "vectors"])
@pytest.mark.parametrize(
    ("path", "body", "instead"),
    [
        ("/v1/similarity", {"pairs": [PAIR], "preset": "paper"}, COMPARE),
        ("/v1/entailment", {"pairs": [PAIR], "estimator": "paper"}, CHOOSE),
        ("/v1/trajectories", {"texts": PAIR}, None),
    ],
)
def test_a_refusal_of_sampling_advises_what_gives_the_same_answer_here(
    open_client, toy_model, tmp_path, path, body, instead, vectors
):
    """To compare by vectors was advised to all: to who wants trajectories, and without vectors."""
    if vectors:
        save(fit(toy_model, sentences(60), TOY_CONFIG), tmp_path)
    model, folder = (toy_model, str(tmp_path)) if vectors else (SilentModel(), None)
    client = open_client(model, max_trajectories=30, vectors=folder)
    body = {**body, "n_trajectories": 31}
    message = error_of(client.post(path, json=body), 422, "invalid_setting")
    wanted = f" where the call takes it, or {instead}" if instead and vectors else ""
    assert message.endswith(f"send n_trajectories of at most 30{wanted}")


@pytest.mark.parametrize(
    ("setting", "name"),
    [("max_trajectories", "n_trajectories"), ("max_continuation_tokens", "max_tokens")],
)
def test_a_refusal_says_where_a_number_is_from_that_the_client_did_not_send(
    open_client, setting, name
):
    client = open_client(**{setting: 10})
    for more in ({}, {"preset": "paper"}, {"temperature": 2}):
        answer = client.post("/v1/similarity", json={"pairs": [PAIR], **more})
        message = error_of(answer, 422, "invalid_setting")
        assert f"{name} is 20 (as in requests without it)" in message
        assert f"send {name} of at most 10" in message
    answer = client.post("/v1/similarity", json={"pairs": [PAIR], name: 10})
    assert answer.status_code == 200, answer.text


def test_limits_of_sampling_refuse_nothing_that_does_not_sample(open_client):
    client = open_client(max_trajectories=10, max_continuation_tokens=10)
    answer = client.post("/v1/likelihoods", json={"texts": PAIR, "continuations": [" x"]})
    assert answer.status_code == 200, answer.text


def test_a_text_that_does_not_fit_the_model_says_by_how_much(client):
    answer = client.post("/v1/similarity", json={"pairs": [["a", "b" * 4_090]]})
    message = error_of(answer, 422, "text_too_long")
    assert "15 tokens too long" in message


def test_a_body_beyond_the_limit_is_refused_by_its_length_alone(open_client):
    client = open_client(max_body_bytes=1_000)
    answer = client.post("/v1/similarity", json={"pairs": [["a" * 2_000, "b"]]})
    error_of(answer, 413, "body_too_large")


def test_a_body_without_a_length_is_refused_where_it_passes_the_limit(open_client):
    client = open_client(max_body_bytes=1_000)
    sent = []

    def endless():
        while len(sent) < 100:
            sent.append(1)
            yield b'["' + b"x" * 500

    answer = client.post(
        "/v1/similarity", content=endless(), headers={"content-type": "application/json"}
    )
    error_of(answer, 413, "body_too_large")


def test_a_line_of_a_batch_has_as_many_texts_as_a_request_may_have():
    assert Settings.model_fields["max_cells"].default == MAX_LIST_TEXTS**2
