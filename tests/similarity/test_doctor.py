"""What `trajsim doctor` finds, and how it says so."""

import json
import subprocess
import sys
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import httpx
import numpy as np
import pytest
from click.testing import CliRunner, Result

from benchmarks.zoo_models import save_tiny
from similarity import doctor
from similarity.arrays import Rows
from similarity.cli.main import main
from similarity.models.base import (
    Continuation,
    LanguageModel,
    OnProgress,
    ScoreRequest,
    TokenIds,
    ignore_progress,
)
from similarity.models.loader import LoadOptions
from similarity.models.local import LocalModel
from similarity.models.toy import ToyModel
from similarity.models.vllm_server import loader
from similarity.models.vllm_server.loader import Servers
from tests.similarity.models.fake_pooling_server import FakePoolingServer, toy_states
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


def test_a_model_in_this_process_needs_no_client_of_servers() -> None:
    program = (
        "import sys; sys.modules['httpx'] = None; from similarity.doctor import diagnose; "
        "print(any(finding.failed for finding in diagnose('toy')))"
    )
    result = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=False
    )
    assert (result.stdout.strip(), result.stderr) == ("False", "")


def test_a_server(network: dict[str, FakeServer]) -> None:
    network["a"] = FakeServer()
    result = run("--model", "http://a:8000", "--json")
    assert result.exit_code == 0
    findings = found(result)
    assert findings["prefix cache"]["found"] == "off"
    compares = findings["compares by"]["found"]
    assert compares.startswith("presets paper; distances l1, ")
    assert findings["offers"]["found"].startswith("it generates: samples and scores")
    assert "tokens/s" in findings["scoring"]["found"]
    assert all(finding["error"] is None for finding in findings.values())


def test_the_tokens_of_a_pair() -> None:
    # Two texts of one prefix of 3 tokens, with 2 continuations of 4 tokens each.
    model = ToyModel()
    prefixes = [(1, 2, 3), (1, 2, 4)]
    scored = [Continuation(token_ids=(1, 2, 3, 4), log_probs=np.zeros(4), ended=False)] * 2
    untold = [replace(one, log_probs=None) for one in scored]
    cost = doctor._tokens_of_a_pair(model, prefixes, [scored, scored])
    # A continuation of the other text reads 3 tokens of its text, and all its own but the last.
    assert cost.found.startswith(f"16 sampled, {2 * 2 * (3 + 3)} read to score them")
    twice = doctor._tokens_of_a_pair(model, prefixes, [untold, untold])
    assert twice.found.startswith(f"16 sampled, {2 * 2 * 2 * (3 + 3)} read to score them")


def test_packs_read_a_prefix_once(tiny: Callable[[str], LocalModel]) -> None:
    local = tiny("llama")
    request = ScoreRequest(prefix=tuple(range(5, 25)), continuations=((1, 2, 3),) * 6)
    assert local.network.packs
    assert local.tokens_read([request]) == 20 + 6 * 2
    assert LanguageModel.tokens_read(local, [request]) == 6 * (20 + 2)


def test_a_server_that_pools(network: dict[str, FakeServer]) -> None:
    network["a"] = FakePoolingServer()
    result = run("--model", "http://a:8000", "--json")
    assert result.exit_code == 0
    findings = found(result)
    assert "it pools: states of" in findings["offers"]["found"]
    assert "texts/s" in findings["states"]["found"]
    compares = findings["compares by"]["found"]
    assert compares.startswith("presets fast, meaning, best; not l1, ")
    assert "sampling" not in findings


def test_a_server_that_pools_the_mean(network: dict[str, FakeServer]) -> None:
    server = network["a"] = FakePoolingServer()
    server.pooled = lambda states: states.mean(axis=0)
    result = run("--model", "http://a:8000", "--json")
    assert result.exit_code == 1
    assert "--pooler-config" in found(result)["pooled token"]["error"]


class StatesReference(ToyModel):
    """The toy with states, perhaps of another model."""

    def __init__(self, seed: int) -> None:
        super().__init__()
        self._seed = seed

    def next_states(
        self, prefixes: Sequence[TokenIds], _on_progress: OnProgress = ignore_progress
    ) -> Rows:
        return toy_states(prefixes, self._seed)


@pytest.mark.parametrize(("seed", "code"), [(0, 0), (1, 1)])
def test_states_are_compared_with_the_reference(
    network: dict[str, FakeServer], monkeypatch: pytest.MonkeyPatch, seed: int, code: int
) -> None:
    network["a"] = FakePoolingServer()
    monkeypatch.setattr(doctor, "load_model", lambda _name: StatesReference(seed))
    result = run("--model", "http://a:8000", "--reference", "another", "--json")
    assert result.exit_code == code
    assert "states differ by" in found(result)["reference toy"]["found"]


def test_a_reference_without_states_is_compared_by_tokens(network: dict[str, FakeServer]) -> None:
    network["a"] = FakePoolingServer()
    result = run("--model", "http://a:8000", "--reference", "toy", "--json")
    assert result.exit_code == 0
    assert "states not compared" in found(result)["reference toy"]["found"]


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


@pytest.mark.longer
def test_one_server_of_two(network: dict[str, FakeServer]) -> None:
    network["a"], network["b"] = FakeServer(), FakeServer()
    network["b"].down = True
    result = run("--model", "http://a:8000,http://b:8000", "--json")
    assert result.exit_code == 1
    assert found(result)["server"]["place"] == "http://b:8000"


def test_a_model_that_is_refused_is_a_finding(tmp_path: Path) -> None:
    folder = str(save_tiny("xlnet", tmp_path / "xlnet"))
    result = run("--model", folder, "--json")
    assert result.exit_code == 1
    assert "not causal" in found(result)["loading"]["error"]
    assert result.stderr.count("\n") == 1
    assert "not causal" in result.stderr


@pytest.mark.longer
@pytest.mark.parametrize("architecture", ["gpt_neo", "mamba", "bert", "roberta"])
def test_what_was_found_is_reported_in_words(tmp_path: Path, architecture: str) -> None:
    result = run("--model", str(save_tiny(architecture, tmp_path)), "--json")
    assert result.exit_code == 0
    findings = found(result)
    assert findings["causal"]["found"].startswith("later tokens move earlier ones by")
    assert findings["tokenizer"]["found"] == "puts <s> before a text, nothing behind it"
    assert "read up to" in findings["long texts"]["found"]
    assert {"padding", "copied state", "packing", "prefix and continuation"} <= findings.keys()


def test_no_such_model_is_no_finding() -> None:
    result = run("--model", "no/such/model/at/all")
    assert result.exit_code == 1
    assert result.stdout == ""
    assert "no model" in result.stderr


class Forgetful(ToyModel):
    """Scores another number each time, as what is left in a cache would."""

    def score(self, *args: Any, **kwargs: Any) -> Any:
        self._prior *= 10
        return super().score(*args, **kwargs)


class Foreseeing(ToyModel):
    """Scores a token by what comes after it too."""

    def _score_one(self, prefix: Any, continuation: Any, law: Any) -> Any:
        return super()._score_one(prefix, continuation, law) - len(continuation)


@pytest.mark.parametrize(
    ("model", "check"),
    [(Forgetful, "scores twice"), (Foreseeing, "scores with more behind")],
)
def test_advice_is_for_the_kind_of_model(
    monkeypatch: pytest.MonkeyPatch, model: type[ToyModel], check: str
) -> None:
    monkeypatch.setattr("similarity.models.toy.ToyModel", model)
    result = run("--model", "toy", "--json")
    assert result.exit_code == 1
    assert check in found(result)
    assert "are not the same" in found(result)[check]["error"]
    assert "vLLM" not in result.stderr


def test_a_sampler_that_scores_otherwise_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    class Partial(ToyModel):
        def sample(self, *args: Any, **kwargs: Any) -> Any:
            return [
                [replace(one, log_probs=one.log_probs + 1.0) for one in row]
                for row in super().sample(*args, **kwargs)
            ]

    monkeypatch.setattr("similarity.models.toy.ToyModel", Partial)
    result = run("--model", "toy", "--json")
    assert result.exit_code == 1
    assert "they differ by 1 nats" in found(result)["the scores of what is sampled"]["error"]
