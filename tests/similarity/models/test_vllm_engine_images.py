"""Images in vLLM's engine, against an engine that is the toy model."""

import sys
from types import ModuleType, SimpleNamespace
from typing import Any

import numpy as np
import pytest

from similarity import Law, load_model
from similarity.errors import ImageError, InputError, WrongAnswerError
from similarity.images.image import Image
from similarity.images.sources import image_of_pixels
from similarity.models import vllm_offline
from similarity.models.base import Ability, SampleRequest, ScoreRequest, TokenIds
from similarity.models.prefix import ImageTokens
from tests.similarity.images.made import picture
from tests.similarity.models import test_vllm_offline as texts
from tests.similarity.models.test_vllm_offline import TOY, SamplingParams

IMAGE, IMAGE_ID, PLACES = "<img>", 255, 3
LAW = Law()


class Tokenizer(texts.Tokenizer):
    def __call__(self, text: str, **options: Any) -> dict[str, list[int]]:
        if "split_special_tokens" in options:
            return super().__call__(text, **options)
        parts = [list(TOY.encode(part)) if part else [] for part in text.split(IMAGE)]
        return {"input_ids": [*[i for part in parts for i in (*part, IMAGE_ID)][:-1], texts.END]}


class LLM(texts.LLM):
    """Predicts by what an image is, and gives three places for each."""

    sees = True
    rereads = False

    def __post_init__(self) -> None:
        super().__post_init__()
        self.llm_engine.model_config.is_multimodal_model = True

    def get_tokenizer(self) -> Tokenizer:
        return Tokenizer()

    def generate(self, prompts: Any, params: Any, *, use_tqdm: bool) -> list[Any]:
        each = params if isinstance(params, list) else [params] * len(prompts)
        return [self._read(prompt, p) for prompt, p in zip(prompts, each, strict=True)]

    def _read(self, prompt: Any, params: SamplingParams) -> Any:
        sent = prompt["prompt_token_ids"]
        expanded = [j for i in sent for j in ([i] * PLACES if i == IMAGE_ID else [i])]
        seen: TokenIds = tuple(expanded)
        if "multi_modal_data" in prompt:
            assert sent.count(IMAGE_ID) == 1
            pixels = np.asarray(prompt["multi_modal_data"]["image"])
            inside = [int(pixels.sum()) % 7 if self.sees else 3] * PLACES
            place = sent.index(IMAGE_ID)
            seen = (*expanded[:place], *inside, *expanded[place + PLACES :])
        output = self._one(seen, params)
        if getattr(output, "prompt_logprobs", None) is not None:
            # By the ids of the answer, not by those that the toy has read.
            output.prompt_logprobs[1:] = [
                {t if s == key else key: found for key, found in listed.items()}
                for t, s, listed in zip(
                    expanded[1:], seen[1:], output.prompt_logprobs[1:], strict=True
                )
            ]
        output.prompt_token_ids = [*expanded[:-1], expanded[-1] + 1] if self.rereads else expanded
        return output


@pytest.fixture(autouse=True)
def engine(monkeypatch: pytest.MonkeyPatch) -> None:
    module: Any = ModuleType("vllm")
    module.LLM, module.SamplingParams = LLM, SamplingParams
    processors: Any = ModuleType("vllm.transformers_utils.processor")
    processors.cached_processor_from_config = lambda _config: SimpleNamespace(image_token=IMAGE)
    monkeypatch.setitem(sys.modules, "vllm", module)
    monkeypatch.setitem(sys.modules, "vllm.transformers_utils", ModuleType("transformers_utils"))
    monkeypatch.setitem(sys.modules, processors.__name__, processors)
    monkeypatch.setattr(vllm_offline, "on_hub", lambda _source, _given: {"revision": "c0ffee"})
    monkeypatch.delenv("TRAJSIM_VLLM_ENGINE", raising=False)
    for name in ("VLLM_LOGGING_STREAM", "VLLM_LOGGING_LEVEL"):
        monkeypatch.setenv(name, "set")


def image(seed: int = 0) -> Image:
    return image_of_pixels(np.asarray(picture(12, 9, seed=seed)), f"image {seed}")


def test_scores_and_samples_after_images() -> None:
    model = load_model("vllm:toy")
    assert Ability.IMAGES in model.abilities
    prefixes = [model.encode_image(image(seed), "See ", " here") for seed in (0, 1, 0)]
    assert tuple(prefixes[0]) == (*TOY.encode("See "), *[IMAGE_ID] * 3, *TOY.encode(" here"))
    text = TOY.encode("a red car")
    after = tuple((i,) for i in range(7))
    requests = [ScoreRequest(prefix=p, continuations=after) for p in (*prefixes, text)]
    first, other, again, of_text = model.score(requests, LAW)
    np.testing.assert_array_equal(first, again)
    assert not np.array_equal(first, other)
    np.testing.assert_allclose(of_text, TOY.score(requests[3:], LAW)[0])
    chosen = model.next_log_probs([prefixes[0], text], range(7))
    np.testing.assert_allclose(chosen[0], np.concatenate(first), atol=1e-5)
    (sampled,) = model.sample([SampleRequest(prefix=prefixes[0], n=4, max_tokens=3, key=1)], LAW)
    assert len(sampled) == 4


def test_a_prefix_of_another_process_is_read_again() -> None:
    prefix = load_model("vllm:toy").encode_image(image(), "a ", " b")
    model = load_model("vllm:toy")
    assert model.score([ScoreRequest(prefix=prefix, continuations=((5,),))], LAW)
    changed = ImageTokens((*prefix, 3), prefix.parts)
    with pytest.raises(WrongAnswerError, match="read other tokens"):
        model.score([ScoreRequest(prefix=changed, continuations=((5,),))], LAW)


def test_an_image_that_the_engine_does_not_take_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    """What it raised came as it was, which no caller expects."""
    model = load_model("vllm:toy")

    def fails(*_: Any, **__: Any) -> None:
        raise ValueError

    monkeypatch.setattr(LLM, "generate", fails)
    said = r"cannot take image 'image 0' of 12 × 9 pixels \(ValueError\(\)\); give another image"
    with pytest.raises(ImageError, match=said) as caught:
        model.encode_image(image(), "a ", " b")
    assert caught.value.text == "image 0"


@pytest.mark.longer
def test_what_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    model = load_model("vllm:toy")
    prefix = model.encode_image(image(), "a ", " b")
    with pytest.raises(InputError, match="'<img>', which stands for an image"):
        model.encode_image(image(), "a <img> b", "")
    monkeypatch.setattr(LLM, "rereads", True)
    with pytest.raises(WrongAnswerError, match="read other tokens"):
        model.score([ScoreRequest(prefix=prefix, continuations=((5,),))], LAW)


def test_an_engine_that_sees_no_image_reads_texts(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(LLM, "sees", False)
    model = load_model("vllm:toy")
    assert Ability.IMAGES not in model.abilities
    assert "it sees none" in caplog.text
    assert model.score([ScoreRequest(prefix=(5, 6), continuations=((7,),))], LAW)
