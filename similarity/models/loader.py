"""Loads a model by the name that a user gives: one table, everything heavy imported late.

A backend is one module and one row of BACKENDS.
"""

import logging
import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import cache
from importlib import import_module
from os import PathLike
from pathlib import Path
from typing import Any

from similarity.errors import (
    ConfigError,
    MissingDependencyError,
    ModelError,
    ModelNotFoundError,
)
from similarity.extras import extra_needed
from similarity.images.image import Image
from similarity.models import wheel
from similarity.models.base import LanguageModel
from similarity.models.checks import Check, check_scores
from similarity.models.model_files import WEIGHTS, settings_of
from similarity.models.prefix import without_images
from similarity.validation import as_text, check_choice, check_kind

logger = logging.getLogger(__name__)

EMBEDDED_PATH = Path(__file__).parent / "embedded"
EMBEDDED = "embedded"
SMOLLM2_ASSETS = Path(__file__).parent / "smollm2"
SMOLLM2 = "smollm2"
# Names of models that are the same wherever they are had from.
PACKAGED = frozenset({EMBEDDED, SMOLLM2})
# Before the id of a model that vLLM's engine runs in this process.
OFFLINE = "vllm:"
# Has a JSON object of further arguments of `vllm.LLM` for it.
ENGINE_VARIABLE = "TRAJSIM_VLLM_ENGINE"
# What begins with a scheme, or is a host with a port: the ids of a hub have no colon.
_ADDRESS = re.compile(
    r"\s*(?:[a-z][a-z0-9+.-]*://|(?:[\w.-]+|\[[\da-f:.]+\]):\d+(?:[/,#]|$))", re.I
)

DEVICES = ("auto", "cpu", "cuda")
DTYPES = ("auto", "fastest", "float32", "float16", "bfloat16")


@dataclass(frozen=True, kw_only=True)
class LoadOptions:
    """Where and in which arithmetic a local model runs; "auto" takes a GPU where there is one."""

    device: str = "auto"
    dtype: str = "auto"

    def __post_init__(self) -> None:
        for name, allowed in (("device", DEVICES), ("dtype", DTYPES)):
            check_choice(name, getattr(self, name), allowed)


# A check with the place that was checked: the URL of a server, or a model's name.
PlacedCheck = tuple[str, Check]
# The checks of a model, and the model itself if none failed.
Examined = tuple[list[PlacedCheck], LanguageModel | None]


@dataclass(frozen=True, kw_only=True)
class Backend:
    """A way to reach models.

    Parameters
    ----------
    matches
        Whether a name is of this kind.
    module
        Where the functions are, imported when a model is loaded.
    load
        The name of the function of (name, LoadOptions) that returns a checked LanguageModel.
    examine
        The name of the one that returns `Examined`; None loads, and checks the scores.
    sees
        Whether a model may read images, as far as its name and files show before it is loaded.
    extra
        What of this package's extras brings the packages that it needs.
    """

    matches: Callable[[str], bool]
    module: str
    load: str = "load"
    examine: str | None = None
    sees: Callable[[str], bool] = lambda _name: False
    extra: str = "local"

    def call(self, function: str, name: str, options: LoadOptions) -> Any:
        """Call a function of the backend's module for a model.

        Raises
        ------
        MissingDependencyError
            If a package is missing; the message says what to install.
        """
        with extra_needed(self.extra, f"the model {name!r} needs"):
            return getattr(import_module(self.module), function)(name, options)


def is_address(name: str) -> bool:
    """Return whether a model's name is meant as the address of servers, be it a good one or not."""
    return bool(_ADDRESS.match(name)) and not name.startswith(OFFLINE) and not Path(name).exists()


def gguf_files(folder: Path) -> list[Path]:
    """Return the GGUF files of a folder that has no weights of transformers beside them."""
    if not folder.is_dir() or any((folder / name).exists() for name in WEIGHTS):
        return []
    return sorted(folder.glob("*.gguf"))


def is_gguf(name: str) -> bool:
    """Return whether a model's name is a GGUF file, or a folder of such."""
    return name.endswith(".gguf") or bool(gguf_files(Path(name)))


def may_see(name: str) -> bool:
    """Return whether a model may read images: of a folder its configuration says so."""
    folder = Path(name)
    if not folder.is_dir():
        return True
    try:
        content = settings_of(folder)
    except (OSError, ModelError):
        return True  # loading says better what is wrong
    return any("vision" in key or "image" in key for key in content)


# The first that matches is taken.
BACKENDS = (
    Backend(matches=EMBEDDED.__eq__, module="similarity.models.local", load="load_embedded"),
    Backend(matches=SMOLLM2.__eq__, module="similarity.models.converted"),
    Backend(matches="toy".__eq__, module="similarity.models.toy"),
    Backend(
        matches=is_address,
        module="similarity.models.vllm_server.loader",
        examine="examine",
        sees=lambda _name: True,  # only the server can tell
        extra="remote",
    ),
    Backend(
        matches=lambda name: name.startswith(OFFLINE),
        module="similarity.models.vllm_offline",
        sees=lambda _name: True,
        extra="vllm",
    ),
    Backend(matches=is_gguf, module="similarity.models.gguf", extra="gguf"),
    # The folder of a model, or its id on a hub.
    Backend(matches=lambda _name: True, module="similarity.models.vision.loader", sees=may_see),
)


@cache
def default_model() -> str:
    """Return the name of the model that is used where none is given.

    Where that can only be the small one in the package, a warning says so, once.
    """
    if wheel.is_available():
        return SMOLLM2
    logger.warning(
        "the default model is 'embedded', which is small: for one that knows the language, %s",
        wheel.INSTALL,
    )
    return EMBEDDED


def load_model(
    name: str | PathLike[str] | None = None, options: LoadOptions | None = None
) -> LanguageModel:
    """Load a model by name: a name in the table, a path, a hub id, or an address.

    "embedded" and "toy" are in the package, and "smollm2" is in a wheel of its own. Without a name
    it is `default_model`. "http://host:8000" is a vLLM server, and "vllm:" before a path or an id
    runs vLLM's engine in this process. A path may be that of a GGUF file.

    Raises
    ------
    ModelNotFoundError
        If nothing can be loaded under that name.
    BackendError, WrongAnswerError
        If a server does not answer, refuses, or would give wrong scores.
    MissingDependencyError
        If the model needs an optional package; the message names the extra.
    ConfigError
        If an option is unknown, or the name is empty, or neither a string nor a path.
    """
    name = _checked(default_model() if name is None else name)
    backend = _backend(name)
    if options is not None:
        check_kind("options", options, LoadOptions, "a LoadOptions")
    model: LanguageModel = backend.call(backend.load, name, options or LoadOptions())
    return model


def examine_model(name: str | PathLike[str], options: LoadOptions | None = None) -> Examined:
    """Return every check of a model, and the model itself if none failed.

    Raises
    ------
    ConfigError
        If an option or an address is none, or the name is empty.
    ModelNotFoundError, MissingDependencyError
        If there is nothing to examine.
    """
    name, options = _checked(name), options or LoadOptions()
    backend = _backend(name)
    if backend.examine is not None:
        examined: Examined = backend.call(backend.examine, name, options)
        return examined
    try:
        model = load_model(name, options)
    except (ModelNotFoundError, MissingDependencyError):
        raise
    except ModelError as error:
        return [(name, Check("loading", "refused", error))], None
    loaded = (Check(*finding) for finding in model.findings)
    scored = check_scores(model) if model.generates else ()
    checks = [(model.info.name, check) for check in (*loaded, *scored)]
    if failed(checks):
        model.close()
        return checks, None
    return checks, model


def failed(checks: Iterable[PlacedCheck]) -> bool:
    """Return whether any check found its model unfit."""
    return any(check.error is not None for _, check in checks)


def check_sees(name: str, image: Image) -> None:
    """Raise UnsupportedError if it is known before loading that a model reads no images."""
    if not may_read_images(name):
        raise without_images(name, image)


def may_read_images(name: str) -> bool:
    """Return whether a model may read images, as far as is known before it is loaded."""
    return _backend(_checked(name)).sees(name)


def _checked(name: object) -> str:
    """Return the name of a model, which may be given as a path of any kind."""
    found = as_text(name)
    if not isinstance(found, str):
        raise ConfigError(f"the name of a model must be a string or a path, got {found!r}")
    if not found.strip():
        raise ConfigError("the name of a model is empty; give one, or leave it out for the default")
    return found


def _backend(name: str) -> Backend:
    return next(backend for backend in BACKENDS if backend.matches(name))
