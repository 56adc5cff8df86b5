import http.client
import io
import json
import logging
import socket
import subprocess
import sys
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import httpx
import pytest

from service.logs import JsonFormatter, LineHandler, TextFormatter, logs_written, places
from similarity.models.toy import ToyModel
from tests.service.servers import PATIENCE, ServeProcess, running


def test_the_message_for_terminals_with_colours_is_left_out() -> None:
    # As uvicorn writes it: with a place that is not filled.
    record = logging.makeLogRecord(
        {
            "msg": "Started server process [%d]",
            "args": (7,),
            "color_message": "Started server process [\x1b[36m%d\x1b[0m]",
            "request_id": "abc",
        }
    )
    content = json.loads(JsonFormatter().format(record))
    assert content["event"] == "Started server process [7]"
    assert content["request_id"] == "abc"
    assert "color_message" not in content
    assert TextFormatter().format(record).endswith("Started server process [7] request_id=abc")


class Stalled(io.StringIO):
    """What nobody reads until it is freed."""

    def __init__(self) -> None:
        super().__init__()
        self.reached, self.free = threading.Event(), threading.Event()

    def write(self, text: str) -> int:
        self.reached.set()
        assert self.free.wait(PATIENCE)
        return super().write(text)


def test_lines_that_nobody_reads_are_dropped_and_counted() -> None:
    stream = Stalled()
    handler = LineHandler(stream, most=3)
    handler.setFormatter(JsonFormatter())
    try:
        handler.handle(logging.makeLogRecord({"msg": "line 0"}))
        assert stream.reached.wait(PATIENCE)
        for number in range(1, 9):
            handler.handle(logging.makeLogRecord({"msg": "line %d", "args": (number,)}))
        assert not handler.written()
        stream.free.set()
        assert handler.written()
        handler.handle(logging.makeLogRecord({"msg": "the last"}))
        assert handler.written()
    finally:
        stream.free.set()
        handler.close()
    lines = [json.loads(line) for line in stream.getvalue().splitlines()]
    assert [line["event"] for line in lines] == [
        *(f"line {number}" for number in range(4)),
        "log lines were dropped, as standard error was not read",
        "the last",
    ]
    assert lines[4]["dropped"] == 5
    assert lines[4]["level"] == "warning"


def test_a_closed_standard_error_ends_no_thread() -> None:
    stream = io.StringIO()
    stream.close()
    handler = LineHandler(stream)
    handler.handle(logging.makeLogRecord({"msg": "a"}))
    assert handler.written()
    handler.close()
    assert logs_written()


@pytest.mark.longer
def test_a_reader_of_the_logs_that_stalls_holds_up_neither_answers_nor_the_end() -> None:
    with ServeProcess("--model", "toy") as served, httpx.Client(base_url=served.url) as client:
        # Standard error is a pipe here; more than it holds is never read.
        for number in range(500):
            body = {"inputs": f"text {number}"}
            assert client.post("/tokenize", json=body, timeout=PATIENCE).status_code == 200
        assert client.get("/health/live").status_code == 200
        client.close()
        served.process.terminate()
        assert served.process.wait(PATIENCE) == 0


@pytest.mark.longer
def test_at_a_normal_end_all_lines_are_written_before_the_last_words() -> None:
    with ServeProcess("--model", "toy") as served:
        assert httpx.post(f"{served.url}/tokenize", json={"inputs": "a"}).status_code == 200
        status, errors = served.stop()
    assert status == 0
    assert "/tokenize" in errors
    assert errors.endswith("stopped\n")


def test_the_places_of_an_error_begin_with_those_of_its_cause() -> None:
    """Of what a library had wrapped, only the library's own places were logged."""

    def cause() -> None:
        raise ValueError("secret")

    def library() -> None:
        try:
            cause()
        except ValueError as error:
            raise RuntimeError("wrapped") from error

    with pytest.raises(RuntimeError) as caught:
        library()
    found = places(caught.value)
    assert found[1].endswith(" cause")
    assert found[2] == "ValueError"
    assert found[-2].endswith(" library")
    assert found[-1] == "RuntimeError"
    assert "secret" not in str(found)


LIBRARIES = """
import logging, sys, warnings
from service.logs import configure_logs, logs_written
configure_logs(sys.argv[1], sys.argv[2])
for name in ("opentelemetry.sdk.trace", "urllib3.connectionpool", "asyncio", "any.other"):
    logging.getLogger(name).warning("from %s, by http://me:secret@host/path", name)
    logging.getLogger(name).info("never")
    logging.getLogger(name).debug("never")
warnings.warn("an old name")
try:
    raise OSError("http://me:secret@host")
except OSError:
    logging.getLogger("opentelemetry").exception("it failed")
logging.getLogger("service.a").info("our own")
logs_written()
"""


def written_by_libraries(level: str, style: str) -> list[str]:
    command = [sys.executable, "-c", LIBRARIES, level, style]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    assert done.stdout == ""
    assert "secret" not in done.stderr
    assert "never" not in done.stderr
    return done.stderr.splitlines()


def test_lines_of_libraries_and_warnings_of_python_are_json_too() -> None:
    lines = [json.loads(line) for line in written_by_libraries("debug", "json")]
    names = ["opentelemetry.sdk.trace", "urllib3.connectionpool", "asyncio", "any.other"]
    last = ["py.warnings", "opentelemetry", "service.a"]
    assert [line["logger"] for line in lines] == [*names, *last]
    assert lines[0]["event"] == "from opentelemetry.sdk.trace, by http://…@host/path"
    assert "UserWarning: an old name" in lines[4]["event"]
    assert lines[5]["level"] == "error"
    assert lines[5]["exception"].endswith("OSError: http://…@host")


def test_lines_of_libraries_are_for_people_where_ours_are() -> None:
    lines = written_by_libraries("error", "text")
    assert "error   it failed" in lines[0]
    assert lines[1] == "Traceback (most recent call last):"
    assert "old name" not in "".join(lines)


@pytest.mark.longer
def test_what_is_no_request_has_one_line() -> None:
    with ServeProcess("--model", "toy") as served:
        port = int(served.url.rpartition(":")[2])
        with socket.create_connection(("127.0.0.1", port)) as connection:
            connection.sendall(b"no request\r\n\r\n")
            answer = b"".join(iter(lambda: connection.recv(65536), b""))
        status, errors = served.stop()
    assert answer.startswith(b"HTTP/1.1 400 ")
    assert status == 0
    assert len([line for line in errors.splitlines() if "invalid_http" in line]) == 1
    assert "Invalid HTTP" not in errors


class Refusing(BaseHTTPRequestHandler):
    """A collector of traces that takes none."""

    def do_POST(self) -> None:
        self.rfile.read(int(self.headers["content-length"]))
        self.send_response(400)
        self.send_header("content-length", "0")
        self.end_headers()

    def log_message(self, *_: object) -> None:
        """Write nothing."""


@pytest.mark.longer
def test_a_collector_that_takes_no_traces_is_logged_as_json() -> None:
    collector = ThreadingHTTPServer(("127.0.0.1", 0), Refusing)
    threading.Thread(target=collector.serve_forever, kwargs={"poll_interval": 0.05}).start()
    address = f"http://me:secret@127.0.0.1:{collector.server_port}"
    try:
        with ServeProcess("--model", "toy", TRAJSIM_OTLP_ENDPOINT=address) as served:
            assert httpx.post(f"{served.url}/tokenize", json={"inputs": "a"}).status_code == 200
            status, errors = served.stop()
    finally:
        collector.shutdown()
        collector.server_close()
    assert status == 0
    first, *logged, last = errors.splitlines()
    assert first.startswith("loading model")
    assert last == "stopped"
    names = [json.loads(line)["logger"] for line in logged]
    assert any(name.startswith("opentelemetry") for name in names)
    assert "secret" not in errors


@pytest.mark.parametrize("offered", ["websocket", "h2c"])
def test_another_protocol_that_is_offered_is_passed_over_in_silence(
    caplog: pytest.LogCaptureFixture, offered: str
) -> None:
    headers = {"Connection": "Upgrade", "Upgrade": offered, "Content-Type": "application/json"}
    with running(ToyModel()) as url:
        connection = http.client.HTTPConnection(url.removeprefix("http://"))
        for _ in range(2):
            connection.request("POST", "/v1/similarity", '{"pairs": [["a", "b"]]}', headers)
            answer = connection.getresponse()
            assert (answer.status, "results" in json.load(answer)) == (200, True)
        connection.close()
    assert [line.getMessage() for line in caplog.records if line.name.startswith("uvicorn")] == []
