"""The backend for vLLM's own engine, against an engine that is the toy model."""

import gc
import sys
import threading
import time
from dataclasses import dataclass, field
from itertools import chain
from types import ModuleType, SimpleNamespace
from typing import Any, ClassVar

import numpy as np
import pytest
from click.testing import CliRunner

from similarity import Law, compare, load_model
from similarity.cli.main import main
from similarity.config import ComparisonConfig
from similarity.errors import (
    ConfigError,
    MissingDependencyError,
    ModelNotFoundError,
    UnsupportedError,
    WrongAnswerError,
)
from similarity.models import vllm_offline
from similarity.models.base import Ability, SampleRequest, ScoreRequest
from similarity.models.loader import LoadOptions
from similarity.models.toy import ToyModel
from tests.similarity.models.fake_server import scoring

TOY = ToyModel()
(END,) = TOY.end_ids
STOPPED: list[str] = []


@dataclass(kw_only=True)
class SamplingParams:
    n: int = 1
    max_tokens: int = 16
    temperature: float = 1.0
    top_k: int = 0
    top_p: float = 1.0
    seed: int = 0
    prompt_logprobs: int | None = None
    logprobs: int | None = None
    logprob_token_ids: list[int] | None = None
    detokenize: bool = True


class Tokenizer:
    eos_token_id = END
    all_special_ids: ClassVar = [END]

    def get_vocab(self) -> dict[str, int]:
        return {f"<{i}>": i for i in range(TOY.vocab_size or 0)}

    def __call__(
        self, text: str, *, split_special_tokens: bool, add_special_tokens: bool, verbose: bool
    ) -> dict[str, list[int]]:
        assert split_special_tokens
        return {"input_ids": [*TOY.encode(text), *([END] if add_special_tokens else [])]}

    def decode(self, ids: list[int], *, skip_special_tokens: bool, **_options: bool) -> str:
        assert skip_special_tokens
        return TOY.decode(tuple(ids))


@dataclass
class LLM:
    model: str
    dtype: str
    enable_prefix_caching: bool
    generation_config: str
    tensor_parallel_size: int = 1
    max_logprobs: int = 20
    revision: str | None = None
    llm_engine: Any = field(init=False)

    def __post_init__(self) -> None:
        if self.model == "nowhere":
            raise ValueError("nowhere is no model\nand so on")
        config = SimpleNamespace(
            dtype="torch.float32",
            max_model_len=257,
            max_logprobs=self.max_logprobs,
            get_vocab_size=lambda: END + 1,
        )
        core = SimpleNamespace(shutdown=lambda: STOPPED.append(self.model))
        self.llm_engine = SimpleNamespace(model_config=config, engine_core=core)
        self.broken = self.model == "broken"

    def get_tokenizer(self) -> Tokenizer:
        return Tokenizer()

    def generate(self, prompts: Any, params: Any, *, use_tqdm: bool) -> list[Any]:
        assert not use_tqdm
        each = params if isinstance(params, list) else [params] * len(prompts)
        return [
            self._one(tuple(prompt["prompt_token_ids"]), p)
            for prompt, p in zip(prompts, each, strict=True)
        ]

    def _one(self, ids: tuple[int, ...], params: SamplingParams) -> Any:
        law = Law(temperature=params.temperature, top_k=params.top_k, top_p=params.top_p)
        if params.logprob_token_ids is not None:
            # Beside chosen tokens vLLM takes a number of others too, 20 of them as it is set.
            assert params.logprobs is None
            assert len(params.logprob_token_ids) <= 128
            (log_probs,) = TOY.next_log_probs([ids], params.logprob_token_ids)
            row = {
                token: SimpleNamespace(logprob=float(value) - 9.0 * (self.model == "other"))
                for token, value in zip(params.logprob_token_ids, log_probs, strict=True)
            }
            return SimpleNamespace(outputs=[SimpleNamespace(logprobs=[row])])
        if params.prompt_logprobs is None:
            request = SampleRequest(
                prefix=ids, n=params.n, max_tokens=params.max_tokens, key=params.seed
            )
            (sampled,) = TOY.sample([request], law)
            outputs = [
                SimpleNamespace(
                    token_ids=list(one.token_ids),
                    text=TOY.decode(one.token_ids),
                    finish_reason="stop" if one.token_ids[-1] == END else "length",
                )
                for one in sampled
            ]
            return SimpleNamespace(outputs=outputs, prompt_logprobs=None)
        request = ScoreRequest(prefix=ids[:1], continuations=(ids[1:],))
        ((rows,),) = TOY.distributions([request], law)
        best = np.argsort(-rows, axis=1, kind="stable")[:, : params.prompt_logprobs]
        if self.broken:
            rows = rows * np.nan
        listed = [
            {int(i): SimpleNamespace(logprob=float(row[i])) for i in (token, *tokens)}
            for token, row, tokens in zip(ids[1:], rows, best, strict=True)
        ]
        return SimpleNamespace(outputs=[], prompt_logprobs=[None, *listed])


@pytest.fixture(autouse=True)
def engine(monkeypatch: pytest.MonkeyPatch) -> None:
    module: Any = ModuleType("vllm")
    module.LLM, module.SamplingParams = LLM, SamplingParams
    monkeypatch.setitem(sys.modules, "vllm", module)
    monkeypatch.setattr(vllm_offline, "on_hub", lambda _source, _given: {"revision": "c0ffee"})
    monkeypatch.delenv("TRAJSIM_VLLM_ENGINE", raising=False)
    for name in ("VLLM_LOGGING_STREAM", "VLLM_LOGGING_LEVEL"):
        monkeypatch.setenv(name, "set")


def test_scores_and_texts_are_the_models() -> None:
    model = load_model("vllm:org/toy")
    assert (model.info.name, model.info.revision) == ("org/toy", "c0ffee")
    assert (model.info.dtype, model.info.context_length) == ("float32", 256)
    assert model.vocab_size == END + 1
    assert model.encode("naïve") == TOY.encode("naïve")
    assert model.decode(model.encode("naïve")) == "naïve"
    found = model.score(scoring(), Law())
    for mine, truth in zip(found, TOY.score(scoring(), Law()), strict=True):
        for row, expected in zip(mine, truth, strict=True):
            np.testing.assert_allclose(row, expected)


@pytest.mark.longer
def test_the_most_probable_tokens_are_the_models(monkeypatch: pytest.MonkeyPatch) -> None:
    found = load_model("vllm:toy").top_distributions(scoring(), Law(), 6)
    truth = TOY.top_distributions(scoring(), Law(), 6)
    for mine, expected in zip(chain(*found), chain(*truth), strict=True):
        np.testing.assert_array_equal(mine.ids, expected.ids)
        np.testing.assert_array_equal(mine.log_probs, expected.log_probs)
    with pytest.raises(
        ConfigError, match='20 most probable tokens, not 21; put "max_logprobs": 21'
    ):
        load_model("vllm:toy").top_distributions(scoring(), Law(), 21)
    monkeypatch.setenv("TRAJSIM_VLLM_ENGINE", '{"max_logprobs": -1}')
    assert load_model("vllm:toy").top_distributions(scoring(), Law(), 21)


def test_a_comparison() -> None:
    config = ComparisonConfig.build(n_trajectories=5, max_tokens=8)
    result = compare(load_model("vllm:toy"), "a red car", "a blue boat", config)
    assert 0 < result.similarity < 1
    assert any(trajectory.ended for trajectory in result.trajectories)


def test_another_law_is_refused() -> None:
    config = ComparisonConfig.build(top_k=3)
    with pytest.raises(ConfigError, match="score_law model"):
        compare(load_model("vllm:toy"), "a", "b", config)


def test_settings_of_the_engine(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TRAJSIM_VLLM_ENGINE", '{"tensor_parallel_size": 4}')
    model: Any = load_model("vllm:toy")
    assert model._engine.tensor_parallel_size == 4
    assert model._engine.enable_prefix_caching is False


@pytest.mark.parametrize(
    ("text", "match"),
    [
        ("tensor_parallel_size=4", "must be a JSON object"),
        ("[1]", "must be a JSON object"),
        ('{"enable_prefix_caching": true}', "scores depend on it"),
    ],
)
def test_settings_that_are_none(monkeypatch: pytest.MonkeyPatch, text: str, match: str) -> None:
    monkeypatch.setenv("TRAJSIM_VLLM_ENGINE", text)
    with pytest.raises(ConfigError, match=match):
        load_model("vllm:toy")


def test_chosen_tokens() -> None:
    model = load_model("vllm:toy")
    assert model.abilities == {Ability.TOP_TOKENS, Ability.TOKEN_LOG_PROBS}
    prefixes, tokens = [TOY.encode("ab"), TOY.encode("c")], [*range(200, 0, -1), 7]
    expected = TOY.next_log_probs(prefixes, tokens)
    np.testing.assert_allclose(model.next_log_probs(prefixes, tokens), expected, atol=1e-5)


def test_chosen_tokens_that_are_not_what_is_scored() -> None:
    model = load_model("vllm:other")
    assert model.abilities == {Ability.TOP_TOKENS}
    with pytest.raises(UnsupportedError, match=r"take vLLM 0\.32"):
        model.next_log_probs([(1, 2)], [3])


def test_a_device_is_refused() -> None:
    with pytest.raises(ConfigError, match="leave device at auto"):
        load_model("vllm:toy", LoadOptions(device="cpu"))
    with pytest.raises(ConfigError, match="the server's"):
        load_model("http://127.0.0.1:1", LoadOptions(dtype="float16"))


def test_no_model_and_a_broken_one() -> None:
    with pytest.raises(ModelNotFoundError, match="nowhere is no model; give"):
        load_model("vllm:nowhere")
    STOPPED.clear()
    with pytest.raises(WrongAnswerError, match="not finite"):
        load_model("vllm:broken")
    assert STOPPED == ["broken"]


def test_a_command_stops_the_engine_at_its_end() -> None:
    STOPPED.clear()
    arguments = ["compare", "a", "b", "--model", "vllm:toy", "-n", "2"]
    result = CliRunner().invoke(main, arguments, catch_exceptions=False)
    assert result.exit_code == 0, result.output
    assert STOPPED == ["toy"]


def test_without_vllm(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "vllm", None)
    with pytest.raises(MissingDependencyError, match="pip install vllm"):
        load_model("vllm:toy")


def test_a_server_without_httpx(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in [name for name in sys.modules if "vllm_server" in name]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, "httpx", None)
    with pytest.raises(MissingDependencyError, match="pip install httpx anyio"):
        load_model("http://127.0.0.1:1")


def test_the_engine_is_stopped_once_and_its_thread_waited_for(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    # The thread that reads the answers frees the last tensors; were it left to the end of the
    # interpreter, it could abort the program.
    model: Any = load_model("vllm:org/toy")
    core, asked = model._engine.llm_engine.engine_core, threading.Event()
    thread = threading.Thread(target=lambda: asked.wait(60) and time.sleep(0.2), daemon=True)
    thread.start()
    monkeypatch.setattr(core, "output_queue_thread", thread, raising=False)
    calls: list[None] = []
    monkeypatch.setattr(core, "shutdown", lambda: (calls.append(None), asked.set()))
    model.close()
    assert not thread.is_alive()
    model.close()
    assert len(calls) == 1


@pytest.mark.longer
def test_an_engine_whose_model_nobody_closes_is_stopped(monkeypatch: pytest.MonkeyPatch) -> None:
    model: Any = load_model("vllm:org/toy")
    calls: list[str] = []
    core = model._engine.llm_engine.engine_core
    monkeypatch.setattr(core, "shutdown", lambda: calls.append("stopped"))
    del model
    gc.collect()
    assert calls == ["stopped"]
