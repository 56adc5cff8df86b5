"""From the name a user gives to a loaded model: one table, everything heavy imported late.

A backend is one module and one row of BACKENDS.
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from typing import Any

from similarity.errors import ConfigError
from similarity.models.base import LanguageModel
from similarity.models.checks import Check, check_scores

EMBEDDED_PATH = Path(__file__).parent / "embedded"
EMBEDDED = "embedded"
DEFAULT_MODEL = EMBEDDED
# Names of models that are the same wherever they are had from.
PACKAGED = frozenset({EMBEDDED})
# Before the id of a model that vLLM's engine runs in this process.
OFFLINE = "vllm:"

DEVICES = ("auto", "cpu", "cuda")
DTYPES = ("auto", "float32", "float16", "bfloat16")


@dataclass(frozen=True, kw_only=True)
class LoadOptions:
    """Where and in which arithmetic a local model runs; "auto" takes a GPU where there is one."""

    device: str = "auto"
    dtype: str = "auto"

    def __post_init__(self) -> None:
        for name, allowed in (("device", DEVICES), ("dtype", DTYPES)):
            if getattr(self, name) not in allowed:
                raise ConfigError(
                    f"unknown {name} {getattr(self, name)!r}; allowed: {', '.join(allowed)}"
                )


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
    """

    matches: Callable[[str], bool]
    module: str
    load: str = "load"
    examine: str | None = None

    def function(self, name: str) -> Callable[[str, LoadOptions], Any]:
        """Return a function of the backend's module."""
        found: Callable[[str, LoadOptions], Any] = getattr(import_module(self.module), name)
        return found


def is_address(name: str) -> bool:
    """Tell whether a model's name is the address of servers."""
    return name.startswith(("http://", "https://"))


# The first that matches is taken.
BACKENDS = (
    Backend(matches=EMBEDDED.__eq__, module="similarity.models.local", load="load_embedded"),
    Backend(matches="toy".__eq__, module="similarity.models.toy"),
    Backend(matches=is_address, module="similarity.models.vllm_server.loader", examine="examine"),
    Backend(matches=lambda name: name.startswith(OFFLINE), module="similarity.models.vllm_offline"),
    # The folder of a model, or its id on a hub.
    Backend(matches=lambda _name: True, module="similarity.models.local"),
)


def load_model(name: str = DEFAULT_MODEL, options: LoadOptions | None = None) -> LanguageModel:
    """Load a model by name: a name in the table, a path, a hub id, or an address.

    "embedded" and "toy" are in the package; "http://host:8000" is a vLLM server, and "vllm:"
    before a path or an id runs vLLM's engine in this process.

    Raises
    ------
    ModelNotFoundError
        If nothing can be loaded under that name.
    BackendError, WrongAnswerError
        If a server does not answer, refuses, or would give wrong scores.
    MissingDependencyError
        If the model needs an optional package; the message names the extra.
    ConfigError
        If an option is unknown.
    """
    backend = _backend(name)
    model: LanguageModel = backend.function(backend.load)(name, options or LoadOptions())
    return model


def examine_model(name: str, options: LoadOptions | None = None) -> Examined:
    """Return every check of a model, and the model itself if none failed.

    Raises
    ------
    ConfigError
        If an option or an address is none.
    ModelError
        If a model in this process cannot be loaded.
    """
    backend, options = _backend(name), options or LoadOptions()
    if backend.examine is not None:
        examined: Examined = backend.function(backend.examine)(name, options)
        return examined
    model = load_model(name, options)
    checks = [(model.info.name, check) for check in check_scores(model)]
    return checks, None if failed(checks) else model


def failed(checks: Iterable[PlacedCheck]) -> bool:
    """Tell whether one found a model unfit."""
    return any(check.error is not None for _, check in checks)


def _backend(name: str) -> Backend:
    return next(backend for backend in BACKENDS if backend.matches(name))
