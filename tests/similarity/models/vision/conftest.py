from functools import partial
from pathlib import Path
from typing import Any

import pytest

from similarity.models.local import local_model
from similarity.models.vision.model import VisionModel
from tests.tiny_vision_models import VISION_ARCHITECTURES, make_tiny_vision_model


class Tiny:
    """A tiny vision-language model, with the network and the processor that it is made of."""

    def __init__(self, architecture: str, folder: Path) -> None:
        self.network, self.processor = make_tiny_vision_model(architecture, folder)
        model = local_model(
            self.network,
            self.processor.tokenizer,
            name=architecture,
            revision="made here",
            device="cpu",
            assets=None,
            kind=partial(VisionModel, self.processor),
        )
        assert isinstance(model, VisionModel)
        self.model: Any = model


@pytest.fixture(scope="session", params=VISION_ARCHITECTURES)
def tiny(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Tiny:
    return Tiny(request.param, tmp_path_factory.mktemp("vision") / request.param)
