"""Some architectures of the zoo: one of each way to attend, remember and place."""

import pytest

from benchmarks.zoo import examine
from benchmarks.zoo_models import architectures
from similarity.errors import WrongAnswerError

pytestmark = pytest.mark.longer

AGREE = ("gpt2", "llama", "gemma3_text", "gpt_neo", "bloom", "mamba2", "deepseek_v3", "qwen3_next")


@pytest.mark.parametrize("architecture", AGREE)
def test_an_architecture_agrees_with_plain_readings(architecture: str) -> None:
    row = examine(architecture)
    assert (row.reason, row.failed) == ("", False)
    assert row.gaps["float32"] < 1e-4
    assert row.gaps["bfloat16"] < 0.3
    assert architecture in row.line()


def test_an_architecture_that_does_not_say_how_many_layers_it_has() -> None:
    row = examine("blt", dtypes=("float32",))
    assert (row.reason, row.failed) == ("", False)


def test_what_sees_later_tokens_is_refused_with_a_true_reason() -> None:
    row = examine("xlnet", dtypes=("float32",))
    assert not row.failed
    assert "not causal" in row.line()


def test_what_is_large_is_skipped_with_the_reason(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("benchmarks.zoo_models.MAX_PARAMETERS", 100)
    row = examine("llama")
    assert not row.failed
    assert row.reason.startswith("skipped: it has ")


def test_a_refusal_without_a_reason_fails(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object, **__: object) -> None:
        raise WrongAnswerError("no")

    monkeypatch.setattr("benchmarks.zoo.load_local", refuse)
    row = examine("llama")
    assert row.failed
    assert "FAIL refused: no" in row.line()


def test_the_zoo_is_all_of_transformers() -> None:
    assert len(architectures()) > 150
    assert set(AGREE) <= set(architectures())
