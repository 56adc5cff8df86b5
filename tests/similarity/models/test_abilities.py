"""Each backend can do what it says it can, and refuses the rest."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
import transformers

from similarity.errors import UnsupportedError
from similarity.images.sources import read_image
from similarity.law import Law
from similarity.models.base import Ability, LanguageModel, ScoreRequest, TokenIds
from similarity.models.loader import load_model
from similarity.models.local import LocalModel
from similarity.models.network import Network
from similarity.models.reference import ReferenceModel
from similarity.models.toy import ToyModel
from similarity.models.wrapper import WrapperModel
from tests.similarity.images.made import as_file, picture
from tests.similarity.models.fake_server import FakeServer, Load
from tests.tiny_models import _ATTENTION, ARCHITECTURES
from tests.tiny_vision_models import save_tiny_vision_model

Loader = Callable[[str], LocalModel]
PREFIXES: list[TokenIds] = [(5, 6, 7, 8, 9), (20,), (5, 6, 13), (5, 6, 13)]
IMAGE = read_image(as_file(picture()), "photo.png")
REQUESTS = [ScoreRequest(prefix=(5, 6), continuations=((7, 8),))]
CALLS: dict[Ability, Callable[[LanguageModel], Any]] = {
    Ability.DISTRIBUTIONS: lambda model: model.distributions(REQUESTS, Law()),
    Ability.TOP_TOKENS: lambda model: model.top_distributions(REQUESTS, Law(), 3),
    Ability.HIDDEN_STATES: lambda model: model.hidden_states(PREFIXES),
    Ability.NEXT_STATES: lambda model: model.next_states(PREFIXES),
    Ability.OUTPUT_HEAD: lambda model: model.output_head(),
    Ability.TOKEN_LOG_PROBS: lambda model: model.next_log_probs(PREFIXES, [3, 1]),
    Ability.IMAGES: lambda model: model.encode_image(IMAGE, "", " is"),
}


def check_abilities(model: LanguageModel) -> None:
    assert CALLS.keys() == set(Ability)
    for ability, call in CALLS.items():
        if ability in model.abilities:
            assert call(model) is not None
        else:
            with pytest.raises(UnsupportedError):
                call(model)


@pytest.mark.parametrize("architecture", ARCHITECTURES)
def test_of_networks(tiny: Loader, architecture: str) -> None:
    model = tiny(architecture)
    assert model.abilities == set(Ability) - {Ability.IMAGES}
    check_abilities(model)
    check_abilities(ReferenceModel(model))
    check_abilities(WrapperModel(model))


def test_of_a_network_that_sees(tmp_path: Path) -> None:
    model = load_model(str(save_tiny_vision_model("llava", tmp_path / "llava")))
    assert isinstance(model, LocalModel)
    assert model.abilities == set(Ability)
    check_abilities(model)
    check_abilities(ReferenceModel(model))
    check_abilities(WrapperModel(model))


def test_of_the_toy(toy_model: ToyModel) -> None:
    assert Ability.TOKEN_LOG_PROBS in toy_model.abilities
    check_abilities(toy_model)


@pytest.mark.longer
def test_of_servers(load: Load) -> None:
    model = load(server=FakeServer())
    assert model.abilities == {Ability.TOP_TOKENS, Ability.TOKEN_LOG_PROBS}
    check_abilities(model)
    older = FakeServer()
    older.gives_chosen = False
    model = load(one=FakeServer(), other=older)
    assert model.abilities == {Ability.TOP_TOKENS}
    check_abilities(model)


@pytest.mark.parametrize("architecture", ARCHITECTURES)
def test_states_are_those_before_the_head(tiny: Loader, architecture: str) -> None:
    model = tiny(architecture)
    states = model.next_states(PREFIXES)
    np.testing.assert_allclose(states, ReferenceModel(model).next_states(PREFIXES), atol=1e-4)
    weight, bias = model.output_head()
    logits = states @ weight.T + (0 if bias is None else bias)
    for prefix, found in zip(PREFIXES, logits, strict=True):
        with torch.inference_mode():
            alone = model.network.module(torch.tensor([prefix])).logits[0, -1]
        np.testing.assert_allclose(found, alone.numpy(), atol=1e-4)


def test_the_head_is_the_networks_own_memory_where_it_needs_no_change(tiny: Loader) -> None:
    """Of SmolLM2 a copy is 108 MB, and an explanation made three."""
    model = tiny("llama")
    weight, _ = model.output_head()
    assert model.network.head is not None
    assert np.shares_memory(weight, model.network.head.linear.weight.detach().numpy())
    with pytest.raises(ValueError, match="read-only"):
        weight[0] = 0


@pytest.mark.parametrize("architecture", ARCHITECTURES)
def test_chosen_tokens_are_those_of_the_distributions(tiny: Loader, architecture: str) -> None:
    model = tiny(architecture)
    chosen = [200, 3, 1, 3]
    found = model.next_log_probs(PREFIXES, chosen)
    assert found.shape == (len(PREFIXES), len(chosen))
    plain = LanguageModel.next_log_probs(model, PREFIXES, chosen)
    np.testing.assert_allclose(found, plain, atol=1e-4)
    assert model.next_log_probs([], chosen).shape == (0, len(chosen))


def test_small_batches_give_what_one_gives(tiny: Loader, monkeypatch: pytest.MonkeyPatch) -> None:
    model = tiny("llama")
    states, log_probs = model.next_states(PREFIXES), model.next_log_probs(PREFIXES, [3])
    monkeypatch.setattr("similarity.models.states.STATE_TOKENS", {"cpu": 2})
    monkeypatch.setattr(model, "_max_batch_tokens", 1)
    np.testing.assert_allclose(model.next_states(PREFIXES), states, atol=1e-5)
    np.testing.assert_allclose(model.next_log_probs(PREFIXES, [3]), log_probs, atol=1e-5)


def network(config: transformers.PreTrainedConfig) -> Network:
    torch.manual_seed(0)
    with torch.inference_mode():
        module = transformers.AutoModelForCausalLM.from_config(config).float()
        return Network(module)


def test_a_factor_on_the_logits_is_found() -> None:
    head = network(transformers.GraniteConfig(**_ATTENTION, logits_scaling=4.0)).head
    assert head is not None
    assert head.scale == pytest.approx(0.25)
    assert head.body is not None


def test_capped_logits_have_no_head(tiny: Loader) -> None:
    capped = network(transformers.Gemma2Config(**_ATTENTION, final_logit_softcapping=0.01))
    assert capped.head is None
    plain = tiny("llama")
    model = LocalModel(capped, plain.tokenization.tokenizer, plain.info)
    missing = {Ability.NEXT_STATES, Ability.OUTPUT_HEAD, Ability.IMAGES}
    assert set(Ability) - model.abilities == missing
    check_abilities(model)
    with pytest.raises(UnsupportedError, match="no affine map"):
        model.output_head()
