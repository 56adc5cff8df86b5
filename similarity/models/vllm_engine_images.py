"""A vision-language model in vLLM's engine: images go beside the token ids.

One token stands for an image in what is given. The engine puts the image's own tokens in its place
and returns the ids that it read, which are compared with those meant.
"""

import logging
from collections.abc import Sequence
from functools import lru_cache
from importlib import import_module
from typing import Any

from similarity.errors import InputError, TrajsimError, WrongAnswerError
from similarity.images.image import Image
from similarity.images.sources import probe_images
from similarity.law import Law
from similarity.models.base import Ability, ModelInfo, ScoreRequest, TokenIds
from similarity.models.checks import AFTER_IMAGE, FIRST_AFTER_IMAGE, check_after_images
from similarity.models.failures import not_taken
from similarity.models.prefix import ImageTokens, KnownPrefixes
from similarity.models.vllm_engine import OfflineModel

logger = logging.getLogger(__name__)

# Pairs of texts around an image, whose ids are kept.
_KEPT = 512


class OfflineVisionModel(OfflineModel):
    """A vision-language model in vLLM's engine, made by `opened`.

    Parameters
    ----------
    image_token
        What stands for an image in a text.
    """

    def __init__(
        self, engine: Any, sampling_params: Any, info: ModelInfo, image_token: str
    ) -> None:
        super().__init__(engine, sampling_params, info)
        self.abilities = self.abilities | {Ability.IMAGES}
        self._image_token = image_token
        self._known: KnownPrefixes[TokenIds] = KnownPrefixes()
        self._ids_around = lru_cache(_KEPT)(self._tokenized)

    def encode_image(self, image: Image, before: str, after: str) -> ImageTokens:
        """Return the ids that the engine reads, without an end of sequence.

        Raises
        ------
        ImageError
            If the engine cannot take the image.
        InputError
            If a text spells the token of an image.
        """
        ids = self._known.get(image, before, after)
        if ids is None:
            ids = self._read_ids(image, before, after)
            self._known.put(image, before, after, ids)
        return ImageTokens.between(before, image, after, ids)

    def _read_ids(self, image: Image, before: str, after: str) -> TokenIds:
        given = _given(self._ids_around(before, after), image)
        params = self._sampling_params(max_tokens=1, detokenize=False)
        try:
            (output,) = self._engine.generate([given], params, use_tqdm=False)
        except ValueError as error:  # as vLLM says of a request that it cannot take
            raise not_taken([image], error) from error
        return tuple(output.prompt_token_ids)

    def check_images(self, first: Image, second: Image) -> None:
        """Check by two images that the model sees them.

        Raises
        ------
        WrongAnswerError
            If the model does not see them, or is not causal after them.
        """
        prefix, other = (self.encode_image(image, "", "") for image in (first, second))
        requests = [
            ScoreRequest(prefix=prefix, continuations=(AFTER_IMAGE, FIRST_AFTER_IMAGE)),
            ScoreRequest(prefix=other, continuations=(AFTER_IMAGE,)),
        ]
        (whole, begun), (turned,) = self.score(requests, Law())
        check_after_images(whole, begun, turned)

    def _tokenized(self, before: str, after: str) -> TokenIds:
        if self._image_token in before + after:
            raise InputError(
                f"a prompt has {self._image_token!r}, which stands for an image; leave it out"
            )
        whole = f"{before}{self._image_token}{after}"
        ids = tuple(self._engine.get_tokenizer()(whole, verbose=False)["input_ids"])
        return self.tokenization.without_closing(ids)

    def _prompt(self, prefix: TokenIds, continuation: TokenIds) -> dict[str, Any]:
        if not isinstance(prefix, ImageTokens):
            return super()._prompt(prefix, continuation)
        return _given((*self._ids_around(*prefix.around), *continuation), prefix.images[0])

    def _run(self, prompts: Sequence[tuple[TokenIds, TokenIds]], params: Any) -> Any:
        outputs = super()._run(prompts, params)
        for (prefix, ids), output in zip(prompts, outputs, strict=True):
            if tuple(output.prompt_token_ids) != (*prefix, *ids):
                raise WrongAnswerError("the engine read other tokens with an image than were meant")
        return outputs


def opened(engine: Any, sampling_params: Any, info: ModelInfo) -> OfflineModel:
    """Return the model in an engine; it reads images if a check shows that it can."""
    config = engine.llm_engine.model_config
    if getattr(config, "is_multimodal_model", False):
        try:
            module = import_module("vllm.transformers_utils.processor")
            token = getattr(module.cached_processor_from_config(config), "image_token", None)
            if token:
                model = OfflineVisionModel(engine, sampling_params, info, token)
                model.check_images(*probe_images())
                return model
        except (TrajsimError, ImportError, OSError, ValueError) as error:
            logger.warning("%s is loaded for texts alone: %s", info.name, error)
    return OfflineModel(engine, sampling_params, info)


def _given(ids: TokenIds, image: Image) -> dict[str, Any]:
    """Return a prompt with one token for an image."""
    return {"prompt_token_ids": list(ids), "multi_modal_data": {"image": image.picture()}}
