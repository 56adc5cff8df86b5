"""Queue, deadline, cancellation, a backend that dies and comes back, metrics, logs, traces."""

import asyncio
import json
import logging
import re
import time
from concurrent.futures import ThreadPoolExecutor
from threading import Event

import httpx
import pytest
from fastapi.testclient import TestClient
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from prometheus_client.parser import text_string_to_metric_families

from service.engine.engine import Engine
from service.engine.exceptions import DeadlineError
from service.engine.metrics import Metrics
from service.http.app import create_app
from service.http.tracing import HEADERS, Tracing, open_tracing
from service.logs import JsonFormatter
from service.settings import Settings
from similarity.errors import ConfigError, WrongAnswerError
from similarity.law import Law
from similarity.models.base import ScoreRequest
from similarity.models.toy import ToyModel
from similarity.models.vllm_server.wire import read_models
from tests.service.models import POISON, FaultyModel
from tests.service.servers import PATIENCE, eventually, running

pytestmark = pytest.mark.longer

SMALL = {"n_trajectories": 2, "max_tokens": 3}


def body(text="a"):
    return {"pairs": [[text, "b"]], **SMALL}


@pytest.fixture
def model():
    model = FaultyModel()
    yield model
    model.free.set()


def metric(url, name, **labels):
    families = text_string_to_metric_families(httpx.get(f"{url}/metrics").text)
    return sum(
        sample.value
        for family in families
        for sample in family.samples
        if sample.name == name and labels.items() <= sample.labels.items()
    )


def test_where_a_vllm_server_is_wanted_the_service_is_known(client):
    """It was asked whether it is a vLLM server, which did not help."""
    answer = client.get("/v1/models").json()
    with pytest.raises(WrongAnswerError, match="is a trajsim service, and no vLLM server; GET"):
        read_models(answer)


def test_beyond_the_queue_requests_are_refused_with_retry_after(model):
    with running(model, max_active=1, max_queued=1, probe_seconds=100) as url:
        assert eventually(lambda: httpx.get(f"{url}/health/ready").status_code == 200)
        model.free.clear()
        with ThreadPoolExecutor(2) as pool:
            kept = [pool.submit(httpx.post, f"{url}/v1/similarity", json=body()) for _ in "ab"]
            assert eventually(lambda: metric(url, "trajsim_queued_requests") == 1)
            refused = httpx.post(f"{url}/v1/similarity", json=body())
            assert refused.status_code == 429
            assert refused.json()["error"]["code"] == "queue_full"
            assert int(refused.headers["retry-after"]) >= 1
            model.free.set()
            assert [future.result().status_code for future in kept] == [200, 200]
        assert metric(url, "trajsim_failures_total", code="queue_full") == 1


@pytest.mark.parametrize("queued", [0, 2])
def test_a_refusal_says_how_many_are_worked_on_and_how_many_wait(model, queued):
    """It said that 0 requests are waiting already."""
    with running(model, max_active=1, max_queued=queued, probe_seconds=100) as url:
        assert eventually(lambda: httpx.get(f"{url}/health/ready").status_code == 200)
        model.free.clear()
        with ThreadPoolExecutor(3) as pool:
            for _ in range(1 + queued):
                pool.submit(httpx.post, f"{url}/v1/similarity", json=body())
            assert eventually(
                lambda: (
                    metric(url, "trajsim_active_requests") == 1
                    and metric(url, "trajsim_queued_requests") == queued
                )
            )
            refused = httpx.post(f"{url}/v1/similarity", json=body())
            model.free.set()
    assert refused.status_code == 429
    assert f"1 worked on, {queued} waiting" in refused.json()["error"]["message"]


def test_a_deadline_covers_waiting_and_frees_what_was_waited_for(model):
    with running(model, deadline_seconds=0.3, probe_seconds=100) as url:
        assert eventually(lambda: httpx.get(f"{url}/health/ready").status_code == 200)
        model.free.clear()
        late = httpx.post(f"{url}/v1/similarity", json=body())
        assert late.status_code == 504
        assert late.json()["error"]["code"] == "deadline_exceeded"
        # It would take as long again.
        assert "retry-after" not in late.headers
        assert metric(url, "trajsim_active_requests") == 0
        assert metric(url, "trajsim_waiting_units") == 0
        model.free.set()
        assert httpx.post(f"{url}/v1/similarity", json=body()).status_code == 200


@pytest.mark.parametrize(("megabytes", "again"), [(64, True), (0, False)])
def test_what_takes_too_long_goes_on_from_what_is_kept_where_it_is(model, megabytes, again):
    """It was told to send fewer texts, though the same request would have been answered."""
    settings = {"deadline_seconds": 2, "probe_seconds": 100, "cache_megabytes": megabytes}
    with running(model, **settings) as url:
        assert eventually(lambda: httpx.get(f"{url}/health/ready").status_code == 200)
        httpx.post(f"{url}/v1/trajectories", json={"texts": ["c"], **SMALL})
        calls = len(model.sampled)
        score = model.score

        def held(*args, **more):
            model.free.clear()
            return score(*args, **more)

        # All is sampled, and then nothing scored.
        model.score = held
        late = httpx.post(f"{url}/v1/similarity", json=body(), timeout=PATIENCE)
        assert (late.status_code, len(model.sampled) > calls) == (504, True)
        message = late.json()["error"]["message"]
        advice = "send it again to go on from what is kept, or send fewer or shorter texts"
        assert (advice in message) == again
        assert "send fewer or shorter texts" in message
        calls = len(model.sampled)
        model.score = score
        model.free.set()
        more = httpx.post(f"{url}/v1/similarity", json=body(), timeout=PATIENCE)
        assert more.status_code == 200
        assert (len(model.sampled) == calls) == again


def test_a_deadline_counts_from_when_the_request_began(model):
    """What was done before, as to fetch images, was given its time once more."""

    async def run(since):
        engine = Engine(model, Settings(model="toy", deadline_seconds=60), Metrics())
        try:
            return await engine.run(lambda _: "answer", 0, since)
        finally:
            engine.close()

    assert asyncio.run(run(time.monotonic() - 30))[0] == "answer"
    with pytest.raises(DeadlineError, match="the time limit of 60 s"):
        asyncio.run(run(time.monotonic() - 61))


def test_a_client_that_goes_away_cancels_its_work(model):
    with running(model, probe_seconds=100, batch_tokens=1) as url:
        assert eventually(lambda: httpx.get(f"{url}/health/ready").status_code == 200)
        model.sampled.clear()
        model.free.clear()
        many = {"rows": [f"text {i}" for i in range(20)], **SMALL}
        with pytest.raises(httpx.ReadTimeout):
            httpx.post(f"{url}/v1/similarity", json=many, timeout=0.3)
        assert eventually(lambda: metric(url, "trajsim_active_requests") == 0)
        assert metric(url, "trajsim_waiting_units") == 0
        model.free.set()
        assert httpx.post(f"{url}/v1/similarity", json=body()).status_code == 200
        assert len(model.sampled) <= 3


def test_a_dead_backend_turns_ready_to_503_and_recovers_by_itself(model):
    with running(model, probe_seconds=0.1) as url:
        assert eventually(lambda: httpx.get(f"{url}/health/ready").status_code == 200)
        model.dead = True
        refused = httpx.post(f"{url}/v1/similarity", json=body("new"))
        assert refused.status_code == 503
        assert refused.json()["error"]["code"] == "model_unavailable"
        assert int(refused.headers["retry-after"]) >= 1
        assert httpx.get(f"{url}/health/ready").status_code == 503
        assert httpx.get(f"{url}/health/live").status_code == 200
        model.dead = False
        assert eventually(lambda: httpx.get(f"{url}/health/ready").status_code == 200)
        assert httpx.post(f"{url}/v1/similarity", json=body("new")).status_code == 200


def test_a_backend_that_is_found_dead_by_its_own_check_frees_who_waits(model):
    with running(model, probe_seconds=0.1) as url:
        assert eventually(lambda: httpx.get(f"{url}/health/ready").status_code == 200)
        model.free.clear()
        with ThreadPoolExecutor(1) as pool:
            waits = pool.submit(httpx.post, f"{url}/v1/similarity", json=body("hangs"))
            model.alive = False
            assert waits.result().status_code == 503
        assert httpx.get(f"{url}/health/ready").json()["status"] == "unavailable"
        model.alive = True
        model.free.set()
        assert eventually(lambda: httpx.get(f"{url}/health/ready").status_code == 200)


def test_a_call_that_hangs_is_noticed(model):
    with running(model, probe_seconds=0.1, stall_seconds=0.5) as url:
        assert eventually(lambda: httpx.get(f"{url}/health/ready").status_code == 200)
        model.free.clear()
        answer = httpx.post(f"{url}/v1/similarity", json=body("hangs"))
        assert answer.status_code == 503
        assert httpx.get(f"{url}/health/ready").status_code == 503
        model.free.set()
        assert eventually(lambda: httpx.get(f"{url}/health/ready").status_code == 200)


def test_a_model_that_computes_a_long_call_is_not_taken_for_dead(model):
    with running(model, probe_seconds=0.1, stall_seconds=1) as url:
        assert eventually(lambda: httpx.get(f"{url}/health/ready").status_code == 200)
        model.computes = True
        model.free.clear()
        calls = len(model.sampled)
        with ThreadPoolExecutor(2) as pool:

            def ask(text):
                return pool.submit(
                    httpx.post, f"{url}/v1/similarity", json=body(text), timeout=PATIENCE
                )

            long = ask("long")
            assert eventually(lambda: len(model.sampled) > calls)
            other = ask("other")
            end = time.monotonic() + 3
            while time.monotonic() < end:
                assert httpx.get(f"{url}/health/ready").status_code == 200
            assert not long.done()
            assert not other.done()
            model.free.set()
            assert [long.result().status_code, other.result().status_code] == [200, 200]


def test_what_is_late_is_reported_whether_itself_or_others_took_the_time(model):
    with running(model, deadline_seconds=1, probe_seconds=100) as url:
        assert eventually(lambda: httpx.get(f"{url}/health/ready").status_code == 200)
        model.free.clear()
        calls = len(model.sampled)
        with ThreadPoolExecutor(2) as pool:
            long = pool.submit(httpx.post, f"{url}/v1/similarity", json=body("long"))
            assert eventually(lambda: len(model.sampled) > calls)
            other = pool.submit(httpx.post, f"{url}/v1/similarity", json=body("other"))
            answers = [one.result() for one in (long, other)]
        errors = [answer.json()["error"] for answer in answers]
        assert [error["code"] for error in errors] == ["deadline_exceeded"] * 2
        # Only where the same request may be answered at another time.
        assert ["retry-after" in answer.headers for answer in answers] == [False, True]
        assert (
            "this takes longer than the time limit of 1 s; send fewer or shorter texts, or a "
            "smaller n_trajectories or max_tokens; whoever"
        ) in str(errors[0])
        assert "the model was busy with other requests; send it again later" in str(errors[1])
        assert all("raise TRAJSIM_DEADLINE_SECONDS" in error["message"] for error in errors)


@pytest.mark.parametrize(
    ("together", "words"),
    [(1, "this takes longer than"), (8, "the model was busy with other requests; send it again")],
)
def test_many_that_have_a_share_of_the_processors_each_do_not_take_long_themselves(
    model, monkeypatch, together, words
):
    """Each was told to send fewer texts, though alone it took a tenth of the deadline."""
    monkeypatch.setattr("service.engine.shared.Crowd.processors", 2)
    free = Event()

    async def run():
        engine = Engine(model, Settings(model="toy", deadline_seconds=0.5), Metrics())
        try:
            requests = [engine.run(lambda _: free.wait(PATIENCE), 0) for _ in range(together)]
            return await asyncio.gather(*requests, return_exceptions=True)
        finally:
            free.set()
            engine.close()

    errors = asyncio.run(run())
    assert all(isinstance(error, DeadlineError) and words in str(error) for error in errors), errors
    assert all((error.retry_after is None) == (together == 1) for error in errors)


@pytest.mark.parametrize(
    ("cost", "words", "again"),
    [
        (1e9, "this takes longer than the time limit of 1 s, about ", False),
        (1e6, "the model was busy with other requests; send it again later", True),
    ],
)
def test_what_would_be_late_alone_is_not_told_to_come_again(model, cost, words, again):
    """Others had the model meanwhile, so it was sent again and again, and always late."""
    free = Event()
    request = ScoreRequest(prefix=(1,), continuations=((1,),))

    def score(model):
        time.sleep(0.05)
        return model.score([request], Law())

    async def run():
        settings = Settings(model="toy", deadline_seconds=1, max_active=1)
        engine = Engine(model, settings, Metrics())
        try:
            await engine.run(score, 1e6)
            # It has a later end.
            since = time.monotonic() + PATIENCE
            before = asyncio.ensure_future(
                engine.run(lambda _: free.wait(PATIENCE), 1e6, since=since)
            )
            await asyncio.sleep(0)
            with pytest.raises(DeadlineError, match=re.escape(words)) as late:
                await engine.run(score, cost)
            free.set()
            await before
            return late.value
        finally:
            free.set()
            engine.close()

    error = asyncio.run(run())
    assert (error.retry_after is not None) == again
    if not again:
        assert re.search(r"about \d+ s by how long others took lately; send less; ", str(error))


def test_only_where_trajectories_are_sampled_fewer_of_them_are_advised(model):
    with running(model, deadline_seconds=0.3, probe_seconds=100) as url:
        assert eventually(lambda: httpx.get(f"{url}/health/ready").status_code == 200)
        model.free.clear()
        content = {"texts": ["a"], "continuations": ["b"]}
        late = httpx.post(f"{url}/v1/likelihoods", json=content)
    assert late.json()["error"]["message"].startswith(
        "this takes longer than the time limit of 0.3 s; send fewer or shorter texts; whoever runs"
    )


@pytest.mark.parametrize("behind", ["a call that was given up", "a probe"])
def test_a_lone_request_that_a_hung_model_keeps_waiting_is_told_so(model, behind):
    """It was said that the model was busy with other requests, of which there were none."""
    probe_seconds = 0.1 if behind == "a probe" else 100
    with running(model, deadline_seconds=0.3, probe_seconds=probe_seconds) as url:
        assert eventually(lambda: httpx.get(f"{url}/health/ready").status_code == 200)
        calls = len(model.scored)
        model.free.clear()
        if behind == "a probe":
            assert eventually(lambda: len(model.scored) > calls)
        else:
            httpx.post(f"{url}/v1/similarity", json=body("first"))
        late = httpx.post(f"{url}/v1/similarity", json=body("lone"))
        model.free.set()
    assert late.status_code == 504, late.text
    assert late.json()["error"]["message"].startswith(
        "the model did not answer within the time limit of 0.3 s; send it again later; whoever"
    )
    assert int(late.headers["retry-after"]) >= 1


def test_a_lone_request_behind_a_call_that_computes_still_is_told_so(model):
    """The model was said not to answer, though it was at work on what was sent before."""
    with running(model, deadline_seconds=1, probe_seconds=100) as url:
        assert eventually(lambda: httpx.get(f"{url}/health/ready").status_code == 200)
        model.computes = True
        model.free.clear()
        httpx.post(f"{url}/v1/similarity", json=body("first"), timeout=PATIENCE)
        late = httpx.post(f"{url}/v1/similarity", json=body("lone"), timeout=PATIENCE)
        model.free.set()
    assert late.status_code == 504, late.text
    assert late.json()["error"]["message"].startswith(
        "no answer within the time limit of 1 s, as the model was still busy with an earlier "
        "request; send it again later; whoever"
    )
    assert int(late.headers["retry-after"]) >= 1


def test_a_small_part_of_a_call_that_takes_long_is_not_what_takes_long(model):
    """It was said to take too long itself, as its part of the call had begun."""
    with running(model, deadline_seconds=3, probe_seconds=100) as url:
        assert eventually(lambda: httpx.get(f"{url}/health/ready").status_code == 200)
        model.free.clear()
        calls = len(model.sampled)
        with ThreadPoolExecutor(3) as pool:

            def ask(text, n):
                content = {**body(text), "n_trajectories": n}
                return pool.submit(
                    httpx.post, f"{url}/v1/similarity", json=content, timeout=PATIENCE
                )

            ask("first", 2)
            assert eventually(lambda: len(model.sampled) > calls)
            large, small = ask("large", 30), ask("small", 2)
            assert eventually(lambda: metric(url, "trajsim_waiting_units") == 4)
            model.free.set()
            model.free.clear()
            messages = [one.result().json()["error"]["message"] for one in (large, small)]
        # In one call, without "b" of the small one, which the first has had.
        assert model.sampled[calls:] == [2, 3]
    assert messages[0].startswith("this takes longer than the time limit of 3 s")
    assert "the model was busy with other requests" in messages[1]


def test_retry_after_is_no_shorter_than_the_call_under_way_has_taken(model):
    with running(model, max_active=1, max_queued=0, probe_seconds=100) as url:
        assert eventually(lambda: httpx.get(f"{url}/health/ready").status_code == 200)
        model.free.clear()
        calls = len(model.sampled)
        with ThreadPoolExecutor(1) as pool:
            kept = pool.submit(httpx.post, f"{url}/v1/similarity", json=body(), timeout=PATIENCE)
            assert eventually(lambda: len(model.sampled) > calls)
            time.sleep(1.2)
            refused = httpx.post(f"{url}/v1/similarity", json=body())
            assert refused.status_code == 429
            assert int(refused.headers["retry-after"]) >= 2
            model.free.set()
            assert kept.result().status_code == 200


def test_an_idle_service_stays_ready_by_real_probes(model):
    with running(model, probe_seconds=0.05) as url:
        assert eventually(lambda: len(model.scored) >= 3)
        assert httpx.get(f"{url}/health/ready").status_code == 200


def test_an_unforeseen_error_says_nothing_and_fails_nobody_else(model, caplog):
    caplog.set_level(logging.INFO, logger="service")
    # However long a call is held, nobody is let in between its parts.
    with running(model, probe_seconds=100, call_seconds=100) as url:
        assert eventually(lambda: httpx.get(f"{url}/health/ready").status_code == 200)
        model.free.clear()
        calls = len(model.sampled)
        with ThreadPoolExecutor(5) as pool:

            def ask(text):
                return pool.submit(
                    httpx.post, f"{url}/v1/similarity", json=body(text), timeout=PATIENCE
                )

            # While the model is held by one request, all others come to wait for one batch.
            held = ask("held")
            assert eventually(lambda: len(model.sampled) > calls)
            answers = [ask(text) for text in (POISON, "good", "better", "best")]
            assert eventually(lambda: metric(url, "trajsim_waiting_units") == 8)
            model.free.set()
            statuses = [answer.result().status_code for answer in (held, *answers)]
        # All in one call, but for the text that the held request had too.
        assert model.sampled[calls + 1] == 4
        assert statuses == [200, 500, 200, 200, 200]
        failed = answers[0].result()
        assert failed.json()["error"]["code"] == "internal_error"
        assert POISON not in failed.text
        assert "Traceback" not in failed.text
        assert httpx.get(f"{url}/health/ready").status_code == 200
    assert POISON not in caplog.text


def test_metrics_of_requests_stages_batches_tokens_and_cache(model):
    with running(model) as url:
        for _ in range(2):
            assert httpx.post(f"{url}/v1/similarity", json=body()).status_code == 200
        httpx.post(f"{url}/v1/similarity", json={})
        httpx.get(f"{url}/some/{'x' * 50}")
        count = {"route": "/v1/similarity", "method": "POST"}
        assert metric(url, "trajsim_requests_total", **count, status="200") == 2
        assert metric(url, "trajsim_requests_total", **count, status="422") == 1
        assert metric(url, "trajsim_requests_total", route="other", status="404") == 1
        assert metric(url, "trajsim_failures_total", code="invalid_request") == 1
        for stage in ("queue", "sample", "score"):
            assert metric(url, "trajsim_stage_seconds_count", stage=stage) == 2
        assert metric(url, "trajsim_batch_units_count", stage="sample") >= 1
        assert metric(url, "trajsim_tokens_total", kind="sampled") > 0
        assert metric(url, "trajsim_cache_lookups_total", stage="sample", outcome="hit") == 2
        assert metric(url, "trajsim_ready") == 1


def test_log_lines_are_json_with_the_request_id_and_without_texts(client, caplog):
    caplog.set_level(logging.INFO, logger="service")
    secret = "a private remark"
    headers = {"x-request-id": "my-id-1"}
    client.post("/v1/similarity", json=body(secret), headers=headers)
    client.post("/v1/similarity", json={"pairs": [[secret, "a\0"]]}, headers=headers)
    client.post("/v1/similarity", json=body(secret * 1_000), headers=headers)
    client.get(f"/{secret}", headers=headers)
    lines = [json.loads(JsonFormatter().format(record)) for record in caplog.records]
    requests = [line for line in lines if line["event"] == "request"]
    assert [line["status"] for line in requests] == [200, 422, 422, 404]
    assert all(line["request_id"] == "my-id-1" for line in requests)
    assert requests[0]["sampled_tokens"] > 0
    assert requests[0]["route"] == "/v1/similarity"
    assert requests[1]["code"] == "invalid_request"
    assert requests[2]["code"] == "text_too_long"
    assert "private" not in json.dumps(lines)


def test_every_refusal_has_its_code_in_the_log_and_the_metrics(open_client, caplog):
    """Those without a valid key, and what is no HTTP/1.1, had none."""
    caplog.set_level(logging.INFO, logger="service")
    client = open_client(api_keys="key", cors_origins="https://a.example", allowed_hosts="b")
    key = {"authorization": "Bearer key"}
    asked = {"access-control-request-method": "POST", "origin": "https://evil"}
    client.get("/v1/models")
    client.get("/v1/models", headers={"host": "evil"})
    client.options("/v1/similarity", headers=asked)
    client.get("/static/page.css", headers={**key, "range": "bytes=9999999-"})
    client.post("/v1/similarity", headers=key)
    client.get("/none", headers=key)
    TestClient(OfVersion("2", client.app), "http://localhost").get("/v1/models")
    codes = [
        "invalid_api_key",
        "host_not_allowed",
        "origin_not_allowed",
        "invalid_range",
        "unsupported_media_type",
        "not_found",
        "invalid_http",
    ]
    assert [record.code for record in caplog.records if record.msg == "request"] == codes
    counted = client.get("/metrics", headers=key).text
    for code in codes:
        assert f'trajsim_failures_total{{code="{code}"}} 1.0' in counted


class OfVersion:
    """An application whose requests are of one version of HTTP."""

    def __init__(self, version, app):
        self.version, self.app = version, app

    async def __call__(self, scope, receive, send):
        if scope["type"] == "http":
            scope = {**scope, "http_version": self.version}
        await self.app(scope, receive, send)


@pytest.mark.parametrize(
    "headers",
    [
        "key=“secret”",
        "authorization: secret",
        "a=b,key=%E2%80%9Csecret",
        "key=top%0Asecret",
        "secret",
    ],
)
@pytest.mark.parametrize("variable", HEADERS)
def test_headers_for_the_collector_are_never_logged(variable, headers, monkeypatch, caplog):
    monkeypatch.setenv(variable, headers)
    with pytest.raises(ConfigError, match=f"^header [12] of {variable} cannot be sent") as caught:
        open_tracing("http://127.0.0.1:9")
    assert "secret" not in str(caught.value) + caplog.text


def test_white_space_around_a_header_for_the_collector_is_left_out(monkeypatch):
    monkeypatch.setenv(HEADERS[0], "authorization=Bearer secret\n, a=b,")
    open_tracing("http://127.0.0.1:9").close()


def test_traces_join_that_of_the_client(open_client):
    exporter = InMemorySpanExporter()
    provider = TracerProvider()
    provider.add_span_processor(SimpleSpanProcessor(exporter))
    app = create_app(Settings(), ToyModel, Tracing(provider))
    trace = "0af7651916cd43dd8448eb211c80319c"
    with TestClient(app, "http://localhost") as client:
        headers = {"traceparent": f"00-{trace}-b7ad6b7169203331-01"}
        client.post("/v1/similarity", json=body(), headers=headers)
    span = exporter.get_finished_spans()[0]
    assert span.name == "POST /v1/similarity"
    assert f"{span.context.trace_id:032x}" == trace
    assert span.attributes["status"] == 200
    assert span.attributes["sampled_tokens"] > 0
