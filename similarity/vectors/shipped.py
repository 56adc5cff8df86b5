"""Which vectors a user means: a folder's, or the general ones that ship with the embedded model."""

from pathlib import Path

from similarity.errors import UnsupportedError
from similarity.law import Law
from similarity.models.base import LanguageModel
from similarity.models.loader import EMBEDDED, EMBEDDED_PATH
from similarity.vectors.meaning import MeaningVectors
from similarity.vectors.storage import load

GENERAL = "general"


def open_vectors(where: str, model: LanguageModel) -> MeaningVectors:
    """Read vectors from a folder, or for "general" those that ship with the model.

    Raises
    ------
    UnsupportedError
        If none ship with this model, or it is reached in a way that does not tell what they need.
    ConfigError
        If the folder has none, or those of another model.
    """
    if where != GENERAL:
        return load(Path(where), model)
    if model.info.name != EMBEDDED:
        raise UnsupportedError(
            f"no meaning vectors ship with {model.info.name}; fit them to your own text by "
            f"trajsim fit --model {model.info.name} --corpus FILE --out DIR, and name DIR"
        )
    # What they are made of, asked of no text: a server of the same model does not tell it.
    model.distributions([], Law())
    model.hidden_states([])
    return load(EMBEDDED_PATH / "vectors", model)


def find_vectors(where: str | None, model: LanguageModel) -> MeaningVectors | None:
    """Return a folder's vectors, or without one those that ship with the model, if any do.

    Raises
    ------
    ConfigError
        If the folder has none, or those of another model.
    """
    try:
        return open_vectors(where or GENERAL, model)
    except UnsupportedError:
        if where is None:
            return None
        raise
