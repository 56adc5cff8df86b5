"""Features that hardly depend on the text are refused, and those of no sound model are."""

import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from safetensors.torch import load_file, save_file

from similarity.arrays import LogProbs
from similarity.errors import InputError, WrongAnswerError
from similarity.law import Law
from similarity.models.base import LanguageModel, TokenIds
from similarity.models.local import load_local
from similarity.models.toy import ToyModel
from similarity.prompts import Prompt
from similarity.vectors import ProfileConfig, VectorConfig, fit
from similarity.vectors.config import GroupConfig, TrajectoriesConfig, TrigramsConfig
from tests.similarity.models.fake_server import FakeServer, Load, load
from tests.tiny_models import ARCHITECTURES, save_tiny_model

__all__ = ["load"]

TEXTS = [f"the {one} {other} is here" for one in ("red", "old", "far") for other in "abcdefgh"]
PROMPT = Prompt(after=" means:")
REFUSED = (
    "predicts the same after any text: over 24 texts its features .* damaged or were converted"
)


class Deaf(ToyModel):
    """The toy whose urn has the last token alone, but for roundings."""

    def __init__(self, noise: float) -> None:
        super().__init__()
        self._noise = noise

    def step_log_probs(self, context: TokenIds, law: Law) -> LogProbs:
        found = super().step_log_probs(context[-1:], law)
        random = np.random.default_rng(list(context))
        moved: LogProbs = found + random.normal(scale=self._noise, size=found.size)
        return moved


def fitted(model: LanguageModel, *groups: GroupConfig, texts: list[str] = TEXTS) -> None:
    groups = groups or (ProfileConfig(prompt=PROMPT),)
    fit(model, texts, VectorConfig(groups=(*groups, TrigramsConfig())))


def short_sighted(folder: Path) -> Path:
    """Save a network of one layer, which sees fewer tokens back than the prompt has."""
    save_tiny_model("mistral", folder)
    path = folder / "config.json"
    changes = {"num_hidden_layers": 1, "sliding_window": 5, "layer_types": None}
    path.write_text(json.dumps(json.loads(path.read_text()) | changes))
    path = folder / "model.safetensors"
    kept = {name: one for name, one in load_file(path).items() if "layers.1." not in name}
    save_file(kept, path, metadata={"format": "pt"})
    return folder


@pytest.mark.parametrize("dtype", ["float32", "bfloat16", "float16"])
def test_a_network_that_does_not_see_the_text_has_no_vectors(tmp_path: Path, dtype: str) -> None:
    model = load_local(str(short_sighted(tmp_path / "short")), dtype=dtype)
    for group in (ProfileConfig(prompt=PROMPT), ProfileConfig(prompt=PROMPT, tokens=64)):
        with pytest.raises(WrongAnswerError, match=REFUSED):
            fitted(model, group)
    seen = [text.removesuffix(" is here") for text in TEXTS]
    fitted(model, ProfileConfig(prompt=Prompt()), texts=seen)


@pytest.mark.longer
@pytest.mark.parametrize("dtype", ["float32", "bfloat16"])
@pytest.mark.parametrize("architecture", ARCHITECTURES)
def test_no_sound_network_is_refused(tmp_path: Path, architecture: str, dtype: str) -> None:
    folder = save_tiny_model(architecture, tmp_path / architecture)
    fitted(load_local(str(folder), dtype=dtype))


@pytest.mark.longer
@pytest.mark.parametrize("noise", [0.0, 1e-6, 1e-5])
def test_log_probabilities_of_rounding_alone_make_no_vectors(noise: float, load: Load) -> None:
    models: list[LanguageModel] = [Deaf(noise)]
    if noise:
        models.append(load(server=FakeServer(Deaf(noise))))
    groups: list[GroupConfig] = [
        ProfileConfig(prompt=PROMPT, tokens=64),
        TrajectoriesConfig(prompt=PROMPT, length=2),
    ]
    for model in models:
        for group in groups:
            with pytest.raises(WrongAnswerError, match=REFUSED):
                fitted(model, group)


def test_a_server_whose_log_probabilities_are_all_one_is_refused_at_loading(load: Load) -> None:
    with pytest.raises(WrongAnswerError, match=r"the same log-prob.* weights damaged\?$"):
        load(server=FakeServer(Deaf(0.0)))


def test_texts_that_are_all_one_are_not_the_models_fault(
    tiny: Callable[[str], LanguageModel],
) -> None:
    with pytest.raises(InputError, match="the 2 texts are all the same to the model"):
        fitted(tiny("llama"), texts=["one text", "one text"])
