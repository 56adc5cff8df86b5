"""Networks that cannot be scored right are refused; what they cannot do quickly is done slowly."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from safetensors.torch import load_file, save_file

from benchmarks.zoo import TEXT, largest_gap, plain
from benchmarks.zoo_models import save_tiny
from similarity.errors import ModelError, TextTooLongError, WrongAnswerError
from similarity.law import Law
from similarity.models import context
from similarity.models.base import SampleRequest, ScoreRequest
from similarity.models.local import LocalModel, load_local
from tests.tiny_models import save_tiny_model


@pytest.fixture
def made(tmp_path: Path) -> Callable[..., LocalModel]:
    """Return a maker of tiny models with some settings of their own."""

    def make(architecture: str, *, dtype: str = "float32", **changes: Any) -> LocalModel:
        return load_local(str(save_tiny(architecture, tmp_path / "model", **changes)), dtype=dtype)

    return make


# A window, a chunk, a table or padding that shows at some length only, each under another name.
@pytest.mark.parametrize(
    ("architecture", "changes", "lengths"),
    [
        ("gpt_neo", {"window_size": 32, "max_position_embeddings": 256}, (3, 20, 40, 200)),
        ("llama4_text", {"attention_chunk_size": 32, "max_position_embeddings": 256}, (3, 30, 90)),
        ("modernbert-decoder", {"local_attention": 32}, (3, 14, 90)),
        ("recurrent_gemma", {"attention_window_size": 16}, (3, 90)),
        ("moshi", {}, (3, 30, 60)),
        ("git", {}, (3, 30, 60)),
        ("big_bird", {}, (3, 20)),
    ],
)
def test_what_shows_at_some_length_is_found_in_use(
    made: Callable[..., LocalModel],
    architecture: str,
    changes: dict[str, Any],
    lengths: tuple[int, ...],
) -> None:
    model = made(architecture, **changes)
    assert largest_gap(model, lengths) < 1e-4
    assert largest_gap(model, lengths[::-1]) < 1e-4


def test_a_window_is_given_up_at_its_length_alone(made: Callable[..., LocalModel]) -> None:
    model = made("gpt_neo", window_size=64, max_position_embeddings=256)
    assert model.network.packs
    assert largest_gap(model, (3, 4)) < 1e-4
    assert largest_gap(model, (200,)) < 1e-4
    assert not model.network.packs or model.network.pack_window < 200


@pytest.mark.parametrize(
    "architecture", ["bert", "roberta", "electra", "xlnet", "xlm", "prophetnet"]
)
@pytest.mark.parametrize("scale", [1.0, 4.0])
def test_a_network_that_sees_what_comes_later_is_refused(
    made: Callable[..., LocalModel], architecture: str, scale: float
) -> None:
    with pytest.raises(WrongAnswerError, match="the network is not causal: later tokens move"):
        made(architecture, is_decoder=False, scale=scale)


@pytest.fixture
def choosing(tmp_path: Path) -> Path:
    """Return a network that keeps 8 tokens: of equals, as here, which depends on how many."""
    folder = save_tiny("doge", tmp_path, keep_window_size=8)
    path = folder / "model.safetensors"
    torch.manual_seed(0)
    found = {
        name: weight.fill_(0) if name.endswith(".A") else torch.randn_like(weight)
        for name, weight in load_file(path).items()
    }
    save_file(found, path, metadata={"format": "pt"})
    return folder


def test_a_window_that_later_tokens_choose_from_ends_the_context(choosing: Path) -> None:
    assert load_local(str(choosing)).info.context_length <= 2 * 8


def test_a_window_that_later_tokens_choose_from_shows_in_use(
    choosing: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # As of a large network, of which the length is not tried at loading.
    monkeypatch.setattr(context, "_MOMENT", 0)
    model = load_local(str(choosing))
    request = SampleRequest(prefix=model.encode(TEXT)[:20], n=8, max_tokens=20, key=0)
    with pytest.raises(WrongAnswerError, match="not causal: in a text of 40 tokens later ones"):
        model.sample([request], Law())


@pytest.mark.parametrize("dtype", ["float16", "bfloat16"])
def test_half_precision_hides_no_encoder(made: Callable[..., LocalModel], dtype: str) -> None:
    with pytest.raises(WrongAnswerError, match="not causal"):
        made("bert", is_decoder=False, scale=1.0, dtype=dtype)


def test_an_encoder_that_decodes_is_taken(made: Callable[..., LocalModel]) -> None:
    assert largest_gap(made("bert", is_decoder=True), (3, 50)) < 1e-4


# Positions looked up in a table, and made of the length of what was read.
@pytest.mark.parametrize(
    ("architecture", "changes"),
    [
        ("gpt2", {"n_positions": 60}),
        ("opt", {"max_position_embeddings": 60}),
        ("gpt_neo", {"max_position_embeddings": 60}),
        ("mpt", {"max_seq_len": 60}),
    ],
)
def test_no_row_of_a_mixed_call_steps_beyond_the_positions(
    made: Callable[..., LocalModel], architecture: str, changes: dict[str, int]
) -> None:
    model = made(architecture, **changes)
    assert model.info.context_length == 60
    before = vars(model.network).copy()
    assert model.network.pads_state
    ids = model.encode(TEXT)
    requests = [
        SampleRequest(prefix=ids[:52], n=1, max_tokens=8, key=1),
        SampleRequest(prefix=ids[:5], n=5, max_tokens=40, key=2),
        SampleRequest(prefix=ids[:52], n=1, max_tokens=2, key=3),
    ]
    alone = [model.sample([request], Law())[0] for request in requests]
    found = model.sample(requests, Law())
    assert [[c.token_ids for c in row] for row in found] == [
        [c.token_ids for c in row] for row in alone
    ]
    assert vars(model.network) == before


# Where the limit is found: under a name, in a table that begins elsewhere, or by trying.
@pytest.mark.parametrize(
    ("architecture", "changes", "limit"),
    [
        ("llama", {"max_position_embeddings": 60}, 60),
        ("mpt", {"max_seq_len": 60}, 60),
        ("opt", {"max_position_embeddings": 60}, 60),
        ("roberta", {"max_position_embeddings": 60}, 58),
        ("gpt2", {"n_positions": 60}, 60),
        ("whisper", {"max_target_positions": 60}, 60),
        ("bloom", {}, 1 << 20),
        (
            "llama",
            {
                "max_position_embeddings": 240,
                "rope_parameters": {
                    "rope_type": "dynamic",
                    "rope_theta": 10000.0,
                    "factor": 4.0,
                    "original_max_position_embeddings": 60,
                },
            },
            60,
        ),
    ],
)
def test_context_is_what_the_network_can_read(
    made: Callable[..., LocalModel], architecture: str, changes: dict[str, Any], limit: int
) -> None:
    model = made(architecture, **changes)
    assert model.info.context_length == limit
    if limit < 1000:
        ids = model.encode(TEXT)
        assert largest_gap(model, (limit - 14,)) < 1e-4
        assert np.isfinite(
            plain(model.network.module, ids[: limit - 1], ids[limit - 1 : limit])
        ).all()


@pytest.mark.parametrize(
    "error", [MemoryError(), torch.OutOfMemoryError("CUDA out of memory"), RuntimeError("no")]
)
def test_memory_that_is_out_is_not_taken_for_what_the_network_cannot_read(
    made: Callable[..., LocalModel], monkeypatch: pytest.MonkeyPatch, error: Exception
) -> None:
    network = made("gpt2", n_positions=60).network

    def refuse(_network: object, _ids: object) -> None:
        raise error

    monkeypatch.setattr(type(network), "read", refuse)
    if str(error) == "no":
        assert context.longest_readable(network, 8) == 0
    else:
        with pytest.raises(ModelError, match="memory is out where the network reads 8 tokens"):
            context.longest_readable(network, 8)


def test_a_text_beyond_the_reported_length_is_too_long(
    made: Callable[..., LocalModel], monkeypatch: pytest.MonkeyPatch
) -> None:
    """A limit that nothing names is met in use; from then on it is known."""
    monkeypatch.setattr("similarity.models.local.context_length", lambda *_: 1 << 20)
    model = made("gpt2", n_positions=60)
    asked = ScoreRequest(prefix=model.encode(TEXT[:80]), continuations=((5,), (6, 7)))
    with pytest.raises(TextTooLongError, match="81 tokens .* the network can read 60; shorten"):
        model.score([asked], Law())
    assert model.info.context_length == 60
    with pytest.raises(TextTooLongError, match="the network can read 60"):
        model.sample(
            [SampleRequest(prefix=model.encode(TEXT[:80]), n=1, max_tokens=1, key=0)], Law()
        )
    with pytest.raises(TextTooLongError, match="the network can read 60"):
        model.hidden_states([model.encode(TEXT[:80])])


def fail(monkeypatch: pytest.MonkeyPatch, model: LocalModel, how: str) -> None:
    """Let one way of reading a network raise."""

    def raises(*_: Any, **__: Any) -> Any:
        raise RuntimeError("the device is\nlost")

    monkeypatch.setattr(model.network, how, raises)


def test_an_error_at_a_length_that_was_read_before_shortens_nothing(
    made: Callable[..., LocalModel], monkeypatch: pytest.MonkeyPatch
) -> None:
    model = made("llama")
    prefix = model.encode("A dog runs over the hill.")
    model.hidden_states([prefix])
    before = model.info
    fail(monkeypatch, model, "states")
    with pytest.raises(ModelError, match="^the network cannot be read: the device is lost$"):
        model.hidden_states([prefix])
    fail(monkeypatch, model, "read")
    for count in (5, len(prefix), len(prefix) + 9):
        with pytest.raises(ModelError, match="^the network cannot be read: the device is lost$"):
            model.hidden_states([(*prefix, *prefix)[:count]])
    assert model.info == before


def test_a_network_of_which_nothing_can_be_read_has_no_other_length(
    made: Callable[..., LocalModel], monkeypatch: pytest.MonkeyPatch
) -> None:
    """It had one of 0 for good, and each text was too long."""
    model = made("llama")
    before = model.info
    for how in ("states", "read"):
        fail(monkeypatch, model, how)
    with pytest.raises(ModelError, match="^the network cannot be read: the device is lost$"):
        model.hidden_states([model.encode("A dog runs.")])
    assert model.info == before


def test_rows_whose_steps_fail_at_lengths_that_were_right_are_read_again(
    made: Callable[..., LocalModel], monkeypatch: pytest.MonkeyPatch
) -> None:
    """They were stepped again without end."""
    model = made("llama")
    request = SampleRequest(prefix=model.encode("A dog"), n=3, max_tokens=4, key=5)
    longer = SampleRequest(
        prefix=model.encode("A dog runs over the hill."), n=3, max_tokens=8, key=5
    )
    (expected,) = model.sample([request], Law())
    model.sample([longer], Law())
    with monkeypatch.context() as patch:
        fail(patch, model, "step")
        (found,) = model.sample([request], Law())
    assert [one.token_ids for one in found] == [one.token_ids for one in expected]
    assert model.network.caches
    model.sample([longer], Law())


def test_a_network_that_raises_is_refused_in_one_line(made: Callable[..., LocalModel]) -> None:
    with pytest.raises(ModelError, match="cannot load .*Input language unknown") as raised:
        made("xmod", default_language=None)
    assert "\n" not in str(raised.value)


def test_numbers_that_are_not_finite_are_no_answer(made: Callable[..., LocalModel]) -> None:
    model = made("llama")
    with torch.no_grad():
        model.network.module.model.norm.weight.fill_(float("nan"))
    prefix = model.encode("ab")
    with pytest.raises(WrongAnswerError, match="not finite"):
        model.score([ScoreRequest(prefix=prefix, continuations=((5,),))], Law())
    with pytest.raises(WrongAnswerError, match="not finite"):
        model.sample([SampleRequest(prefix=prefix, n=2, max_tokens=2, key=0)], Law())


@pytest.mark.parametrize("dtype", ["float32", "bfloat16", "float16"])
@pytest.mark.parametrize("by", [0.0, 1e-7])
def test_a_network_that_sees_no_token_but_the_last_is_refused(
    tmp_path: Path, dtype: str, by: float
) -> None:
    """By trajectories all texts that end alike would be one."""
    folder = save_tiny_model("llama", tmp_path / "deaf")
    path = folder / "model.safetensors"
    weights = {
        name: weight * by if "o_proj" in name else weight
        for name, weight in load_file(path).items()
    }
    save_file(weights, path, metadata={"format": "pt"})
    with pytest.raises(WrongAnswerError, match="sees no token but the last: .* damaged or were"):
        load_local(str(folder), dtype=dtype)
