"""Translates what libraries raise while a model is loaded, to one line that says what to do."""

import textwrap
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

from huggingface_hub.errors import HFValidationError, LocalEntryNotFoundError

from similarity.errors import (
    ImageError,
    MissingDependencyError,
    ModelError,
    ModelNotFoundError,
    TrajsimError,
)
from similarity.images.image import Image
from similarity.lacking import is_out_of_memory, is_out_of_threads

_LONGEST_MESSAGE = 300


@contextmanager
def one_line(source: str, *, found: bool = True) -> Iterator[None]:
    """Translate any error of loading, from whichever library, to an error of one line.

    Parameters
    ----------
    found
        Whether there is such a model at all.

    Raises
    ------
    ModelNotFoundError, MissingDependencyError, ModelError
        In place of what is none of this library's errors.
    MemoryError
        If memory is out, whatever says so: the model's files may be sound.
    RuntimeError
        As it is, if threads are out (`is_out_of_threads`).
    """
    try:
        yield
    except (TrajsimError, MemoryError):
        raise
    except Exception as error:
        if is_out_of_memory(error):
            raise MemoryError(f"there is too little to load {source}: {line_of(error)}") from error
        if is_out_of_threads(error):
            raise
        if isinstance(error, ImportError):
            raise MissingDependencyError(f"cannot load {source}: {line_of(error)}") from error
        if found:
            raise ModelError(
                f"cannot load {source}: {line_of(error)}; copy its files again, or give another "
                "model"
            ) from error
        raise not_found(source, error) from error


def not_found(source: str, error: Exception) -> ModelNotFoundError:
    """Return the error for a name under which there is no model."""
    return ModelNotFoundError(
        f"no model {source!r}: {_reason(error)}; give 'embedded', 'toy', 'smollm2', the folder of "
        "a causal language model, or the id of one on a hub that can be reached"
    )


def _reason(error: BaseException) -> str:
    """Return why a hub does not give a model, also for users who meant a folder."""
    causes: list[BaseException] = [error]
    while (cause := causes[-1].__cause__ or causes[-1].__context__) is not None:
        causes.append(cause)
    if any(isinstance(cause, HFValidationError) for cause in causes):
        return "there is no such folder, and it cannot be the id of a model on a hub"
    if any(isinstance(cause, LocalEntryNotFoundError) for cause in causes):
        return "there is no such folder, and the hub cannot be reached"
    return line_of(error)


def not_taken(images: Sequence[Image], error: Exception) -> ImageError:
    """Return the error for images that a processor cannot take, from what it raised."""
    named = ", ".join(repr(image.name) for image in images)
    sizes = ", ".join(f"{image.width} × {image.height}" for image in images)
    return ImageError(
        f"the model's processor cannot take image {named} of {sizes} pixels ({words_of(error)}); "
        "give another image",
        images[0].name if images else None,
    )


def line_of(error: object) -> str:
    """Return what an error says, on one line and not too long."""
    if isinstance(error, KeyError) and " " not in str(error):  # which says a name, and no more
        return f"it has no {error}, or one that transformers does not know"
    return words_of(error)


def words_of(error: object) -> str:
    """Return an error's own words on one line and not too long; its kind where it has none."""
    said = error.args[0] if isinstance(error, KeyError) and error.args else error
    line = " ".join(str(said).split()) or repr(error)
    return textwrap.shorten(line, _LONGEST_MESSAGE, placeholder=" …").rstrip(". ")
