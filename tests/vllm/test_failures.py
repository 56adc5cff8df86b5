"""Real servers that die, come back, or are not what they were."""

import json
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

import httpx
import numpy as np
import pytest
import torch
from click.testing import CliRunner, Result
from safetensors.torch import load_file, save_file

from similarity import ComparisonConfig, Law, compare, compare_pairs
from similarity.cli.main import main
from similarity.errors import BackendRefusedError, BackendUnavailableError, WrongAnswerError
from similarity.models.base import SampleRequest, ScoreRequest, TokenIds
from similarity.models.loader import EMBEDDED_PATH
from similarity.models.vllm_server.config import ServerConfig
from similarity.models.vllm_server.loader import load_server
from similarity.models.vllm_server.model import ServerModel
from tests.vllm.conftest import Start
from tests.vllm.servers import Server

LAW = Law()
PAIRS = [(f"Text {i} is about the weather.", f"Text {i + 1} is not.") for i in range(6)]
CONFIG = ComparisonConfig.build(n_trajectories=10, max_tokens=12)
# Little at a time, so that much is left when a server dies.
SMALL = ServerConfig(patience=5.0, request_tokens=256, in_flight=2)

Load = Callable[..., ServerModel]


@pytest.fixture
def load() -> Iterator[Load]:
    models: list[ServerModel] = []

    def load_model(*servers: Server, **settings: object) -> ServerModel:
        address = ",".join(server.url for server in servers)
        models.append(load_server(address, SMALL, **settings))
        return models[-1]

    yield load_model
    for model in models:
        model.close()


@pytest.fixture(scope="module")
def other_model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a folder with other weights than the embedded model's, and all else the same."""
    folder = tmp_path_factory.mktemp("models") / "other"
    shutil.copytree(EMBEDDED_PATH, folder)
    weights = load_file(folder / "model.safetensors")
    torch.manual_seed(0)
    changed = {
        name: weight + 0.2 * weight.std() * torch.randn_like(weight) if weight.dim() > 1 else weight
        for name, weight in weights.items()
    }
    save_file(changed, folder / "model.safetensors", metadata={"format": "pt"})
    return folder


class Recorder(httpx.AsyncBaseTransport):
    """The network, and every prompt for which a score came back."""

    def __init__(self) -> None:
        self.scored: list[TokenIds] = []
        self._network = httpx.AsyncHTTPTransport()

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        response = await self._network.handle_async_request(request)
        if request.url.path == "/v1/completions":
            await response.aread()
            body = json.loads(request.content)
            if body.get("prompt_logprobs") == 0:
                self.scored += map(tuple, body["prompt"])
        return response

    async def aclose(self) -> None:
        await self._network.aclose()


def at_first(action: Callable[[], None]) -> Callable[[int], None]:
    """Return an `on_progress` that acts when the first thing is finished."""
    done: list[int] = []

    def on_progress(finished: int) -> None:
        if finished and not done:
            done.append(finished)
            action()

    return on_progress


def requests_of(model: ServerModel) -> list[ScoreRequest]:
    """Return texts with the continuations of all of them."""
    prefixes = [model.encode(text) for pair in PAIRS for text in pair]
    wanted = [SampleRequest(prefix=p, n=4, max_tokens=8, key=i) for i, p in enumerate(prefixes)]
    sampled = model.sample(wanted, LAW)
    continuations = tuple(one.token_ids for samples in sampled for one in samples)
    return [ScoreRequest(prefix=prefix, continuations=continuations) for prefix in prefixes]


def doctor(*arguments: str) -> Result:
    return CliRunner().invoke(main, ["doctor", "--json", *arguments])


def errors(result: Result) -> dict[str, str | None]:
    findings = json.loads(result.stdout.splitlines()[0])["findings"]
    return {finding["check"]: finding["error"] for finding in findings}


def test_the_doctor_finds_nothing(servers: tuple[Server, Server]) -> None:
    result = doctor("--model", ",".join(server.url for server in servers))
    assert result.exit_code == 0, result.output
    assert "reference embedded" in errors(result)


def test_two_servers_share_the_work(servers: tuple[Server, Server], load: Load) -> None:
    before = [server.metric("vllm:prompt_tokens_total") for server in servers]
    both = compare_pairs(load(*servers), PAIRS, CONFIG)
    alone = compare_pairs(load(servers[0]), PAIRS, CONFIG)
    for server, tokens in zip(servers, before, strict=True):
        assert server.metric("vllm:prompt_tokens_total") > tokens
    for one, two in zip(both, alone, strict=True):
        assert one.distance == pytest.approx(two.distance, abs=1e-6)


def test_one_of_two_servers_is_killed(servers: tuple[Server, Server], load: Load) -> None:
    first, second = servers
    requests = requests_of(load(first))
    expected = load(first).score(requests, LAW)
    recorder = Recorder()
    model = load(first, second, transport=recorder)
    recorder.scored.clear()
    counts: list[int] = []
    kill = at_first(second.kill)

    def on_progress(finished: int) -> None:
        counts.append(finished)
        kill(finished)

    found = model.score(requests, LAW, on_progress)

    assert sum(counts) == len(requests)
    for rows, others in zip(found, expected, strict=True):
        for row, other in zip(rows, others, strict=True):
            np.testing.assert_allclose(row, other, atol=1e-4)
    probe = model.identity.probe.prefix + model.identity.probe.continuation
    scored = [prompt for prompt in recorder.scored if prompt != probe]
    wanted = {request.prefix + ids for request in requests for ids in request.continuations}
    assert len(scored) == len(set(scored))
    assert set(scored) == wanted

    # It is taken in again when it is back, by the same client.
    second.start().wait()
    first_tokens = second.metric("vllm:prompt_tokens_total")
    model.score(requests, LAW)
    model.score(requests, LAW)
    assert second.metric("vllm:prompt_tokens_total") > first_tokens


def test_a_server_is_killed_and_comes_back(servers: tuple[Server, Server], load: Load) -> None:
    server = servers[1]
    model = load(server)
    before = compare(model, *PAIRS[0], CONFIG)
    requests = requests_of(model)
    with pytest.raises(BackendUnavailableError, match="does not answer"):
        model.score(requests, LAW, at_first(server.kill))
    with pytest.raises(BackendUnavailableError, match="does not answer"):
        compare(model, *PAIRS[0], CONFIG)
    server.start().wait()
    again = compare(model, *PAIRS[0], CONFIG)
    assert again.distance == pytest.approx(before.distance, abs=1e-6)
    assert [t.text for t in again.trajectories] == [t.text for t in before.trajectories]


def test_another_model(servers: tuple[Server, Server], other_model: Path, load: Load) -> None:
    first, second = servers
    model = load(second)
    second.kill()
    right, second.model = second.model, other_model
    second.start().wait()
    try:
        # Behind an address that a client knows.
        with pytest.raises(WrongAnswerError, match="another model than before"):
            compare(model, *PAIRS[0], CONFIG)
        # Beside a right one.
        with pytest.raises(BackendRefusedError, match="another model than"):
            load(first, second)
        # Where a certain one is wanted.
        with pytest.raises(BackendRefusedError, match="serves 'embedded' as probe:"):
            load_server(f"{second.url}#embedded@{model.info.revision}")
        with pytest.raises(BackendRefusedError, match="not 'something'"):
            load_server(f"{second.url}#something")
        # To the doctor, as the server says that it has the embedded model.
        result = doctor("--model", second.url)
        assert result.exit_code == 1
        assert "is not embedded" in (errors(result)["reference embedded"] or "")
    finally:
        second.kill()
        second.model = right
        second.start().wait()


def test_a_prefix_cache(start: Start) -> None:
    server = start(flags=("--enable-prefix-caching",)).wait()
    result = doctor("--model", server.url)
    assert result.exit_code == 1
    assert "--no-enable-prefix-caching" in (errors(result)["prefix cache"] or "")
    with pytest.raises(BackendRefusedError, match="--no-enable-prefix-caching"):
        load_server(server.url)
    server.kill()
