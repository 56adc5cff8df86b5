"""Encoders trained for the purpose, by the library sentence-transformers: what is aspired to."""

from collections.abc import Sequence
from importlib import import_module
from pathlib import Path
from typing import Any

import numpy as np

from eval.methods.base import Factory, Method, Setting
from eval.methods.cosine import Cosine, Vectors
from similarity.errors import ConfigError
from similarity.extras import optional_module
from similarity.models.revision import revision


def sentence_transformer(name: str) -> Factory:
    """Return the cosine of an encoder's embeddings, on the CPU; the setting's model has no part.

    Parameters
    ----------
    name
        A folder, or an id on a hub.
    """

    def make(_setting: Setting) -> Method:
        encoder = _loaded(name)

        def embed(texts: Sequence[str]) -> Vectors:
            vectors = encoder.encode(list(texts), show_progress_bar=False, convert_to_numpy=True)
            return np.asarray(vectors, dtype=np.float64)

        return Cosine(embed, {"encoder": name, "revision": _revision(name)})

    return make


def _loaded(name: str) -> Any:
    library: Any = optional_module("sentence_transformers", f"the encoder {name!r} needs")
    try:
        return library.SentenceTransformer(name, device="cpu", trust_remote_code=False)
    except (OSError, ValueError) as error:
        lines = str(error).strip().splitlines() or [repr(error)]
        raise ConfigError(
            f"no encoder {name!r}: {lines[0].rstrip('.')}; give the folder of a "
            "sentence-transformers model, or the id of one on a hub that can be reached"
        ) from error


def _revision(name: str) -> str:
    folder = Path(name)
    if folder.exists():
        return revision(folder, None)
    # The hub's package is not there where models are on servers alone.
    hub: Any = import_module("similarity.models.hub")
    return revision(folder, hub.on_hub(name).get("revision", "unknown"))
