"""What `trajsim doctor` finds, and how it tells."""

import json
from typing import Any

import httpx
import pytest
from click.testing import CliRunner, Result

from similarity import doctor
from similarity.cli.main import main
from similarity.models.loader import LoadOptions
from similarity.models.toy import ToyModel
from similarity.models.vllm_server import loader
from similarity.models.vllm_server.loader import Servers
from tests.similarity.models.fake_server import QUICK, FakeServer, transport


def run(*arguments: str) -> Result:
    return CliRunner().invoke(main, ["doctor", *arguments])


@pytest.fixture
def network(monkeypatch: pytest.MonkeyPatch) -> dict[str, FakeServer]:
    """Put scripted servers in the place of the network, by host."""
    servers: dict[str, FakeServer] = {}

    def open_servers(name: str, _options: LoadOptions) -> Servers:
        found: httpx.MockTransport = transport(**servers)
        return Servers(name, QUICK, transport=found)

    monkeypatch.setattr(loader, "open_servers", open_servers)
    monkeypatch.setattr(doctor, "TEXTS", 2)
    return servers


def found(result: Result) -> dict[str, Any]:
    findings = json.loads(result.stdout.splitlines()[0])["findings"]
    return {finding["check"]: finding for finding in findings}


def test_a_model_in_this_process() -> None:
    result = run("--model", "toy")
    assert result.exit_code == 0
    assert "scores in another order" in result.stdout
    assert "tokens/s" in result.stdout


def test_a_server(network: dict[str, FakeServer]) -> None:
    network["a"] = FakeServer()
    result = run("--model", "http://a:8000", "--json")
    assert result.exit_code == 0
    findings = found(result)
    assert findings["prefix cache"]["found"] == "off"
    assert "tokens/s" in findings["scoring"]["found"]
    assert all(finding["error"] is None for finding in findings.values())


def test_a_server_with_a_prefix_cache(network: dict[str, FakeServer]) -> None:
    network["a"] = FakeServer()
    network["a"].metrics = network["a"].metrics.replace("False", "True")
    result = run("--model", "http://a:8000")
    assert result.exit_code == 1
    assert "FAIL" in result.stdout
    assert result.stderr.count("\n") == 1
    assert "--no-enable-prefix-caching" in result.stderr


def test_another_model_than_the_reference(network: dict[str, FakeServer]) -> None:
    network["a"] = FakeServer(ToyModel(prior=0.5))
    result = run("--model", "http://a:8000", "--reference", "toy", "--json")
    assert result.exit_code == 1
    assert "is not toy" in found(result)["reference toy"]["error"]


def test_other_tokens_than_the_reference(network: dict[str, FakeServer]) -> None:
    alphabet = bytes(reversed(range(256)))
    network["a"] = FakeServer(ToyModel(alphabet))
    result = run("--model", "http://a:8000", "--reference", "toy", "--json")
    assert result.exit_code == 1
    assert "other tokens" in found(result)["reference toy"]["error"]


def test_no_server(network: dict[str, FakeServer]) -> None:
    network["a"] = FakeServer()
    network["a"].down = True
    result = run("--model", "http://a:8000")
    assert result.exit_code == 1
    assert "does not answer" in result.stderr


def test_one_server_of_two(network: dict[str, FakeServer]) -> None:
    network["a"], network["b"] = FakeServer(), FakeServer()
    network["b"].down = True
    result = run("--model", "http://a:8000,http://b:8000", "--json")
    assert result.exit_code == 1
    assert found(result)["server"]["place"] == "http://b:8000"
