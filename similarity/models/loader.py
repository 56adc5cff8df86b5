"""From the name a user gives to a loaded model: one table, everything heavy imported late."""

import json
import os
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from similarity.calibration import NAME as CALIBRATION
from similarity.errors import ConfigError, MissingDependencyError
from similarity.models.base import LanguageModel

if TYPE_CHECKING:
    from similarity.models.vllm_server.loader import Servers

EMBEDDED_PATH = Path(__file__).parent / "embedded"
EMBEDDED = "embedded"
DEFAULT_MODEL = EMBEDDED
# Before the id of a model that vLLM's engine runs in this process.
OFFLINE = "vllm:"
# A JSON object of further arguments of `vllm.LLM`.
ENGINE_VARIABLE = "TRAJSIM_VLLM_ENGINE"
# A file that `trajsim eval calibrate` wrote, for a model that is not in a folder of its own.
CALIBRATION_VARIABLE = "TRAJSIM_CALIBRATION"

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


Loader = Callable[[str, LoadOptions], LanguageModel]


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
    model = _loader(name)(name, options or LoadOptions())
    model.calibration_file = _calibration_file(name)
    return model


def _calibration_file(name: str) -> Path | None:
    if given := os.environ.get(CALIBRATION_VARIABLE):
        return Path(given)
    beside = (EMBEDDED_PATH if name == DEFAULT_MODEL else Path(name)) / CALIBRATION
    return beside if beside.is_file() else None


def _loader(name: str) -> Loader:
    if is_address(name):
        return _load_server
    if name.startswith(OFFLINE):
        return _load_offline
    return _NAMED.get(name, _load_local)


def _load_toy(_name: str, _options: LoadOptions) -> LanguageModel:
    from similarity.models.toy import ToyModel

    return ToyModel()


def _load_embedded(name: str, options: LoadOptions) -> LanguageModel:
    from similarity.models.local import load_local

    return load_local(str(EMBEDDED_PATH), name=name, device=options.device, dtype=options.dtype)


def _load_local(name: str, options: LoadOptions) -> LanguageModel:
    from similarity.models.local import load_local

    return load_local(name, device=options.device, dtype=options.dtype)


def is_address(name: str) -> bool:
    """Tell whether a model's name is the address of servers."""
    return name.startswith(("http://", "https://"))


def open_servers(name: str) -> "Servers":
    """Return the servers at an address, to be checked before their model is taken.

    Raises
    ------
    MissingDependencyError
        If httpx is not installed.
    ConfigError
        If that is no address, or a setting in the environment is out of range.
    """
    try:
        from similarity.models.vllm_server.config import ServerConfig
        from similarity.models.vllm_server.loader import Servers
    except ImportError as error:
        raise MissingDependencyError(
            "a model on a server needs httpx: pip install 'trajsim[remote]'"
        ) from error
    return Servers(name, ServerConfig.from_environment(os.environ))


def _load_server(name: str, options: LoadOptions) -> LanguageModel:
    if options != LoadOptions():
        raise ConfigError("device and dtype are the server's; start it with those, and leave auto")
    return open_servers(name).checked_model()


def _load_offline(name: str, options: LoadOptions) -> LanguageModel:
    from similarity.models.vllm_offline import load_offline

    if options.device != "auto":
        raise ConfigError("vLLM takes the device that it was built for; leave device at auto")
    settings = _engine_settings(os.environ.get(ENGINE_VARIABLE, "{}"))
    return load_offline(name.removeprefix(OFFLINE), dtype=options.dtype, settings=settings)


def _engine_settings(text: str) -> dict[str, Any]:
    try:
        settings = json.loads(text)
    except ValueError:
        settings = None
    if not isinstance(settings, dict):
        raise ConfigError(f"{ENGINE_VARIABLE} must be a JSON object, got {text!r}")
    return settings


_NAMED: dict[str, Loader] = {
    EMBEDDED: _load_embedded,
    "toy": _load_toy,
}
