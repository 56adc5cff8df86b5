"""vLLM's own engine where it pools, against an engine that is the embedded model."""

import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any, ClassVar

import numpy as np
import pytest
import torch

from similarity import compare
from similarity.arrays import Rows
from similarity.calibration import add_calibration
from similarity.doctor import diagnose
from similarity.errors import ModelError, UnsupportedError, WrongAnswerError
from similarity.known_scales import VARIABLE
from similarity.models.base import Ability
from similarity.models.loader import EMBEDDED_PATH, load_model
from similarity.models.local import LocalModel, load_local
from similarity.presets import MEANING, default_preset
from similarity.scales import scale_of_general_text
from similarity.scorers import open_scorer
from similarity.vectors.recipes import default_config

LOCAL = load_local(str(EMBEDDED_PATH), name="embedded", device="cpu", dtype="float32")
MODEL = f"vllm:{EMBEDDED_PATH}"


@dataclass(kw_only=True)
class PoolingParams:
    use_activation: bool


class LLM:
    """Pools the last token, but for what a test has of it."""

    attention: ClassVar = "decoder"
    pooled: ClassVar = staticmethod(lambda model, prefixes: model.next_states(prefixes))
    closed: ClassVar = 0

    def __init__(self, **settings: Any) -> None:
        assert settings["enable_prefix_caching"] is False
        config = SimpleNamespace(
            dtype="torch.float32",
            max_model_len=512,
            runner_type="pooling",
            attn_type=self.attention,
            get_vocab_size=lambda: LOCAL.vocab_size,
        )
        core = SimpleNamespace(shutdown=self._shutdown)
        self.llm_engine = SimpleNamespace(model_config=config, engine_core=core)

    def _shutdown(self) -> None:
        type(self).closed += 1

    def get_tokenizer(self) -> Any:
        return LOCAL.tokenization.tokenizer

    def encode(
        self, prompts: Any, params: PoolingParams, *, pooling_task: str, use_tqdm: bool
    ) -> list[Any]:
        assert (params.use_activation, pooling_task, use_tqdm) == (False, "embed", False)
        prefixes = [tuple(prompt["prompt_token_ids"]) for prompt in prompts]
        return [
            SimpleNamespace(
                prompt_token_ids=list(prefix), outputs=SimpleNamespace(data=torch.tensor(state))
            )
            for prefix, state in zip(prefixes, self.pooled(LOCAL, prefixes), strict=True)
        ]


@pytest.fixture(autouse=True)
def engine(monkeypatch: pytest.MonkeyPatch) -> None:
    module: Any = ModuleType("vllm")
    module.LLM, module.PoolingParams, module.SamplingParams = LLM, PoolingParams, None
    monkeypatch.setitem(sys.modules, "vllm", module)
    monkeypatch.delenv("TRAJSIM_VLLM_ENGINE", raising=False)
    for name in ("VLLM_LOGGING_STREAM", "VLLM_LOGGING_LEVEL"):
        monkeypatch.setenv(name, "set")


def test_states_are_those_of_the_model_in_this_process() -> None:
    model = load_model(MODEL)
    assert model.abilities == {Ability.NEXT_STATES}
    assert not model.generates
    prefixes = [LOCAL.encode(text) for text in ("A dog runs.", "naïve Übermut, 北京")]
    assert [model.encode(text) for text in ("A dog runs.", "naïve Übermut, 北京")] == prefixes
    np.testing.assert_allclose(model.next_states(prefixes), LOCAL.next_states(prefixes), atol=1e-5)
    assert model.decode(prefixes[0]) == "A dog runs."
    assert default_preset(default_config(model).names) == MEANING


def test_continuations_are_refused() -> None:
    with pytest.raises(UnsupportedError, match="in an engine that pools, which neither samples"):
        compare(load_model(MODEL), "a", "b", preset="paper")


@pytest.mark.longer
def test_no_scale_of_other_vectors_is_put_on_states(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Profiles and states of one model have one revision; their scales are told apart."""
    model = load_model(MODEL)
    path = tmp_path / "calibration.json"
    add_calibration(path, scale_of_general_text(open_scorer(LOCAL, "meaning"), 8))
    monkeypatch.setenv(VARIABLE, str(path))
    profiles = compare(LOCAL, "A dog runs.", "A puppy is running.", preset="meaning")
    states = compare(model, "A dog runs.", "A puppy is running.", preset="meaning")
    assert model.info.revision == LOCAL.info.revision
    assert model.assets == LOCAL.assets
    assert profiles.fingerprint.scale == "general text"
    assert states.fingerprint.scale == "none"
    assert "over states" in states.fingerprint.describe()


@pytest.mark.longer
def test_the_doctor_finds_what_it_gives() -> None:
    closed = LLM.closed
    checks = {found.check.name: found.check for found in diagnose(MODEL)}
    assert checks["offers"].found.startswith("it pools: states of")
    assert checks["pooled token"].found.startswith("the last")
    assert checks["attention"].found == "decoder"
    assert not any(check.error for check in checks.values())
    assert LLM.closed > closed


def mean(model: LocalModel, prefixes: Sequence[tuple[int, ...]]) -> Rows:
    return np.array([rows.mean(axis=0) for rows in model.hidden_states(prefixes)])


def of_length_1(model: LocalModel, prefixes: Sequence[tuple[int, ...]]) -> Rows:
    states = model.next_states(prefixes)
    return states / np.linalg.norm(states, axis=1, keepdims=True)


def first(model: LocalModel, prefixes: Sequence[tuple[int, ...]]) -> Rows:
    return model.next_states([prefix[:1] for prefix in prefixes])


def beside_others(model: LocalModel, prefixes: Sequence[tuple[int, ...]]) -> Rows:
    return model.next_states(prefixes) * np.linspace(1, 2, len(prefixes))[:, None]


def not_finite(model: LocalModel, prefixes: Sequence[tuple[int, ...]]) -> Rows:
    return model.next_states(prefixes) * np.float32("nan")


@pytest.mark.longer
@pytest.mark.parametrize(
    ("pooled", "message"),
    [
        (mean, 'gives means over all tokens, and states of the last .* are needed; put "runner'),
        (of_length_1, "makes all states of length 1"),
        (first, "gives states that later tokens do not move"),
        (beside_others, "gives a text other states beside other texts"),
        (not_finite, "states that are zero or not finite"),
    ],
)
def test_other_pooling_is_refused(
    monkeypatch: pytest.MonkeyPatch, pooled: Any, message: str
) -> None:
    monkeypatch.setattr(LLM, "pooled", staticmethod(pooled))
    closed = LLM.closed
    with pytest.raises(WrongAnswerError, match=message):
        load_model(MODEL)
    assert LLM.closed == closed + 1


def test_an_encoder_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(LLM, "attention", "encoder_only")
    with pytest.raises(WrongAnswerError, match="is no causal language model for vLLM"):
        load_model(MODEL)


def test_an_engine_that_gives_no_states_says_how_it_must_be_set(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def classify(_model: LocalModel, _prefixes: Sequence[tuple[int, ...]]) -> Rows:
        raise ValueError("Embedding API is not supported by this model.")

    monkeypatch.setattr(LLM, "pooled", staticmethod(classify))
    with pytest.raises(ModelError, match='put "runner": "pooling", "convert": "embed" into TRAJ'):
        load_model(MODEL)
