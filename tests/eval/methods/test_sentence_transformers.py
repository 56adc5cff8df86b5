import sys
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from eval.methods.base import Setting
from eval.methods.sentence_transformers import sentence_transformer
from similarity.errors import ConfigError, MissingDependencyError
from similarity.models.toy import ToyModel


class Encoder:
    """Counts a and b, in the shape of the library's own encoders."""

    def __init__(self, name: str, **_options: Any) -> None:
        if name == "nowhere":
            raise OSError("nowhere is no model.\nMore of that.")

    def encode(self, texts: list[str], **_options: Any) -> np.ndarray[Any, Any]:
        return np.array([[text.count("a"), text.count("b")] for text in texts], np.float32)


@pytest.fixture
def library(monkeypatch: pytest.MonkeyPatch) -> None:
    stand_in = SimpleNamespace(SentenceTransformer=Encoder)
    monkeypatch.setitem(sys.modules, "sentence_transformers", stand_in)
    monkeypatch.setattr("similarity.models.hub.on_hub", lambda _name: {"revision": "c0ffee"})


@pytest.mark.usefixtures("library")
def test_cosine_of_embeddings(toy_model: ToyModel) -> None:
    method = sentence_transformer("some/encoder")(Setting(model=toy_model))
    assert method.score([("a", "b"), ("a", "aa"), ("ab", "b")]) == pytest.approx(
        [0, 1, np.sqrt(0.5)]
    )
    assert method.settings == {"encoder": "some/encoder", "revision": "c0ffee"}


@pytest.mark.usefixtures("library")
def test_no_such_encoder(toy_model: ToyModel) -> None:
    with pytest.raises(ConfigError, match="no encoder 'nowhere': nowhere is no model; give the"):
        sentence_transformer("nowhere")(Setting(model=toy_model))


def test_without_the_library(toy_model: ToyModel, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "sentence_transformers", None)
    with pytest.raises(MissingDependencyError, match=r"pip install sentence-transformers"):
        sentence_transformer("an/encoder")(Setting(model=toy_model))


@pytest.mark.slow  # Its import alone takes longer than all the rest.
def test_the_library_itself(tmp_path: Path, toy_model: ToyModel) -> None:
    library = pytest.importorskip("sentence_transformers")
    from sentence_transformers.sentence_transformer.modules import StaticEmbedding  # noqa: PLC0415
    from tokenizers import Tokenizer  # noqa: PLC0415
    from tokenizers.models import WordLevel  # noqa: PLC0415
    from tokenizers.pre_tokenizers import Whitespace  # noqa: PLC0415

    tokenizer = Tokenizer(WordLevel({"a": 0, "b": 1, "?": 2}, unk_token="?"))
    tokenizer.pre_tokenizer = Whitespace()
    module = StaticEmbedding(tokenizer, embedding_weights=np.eye(3, dtype=np.float32))
    folder = tmp_path / "encoder"
    library.SentenceTransformer(modules=[module], device="cpu").save(str(folder))
    method = sentence_transformer(str(folder))(Setting(model=toy_model))
    assert method.score([("a", "b"), ("a", "a a"), ("a b", "b")]) == pytest.approx(
        [0, 1, np.sqrt(0.5)], abs=1e-6
    )
    assert method.settings["revision"].startswith("sha256:")
