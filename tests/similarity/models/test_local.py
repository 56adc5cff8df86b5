"""The in-process backend against the slow, obvious reference, over architectures."""

import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch

from similarity.api import compare, compare_pairs
from similarity.config import ComparisonConfig
from similarity.errors import ModelError, ModelNotFoundError, TextTooLongError
from similarity.law import Law
from similarity.models import sampling
from similarity.models.base import SampleRequest, ScoreRequest
from similarity.models.local import LocalModel, load_local
from similarity.models.reference import ReferenceModel
from tests.tiny_models import ARCHITECTURES, save_tiny_model

Loader = Callable[[str], LocalModel]
architectures = pytest.mark.parametrize("architecture", ARCHITECTURES)
PAIRS = [("a cat", "a dog is here"), ("hello, world", "Grüße"), ("a cat", "zzz")]
CONFIG = ComparisonConfig.build(n_trajectories=5, max_tokens=8)


@architectures
def test_agrees_with_the_reference(tiny: Loader, architecture: str) -> None:
    model = tiny(architecture)
    fast = compare_pairs(model, PAIRS, CONFIG)
    slow = compare_pairs(ReferenceModel(model), PAIRS, CONFIG)
    for one, other in zip(fast, slow, strict=True):
        assert one.trajectories == other.trajectories
        np.testing.assert_allclose(one.log_likelihoods, other.log_likelihoods, atol=1e-4)
        assert one.distance == pytest.approx(other.distance, abs=1e-4)


def test_on_a_cpu_the_thread_that_calls_computes(tiny: Loader) -> None:
    assert tiny("llama").on_processor


@architectures
def test_scores_token_by_token_as_the_reference(tiny: Loader, architecture: str) -> None:
    model = tiny(architecture)
    requests = [
        ScoreRequest(
            prefix=model.encode("one two"),
            continuations=tuple(
                model.encode(text)[1:] for text in (" three", " four.", "!", "xyz")
            ),
        ),
        ScoreRequest(prefix=model.encode("a"), continuations=(model.encode("b")[1:], (1,))),
    ]
    law = Law(temperature=0.8, top_k=200)
    fast, slow = model.score(requests, law), ReferenceModel(model).score(requests, law)
    for one, other in zip(fast, slow, strict=True):
        for row, expected in zip(one, other, strict=True):
            np.testing.assert_allclose(row, expected, atol=1e-4)


@architectures
def test_a_request_goes_on_where_another_stopped(tiny: Loader, architecture: str) -> None:
    model = tiny(architecture)
    asked = {"prefix": model.encode("one two"), "max_tokens": 6, "key": 5}
    finished: list[int] = []
    (whole,) = model.sample([SampleRequest(n=5, **asked)], Law())
    (rest,) = model.sample([SampleRequest(n=3, start=2, **asked)], Law(), finished.append)
    assert [c.token_ids for c in rest] == [c.token_ids for c in whole[2:]]
    assert sum(finished) == 1


@architectures
def test_capabilities_are_found_out(tiny: Loader, architecture: str) -> None:
    network = tiny(architecture).network
    assert network.caches
    assert network.packs == (architecture in {"llama", "gpt2", "mistral"})


@architectures
def test_a_pair_does_not_depend_on_its_batch(tiny: Loader, architecture: str) -> None:
    model = tiny(architecture)
    others = [(f"text number {i}", "x" * (i + 1)) for i in range(12)]
    (alone,) = compare_pairs(model, PAIRS[:1], CONFIG)
    joined = compare_pairs(model, [*others, *PAIRS], CONFIG)[len(others)]
    assert joined.trajectories == alone.trajectories
    np.testing.assert_allclose(joined.log_likelihoods, alone.log_likelihoods, atol=1e-5)
    assert joined.distance == pytest.approx(alone.distance, abs=1e-5)


def test_a_network_without_a_copied_state_is_read_again(
    tiny: Loader, monkeypatch: pytest.MonkeyPatch
) -> None:
    model = tiny("llama")
    expected = compare_pairs(model, PAIRS, CONFIG)
    monkeypatch.setattr(model.network, "caches", False)
    monkeypatch.setattr(model.network, "packs", False)
    for one, other in zip(compare_pairs(model, PAIRS, CONFIG), expected, strict=True):
        assert one.trajectories == other.trajectories
        np.testing.assert_allclose(one.log_likelihoods, other.log_likelihoods, atol=1e-5)


def test_many_small_batches_give_what_one_gives(
    tiny: Loader, monkeypatch: pytest.MonkeyPatch
) -> None:
    model = tiny("llama")
    expected = compare_pairs(model, PAIRS, CONFIG)
    monkeypatch.setattr(model, "_max_rows", 3)
    monkeypatch.setattr(model, "_max_batch_tokens", 30)
    for one, other in zip(compare_pairs(model, PAIRS, CONFIG), expected, strict=True):
        assert one.trajectories == other.trajectories
        np.testing.assert_allclose(one.log_likelihoods, other.log_likelihoods, atol=1e-5)


def test_a_close_race_is_decided_by_the_row_alone(
    tiny: Loader, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With every race called close, each step is a plain reading: what the reference does."""
    model = tiny("llama")
    request = SampleRequest(prefix=model.encode("ab"), n=3, max_tokens=6, key=11)
    expected = model.sample([request], Law())
    called: list[int] = []
    alone = sampling._step_alone

    def counted(*args: object) -> tuple[int, float]:
        called.append(1)
        return alone(*args)  # type: ignore[arg-type]

    monkeypatch.setattr(sampling, "_step_alone", counted)
    draw = sampling.draw
    monkeypatch.setattr(sampling, "draw", lambda *args: (*draw(*args)[:2], [0.0] * len(args[0])))
    (again,) = model.sample([request], Law())
    assert [c.token_ids for c in again] == [c.token_ids for c in expected[0]]
    assert len(called) == sum(len(c.token_ids) for c in again)


def test_half_precision_keeps_what_sampling_said(tiny: Loader, tmp_path: Path) -> None:
    model = load_local(str(save_tiny_model("llama", tmp_path)), dtype="bfloat16")
    request = SampleRequest(prefix=model.encode("ab"), n=2, max_tokens=3, key=0)
    (sampled,) = model.sample([request], Law())
    continuations = tuple(one.token_ids for one in sampled)
    (scored,) = model.score(
        [ScoreRequest(prefix=request.prefix, continuations=continuations)], Law()
    )
    for one, log_probs in zip(sampled, scored, strict=True):
        np.testing.assert_allclose(one.log_probs, log_probs, atol=0.1)
    # Texts of which the prompt makes the same.
    assert compare(model, "a", "a.", CONFIG).distance == 0
    assert np.isfinite(compare(model, "a", "b", CONFIG).distance)
    assert model.info.dtype == "bfloat16"


def test_text_that_spells_a_special_token_is_text(tiny: Loader) -> None:
    model = tiny("llama")
    ids = model.encode("a</s>b")
    assert model.end_ids.isdisjoint(ids)
    assert model.decode(ids) == "a</s>b"
    assert ids[0] == 0


def test_text_survives(tiny: Loader) -> None:
    model = tiny("llama")
    assert model.decode(model.encode("Grüße,  犬\0 .")) == "Grüße,  犬\0 ."


def test_too_long_a_text_says_by_how_much(tiny: Loader, capfd: pytest.CaptureFixture[str]) -> None:
    model = tiny("llama")
    fits = "x" * (128 - 1 - 1 - 8)
    compare(model, fits, "a", CONFIG)
    with pytest.raises(TextTooLongError, match=r"is 1 token too long: it has 121 .* 128, 8 of"):
        compare(model, fits + "x", "a", CONFIG)
    assert capfd.readouterr().err == ""


def test_revision_changes_with_the_files(tmp_path: Path) -> None:
    folder = save_tiny_model("llama", tmp_path)
    before = load_local(str(folder)).info
    assert before == load_local(str(folder)).info
    config = json.loads((folder / "generation_config.json").read_text())
    (folder / "generation_config.json").write_text(json.dumps({**config, "max_length": 99}))
    assert load_local(str(folder)).info.revision != before.revision
    assert before.name == tmp_path.name


def test_every_end_of_sequence_ends(tmp_path: Path) -> None:
    folder = save_tiny_model("llama", tmp_path)
    config = json.loads((folder / "generation_config.json").read_text())
    (folder / "generation_config.json").write_text(json.dumps({**config, "eos_token_id": [1, 7]}))
    model = load_local(str(folder))
    assert model.end_ids == {1, 7}
    request = SampleRequest(prefix=model.encode("a"), n=300, max_tokens=10, key=0)
    (sampled,) = model.sample([request], Law())
    assert any(c.token_ids[-1] == 7 for c in sampled)
    assert all(model.end_ids.isdisjoint(c.token_ids[:-1]) for c in sampled)


@pytest.mark.parametrize("name", ["no-such-model", "no/such/model/at/all"])
def test_unknown_model(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", True)
    with pytest.raises(ModelNotFoundError, match=f"no model '{name}'.*give 'embedded', 'toy'"):
        load_local(name)


@pytest.mark.parametrize("name", ["./no/such/folder", "/no-such", "no such folder"])
def test_a_folder_that_is_not_there_is_reported_in_those_words(name: str) -> None:
    with pytest.raises(ModelNotFoundError) as raised:
        load_local(name)
    assert f"no model {name!r}: there is no such folder, and it cannot be the id" in str(
        raised.value
    )
    assert "Repo id" not in str(raised.value)


def test_folder_that_is_no_model(tmp_path: Path) -> None:
    with pytest.raises(ModelNotFoundError, match="no model"):
        load_local(str(tmp_path))


@pytest.mark.skipif(torch.cuda.is_available(), reason="there is a CUDA device here")
def test_no_cuda_here(tmp_path: Path) -> None:
    with pytest.raises(ModelError, match="no CUDA device here; give --device cpu"):
        load_local(str(tmp_path), device="cuda")


def test_between_two_steps_something_else_may_be_done_or_the_sampling_ended(tiny: Loader) -> None:
    model = tiny("llama")
    long = SampleRequest(prefix=model.encode("a cat"), n=3, max_tokens=12, key=1)
    short = SampleRequest(prefix=model.encode("zzz"), n=2, max_tokens=4, key=2)
    alone = [model.sample([request], Law()) for request in (long, short)]
    finished, inside = [], []

    def on_progress(count: int) -> None:
        finished.append(count)
        if len(finished) % 4 == 1:
            inside.append(model.sample([short], Law()))

    found = model.sample([long], Law(), on_progress)
    assert sum(finished) == 1
    assert len(finished) > 4
    for one, other in [(found, alone[0]), *((nested, alone[1]) for nested in inside)]:
        ids = [[c.token_ids for c in row] for row in one]
        assert ids == [[c.token_ids for c in row] for row in other]

    def leave(_count: int) -> None:
        raise KeyError("nobody waits")

    with pytest.raises(KeyError, match="nobody waits"):
        model.sample([long], Law(), leave)
    assert model.network.caches
