"""What a server says reaches neither terminal nor log with signs that a terminal obeys."""

import json
import logging

import httpx
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from service.client.calls import Call, result_of
from service.client.errors import ApiError
from service.logs import TextFormatter
from similarity.cli.tables import print_findings
from similarity.doctor import Finding
from similarity.errors import BackendUnavailableError, ModelError
from similarity.law import Law
from similarity.models.base import SampleRequest
from similarity.models.checks import Check
from similarity.models.vllm_server.config import ServerConfig
from tests.similarity.models.fake_server import FakeServer, Load, answers

ESCAPE = "\x1b[2J\x1b[1;31mall is well\r\x9b\u202e"


KEY = "sk-top/secret"


class Unwell(FakeServer):
    """Answers no request for its models, and says so in words of its own."""

    def __init__(self, said: str) -> None:
        super().__init__()
        self.said = said

    async def handle(self, request: httpx.Request) -> httpx.Response:
        if request.url.path == "/v1/models":
            return httpx.Response(400, json={"error": {"message": self.said}})
        return await super().handle(request)


def test_a_warning_of_one_that_is_left_out(load: Load, caplog: pytest.LogCaptureFixture) -> None:
    load(a=Unwell(ESCAPE), b=FakeServer())
    (line,) = [record.getMessage() for record in caplog.records]
    assert line.startswith("left out until it answers: http://a:8000")
    assert "all is well" in line
    assert line.isprintable()


@pytest.mark.parametrize("words", ["bad header {}", "Bearer {}", "x" * 285 + "{}"])
@pytest.mark.parametrize("packed", [False, True], ids=["text", "json"])
def test_no_error_has_the_key_that_a_server_repeats(load: Load, words: str, packed: bool) -> None:
    server = FakeServer()
    model = load(ServerConfig(api_key=KEY), a=server)
    said = words.format(KEY)
    content = json.dumps({"error": {"message": said}}).replace("/", "\\/") if packed else said
    for status in (400, 403, 404, 422, 500, 501):
        server.faults.clear()
        server.faults.extend([answers(status, content)] * 20)
        with pytest.raises(ModelError) as caught:
            model.sample([SampleRequest(prefix=(65,), n=1, max_tokens=2, key=0)], Law())
        assert str(status) in str(caught.value)
        assert "top" not in str(caught.value)


@pytest.mark.longer
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=15)
@given(st.text(min_size=1))
def test_an_error_of_any_words(load: Load, said: str) -> None:
    with pytest.raises(ModelError) as caught:
        load(a=Unwell(said))
    assert str(caught.value).isprintable()


def test_names_of_models(load: Load, capsys: pytest.CaptureFixture[str]) -> None:
    model = load(a=FakeServer(name=f"{ESCAPE}[bold]"))
    assert model.info.name.isprintable()
    assert model.decode(model.encode("a red car"))  # under the name as it is served
    several = FakeServer(name=ESCAPE)
    several.names.append("other")
    with pytest.raises(ModelError, match="all is well") as caught:
        load(a=several)
    assert str(caught.value).isprintable()
    print_findings([Finding(model.info.name, Check("served model", f"{ESCAPE}, 256 tokens"))])
    out = capsys.readouterr().out
    assert out.replace("\n", "").isprintable()
    assert "[bold]" in out.replace("\n", "")


@pytest.mark.parametrize("raised", [False, True])
def test_lines_of_a_log(raised: bool) -> None:
    record = logging.makeLogRecord({"msg": "it said %s", "args": (f"{ESCAPE}\nready:",)})
    record.path = ESCAPE
    if raised:
        fault = ValueError(ESCAPE)
        record.exc_info = (ValueError, fault, None)
    lines = TextFormatter().format(record).split("\n")
    assert all(line.isprintable() for line in lines)
    assert not any(line.startswith("ready:") for line in lines)


def test_errors_of_the_client() -> None:
    content = {"error": {"code": ESCAPE, "message": ESCAPE}}
    with pytest.raises(ApiError) as caught:
        result_of(Call("/v1/similarity", {}, str), httpx.Response(500, json=content))
    assert str(caught.value).isprintable()


def test_where_none_answers_each_cause_is_said_once(
    load: Load, caplog: pytest.LogCaptureFixture
) -> None:
    servers = {name: FakeServer() for name in "ab"}
    for server in servers.values():
        server.down = True
    with pytest.raises(BackendUnavailableError) as caught:
        load(**servers)
    said = "".join([str(caught.value), caplog.text])
    for name in servers:
        assert said.count(f"http://{name}:8000 does not answer") == 1
