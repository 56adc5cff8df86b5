"""`trajsim serve` as a process: its first words, its signals, its mistakes in one line."""

import signal
import socket
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import httpx
import pytest
from click.testing import CliRunner

from service.cli import serve as command
from service.settings import Settings
from similarity.cli.main import main
from tests.service.servers import ServeProcess, eventually

SLOW = {"n_trajectories": 100, "max_tokens": 100}


def ask(url, text, **settings):
    body = {"pairs": [[text, f"{text} and more"]], **settings}
    return httpx.post(f"{url}/v1/similarity", json=body, timeout=60)


def test_it_prints_a_curl_that_works_and_stops_cleanly_at_ctrl_c():
    with ServeProcess("--model", "toy") as serve:
        curl = serve.announced[serve.announced.index("curl") :].replace("\\\n", " ")
        answer = subprocess.run(curl, shell=True, capture_output=True, text=True, check=True)
        assert '"similarity"' in answer.stdout
        code, errors = serve.stop(signal.SIGINT)
    assert code == 0
    assert "stopped" in errors
    assert "Traceback" not in errors


@pytest.mark.longer
def test_sigterm_under_load_loses_no_accepted_request_and_exits_0():
    with ServeProcess("--model", "toy", "--drain-seconds", "0.5") as serve:
        # Of long ones all begin once it is known how long they take.
        assert ask(serve.url, "first", **SLOW).status_code == 200
        with ThreadPoolExecutor(8) as pool:
            accepted = [pool.submit(ask, serve.url, f"text {i}", **SLOW) for i in range(8)]

            def active():
                metrics = httpx.get(f"{serve.url}/metrics").text
                return "trajsim_active_requests 8.0" in metrics

            assert eventually(active)
            serve.process.send_signal(signal.SIGTERM)
            assert eventually(lambda: httpx.get(f"{serve.url}/health/ready").status_code == 503)
            refused = ask(serve.url, "too late")
            assert refused.status_code == 503
            assert refused.json()["error"]["code"] == "shutting_down"
            assert "retry-after" in refused.headers
            assert [future.result().status_code for future in accepted] == [200] * 8
        _, errors = serve.process.communicate(timeout=30)
        assert serve.process.returncode == 0, errors


@pytest.mark.longer
def test_after_the_grace_period_requests_are_given_up_with_an_answer():
    options = ("--model", "toy", "--grace-seconds", "0.2", "--drain-seconds", "0")
    with ServeProcess(*options) as serve, ThreadPoolExecutor(1) as pool:
        rows = {"rows": [f"text {i}" for i in range(8)], **SLOW}
        slow = pool.submit(httpx.post, f"{serve.url}/v1/similarity", json=rows, timeout=60)
        time.sleep(0.5)
        code, errors = serve.stop()
        assert slow.result().status_code == 503
        assert slow.result().json()["error"]["code"] == "shutting_down"
    assert code == 0, errors
    assert "Traceback" not in errors


@pytest.mark.longer
def test_requests_that_wait_are_given_up_with_an_answer_too():
    """They were let in as the others failed, and the server ended them with a text and a trace."""
    options = ("--model", "toy", "--max-active", "1", "--grace-seconds", "0.2")
    with ServeProcess(*options, "--drain-seconds", "0") as serve, ThreadPoolExecutor(4) as pool:
        rows = {"rows": [f"text {i}" for i in range(8)], **SLOW}
        url = f"{serve.url}/v1/similarity"
        asked = [pool.submit(httpx.post, url, json=rows, timeout=60) for _ in range(4)]
        queued = "trajsim_queued_requests 3.0"
        assert eventually(lambda: queued in httpx.get(f"{serve.url}/metrics").text)
        code, errors = serve.stop()
        answers = [future.result() for future in asked]
    assert [answer.status_code for answer in answers] == [503] * 4
    assert {answer.json()["error"]["code"] for answer in answers} == {"shutting_down"}
    assert code == 0, errors
    assert "Traceback" not in errors


@pytest.mark.longer
@pytest.mark.parametrize("path", ["/v1/similarity", "/none"])
def test_a_request_whose_body_does_not_come_is_given_up_with_an_answer(path):
    options = ("--model", "toy", "--grace-seconds", "0", "--drain-seconds", "0")
    with ServeProcess(*options) as serve:
        port = int(serve.url.rpartition(":")[2])
        with socket.create_connection(("127.0.0.1", port)) as connection:
            head = "Host: localhost\r\nContent-Type: application/json\r\nContent-Length: 100\r\n"
            connection.sendall(f"POST {path} HTTP/1.1\r\n{head}\r\n{{".encode())
            time.sleep(0.3)
            code, errors = serve.stop()
            answer = b"".join(iter(lambda: connection.recv(2**16), b"")).decode()
    assert answer.startswith("HTTP/1.1 503 ")
    assert '"shutting_down"' in answer
    assert code == 0, errors
    assert "Traceback" not in errors


@pytest.mark.longer
@pytest.mark.parametrize("whole", [True, False], ids=["comes late", "never comes"])
def test_a_request_that_is_sent_while_it_goes_down_is_refused_though_its_body_is_late(whole):
    """It waits for the rest of the body, so that the sender reads why, but not beyond the grace."""
    options = ("--model", "toy", "--grace-seconds", "3", "--drain-seconds", "0.5")
    with ServeProcess(*options) as serve:
        port = int(serve.url.rpartition(":")[2])
        with socket.create_connection(("127.0.0.1", port)) as connection:
            serve.process.send_signal(signal.SIGTERM)
            assert eventually(lambda: not is_ready(port))
            head = "Host: localhost\r\nContent-Type: application/json\r\nContent-Length: 2\r\n"
            connection.sendall(f"POST /v1/similarity HTTP/1.1\r\n{head}\r\n{{".encode())
            time.sleep(2)
            if whole:
                connection.sendall(b"}")
            answer = b"".join(iter(lambda: connection.recv(2**16), b"")).decode()
        _, errors = serve.process.communicate(timeout=30)
    assert answer.startswith("HTTP/1.1 503 ")
    assert '"shutting_down"' in answer
    assert serve.process.returncode == 0, errors
    assert "Traceback" not in errors


@pytest.mark.longer
def test_a_second_signal_answers_503_to_those_in_flight():
    with ServeProcess("--model", "toy") as serve, ThreadPoolExecutor(1) as pool:
        rows = {"rows": [f"text {i}" for i in range(8)], **SLOW}
        slow = pool.submit(httpx.post, f"{serve.url}/v1/similarity", json=rows, timeout=60)
        time.sleep(0.5)
        serve.process.send_signal(signal.SIGINT)
        time.sleep(0.3)
        code, errors = serve.stop(signal.SIGINT)
        assert slow.result().status_code == 503
        assert slow.result().json()["error"]["code"] == "shutting_down"
    assert code == 0, errors
    assert "Traceback" not in errors


@pytest.mark.parametrize("gap", [0.002, 0.02])
def test_many_signals_one_after_the_other_leave_no_trace(gap):
    with ServeProcess("--model", "toy") as serve:
        for _ in range(60):
            serve.process.send_signal(signal.SIGTERM)
            time.sleep(gap)
        code, errors = serve.stop()
    assert code == 0, errors
    assert "Traceback" not in errors


def started_with(at_sighup):
    """Start a service that inherits what SIGHUP does, whatever it does to the tests."""
    before = signal.signal(signal.SIGHUP, at_sighup)
    try:
        return ServeProcess("--model", "toy")
    finally:
        signal.signal(signal.SIGHUP, before)


@pytest.mark.longer
def test_at_sighup_it_drains_as_at_sigterm():
    """A terminal that was closed ended it at once, and its requests with it."""
    with started_with(signal.SIG_DFL) as serve, ThreadPoolExecutor(1) as pool:
        accepted = pool.submit(ask, serve.url, "text", **SLOW)
        active = "trajsim_active_requests 1.0"
        assert eventually(lambda: active in httpx.get(f"{serve.url}/metrics").text)
        code, errors = serve.stop(signal.SIGHUP)
        assert accepted.result().status_code == 200
    assert code == 0, errors
    assert "stopped" in errors


@pytest.mark.longer
def test_sighup_has_no_effect_under_nohup():
    with started_with(signal.SIG_IGN) as serve:
        serve.process.send_signal(signal.SIGHUP)
        time.sleep(0.5)
        assert httpx.get(f"{serve.url}/health/ready").status_code == 200
        assert serve.stop()[0] == 0


@pytest.mark.longer
def test_a_full_standard_output_keeps_nothing_from_being_served():
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    command = [sys.executable, "-m", "similarity", "serve", "--model", "embedded"]
    with Path("/dev/full").open("w") as full:
        process = subprocess.Popen(
            [*command, "--port", str(port)], stdout=full, stderr=subprocess.PIPE, text=True
        )
    try:
        assert eventually(lambda: is_ready(port), 60)
        process.terminate()
        _, errors = process.communicate(timeout=30)
    finally:
        process.kill()
    assert process.returncode == 0
    assert "standard output cannot be written: No space left on device" in errors
    assert "Traceback" not in errors


def is_ready(port):
    try:
        return httpx.get(f"http://127.0.0.1:{port}/health/ready").status_code == 200
    except httpx.TransportError:
        return False


def test_a_taken_port_is_one_line():
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        result = CliRunner().invoke(main, ["serve", "--model", "toy", "--port", str(port)])
    assert result.exit_code == 2
    assert len(result.stderr.splitlines()) == 1
    assert f"cannot listen on 127.0.0.1:{port}" in result.stderr


@pytest.mark.parametrize(
    ("options", "needle"),
    [
        (["--model", "/no/such/model"], "/no/such/model"),
        (["--host", "0.0.0.0", "--model", "toy"], "--allow-open true"),
        (
            ["--port", "70000"],
            "--port: must be a whole number of at least 0 and at most 65,535, got",
        ),
        (
            ["--log-level", "loud"],
            "--log-level: must be one of debug, info, warning, error, got 'loud'",
        ),
        (["--cors-origins", "app.example"], "http://"),
        (
            ["--model", "toy", "--port", "0", "--preset", "paper", "--max-trajectories", "10"],
            "max_trajectories is 10, and a pair by preset paper needs 20",
        ),
        (["--host", "192.0.2.1", "--api-keys", "k", "--model", "toy"], "cannot listen"),
    ],
)
def test_mistakes_are_one_line(options, needle):
    result = CliRunner().invoke(main, ["serve", *options])
    assert result.exit_code in {1, 2}
    lines = [line for line in result.stderr.splitlines() if not line.startswith("loading")]
    assert len(lines) == 1, result.output
    assert needle in lines[0]


@pytest.mark.parametrize("fault", ["no package", "a wrong header"])
def test_what_keeps_traces_from_being_sent_is_said_before_the_model_is_loaded(fault, monkeypatch):
    """It was said after: of a large model minutes later."""
    if fault == "no package":
        module = "opentelemetry.exporter.otlp.proto.http.trace_exporter"
        monkeypatch.setitem(sys.modules, module, None)
    else:
        monkeypatch.setenv("OTEL_EXPORTER_OTLP_HEADERS", "secret")
    options = ["--model", "toy", "--port", "0", "--otlp-endpoint", "http://127.0.0.1:9"]
    result = CliRunner().invoke(main, ["serve", *options])
    assert result.exit_code in {1, 2}
    (line,) = result.stderr.splitlines()
    assert "OpenTelemetry: pip install" in line or "OTEL_EXPORTER_OTLP_HEADERS" in line


def test_help_shows_every_setting_with_its_variable():
    shown = " ".join(CliRunner().invoke(main, ["serve", "--help"]).output.split())
    for name in Settings.model_fields:
        assert "--" + name.replace("_", "-") in shown
        assert f"TRAJSIM_{name.upper()}" in shown


def test_help_gives_every_default_in_words():
    printed = CliRunner().invoke(main, ["serve", "--help"]).output
    assert "Undefined" not in printed
    assert printed.count("[default:") == len(Settings.model_fields)


def test_sigterm_ends_it_before_anything_is_imported(monkeypatch):
    """Else a container's first process goes on to serve: the signal has no effect by itself."""
    handlers = {}

    def stop():
        raise KeyError("the first import")

    monkeypatch.setattr("service.cli.signal.signal", handlers.__setitem__)
    monkeypatch.setattr("service.cli._extra", stop)
    with pytest.raises(KeyError, match="the first import"):
        command.callback()
    codes = []
    monkeypatch.setattr("service.cli.os._exit", codes.append)
    handlers[signal.SIGTERM](signal.SIGTERM, None)
    assert codes == [0]


@pytest.mark.parametrize(("name", "code"), [("serve", 0), ("compare", -signal.SIGTERM)])
def test_sigterm_ends_it_before_the_command_line_is_imported(name, code):
    """That takes a second, in which a container's first process would not hear it."""
    program = f"""
import os, signal, sys
import similarity.__main__ as begin
begin.import_module = lambda _: os.kill(os.getpid(), signal.SIGTERM)
sys.argv = ["trajsim", {name!r}]
begin.main()
"""
    ended = subprocess.run([sys.executable, "-c", program], check=False, capture_output=True)
    assert (ended.returncode, ended.stderr) == (code, b"")


@pytest.mark.longer
@pytest.mark.parametrize("seconds", [1.0, 1.7, 2.4, 3.1, 3.8])
def test_sigterm_while_it_starts_ends_it_without_a_word(seconds):
    """The interpreter's own end may crash in the native code of the thread that loads."""
    with subprocess.Popen(
        [sys.executable, "-m", "similarity", "serve", "--model", "embedded", "--port", "0"],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as process:
        time.sleep(seconds)
        process.terminate()
        _, said = process.communicate(timeout=30)
    assert process.returncode in (0, -signal.SIGTERM)
    assert "terminate called" not in said
    assert "Traceback" not in said
