"""From the name a user gives to a loaded model: one table, everything heavy imported late."""

import os
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from similarity.errors import ConfigError, MissingDependencyError
from similarity.models.base import LanguageModel

EMBEDDED_PATH = Path(__file__).parent / "embedded"
DEFAULT_MODEL = "embedded"

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


def load_model(name: str = DEFAULT_MODEL, options: LoadOptions | None = None) -> LanguageModel:
    """Load a model by name: "embedded", "toy", the path or hub id of a causal language model,
    "http://host:8000" for a vLLM server, or "vllm:" and an id for vLLM in this process.

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
    kind = next((start for start in _PREFIXED if name.startswith(start)), None)
    load = _NAMED.get(name, _load_local) if kind is None else _PREFIXED[kind]
    return load(name, options or LoadOptions())


def _load_toy(_name: str, _options: LoadOptions) -> LanguageModel:
    from similarity.models.toy import ToyModel

    return ToyModel()


def _load_embedded(name: str, options: LoadOptions) -> LanguageModel:
    from similarity.models.local import load_local

    return load_local(str(EMBEDDED_PATH), name=name, device=options.device, dtype=options.dtype)


def _load_local(name: str, options: LoadOptions) -> LanguageModel:
    from similarity.models.local import load_local

    return load_local(name, device=options.device, dtype=options.dtype)


def _load_server(name: str, _options: LoadOptions) -> LanguageModel:
    try:
        import httpx  # noqa: F401
    except ImportError as error:
        raise MissingDependencyError(
            "a model on a server needs httpx: pip install 'trajsim[remote]'"
        ) from error
    from similarity.models.vllm_server.config import ServerConfig
    from similarity.models.vllm_server.loader import load_server

    return load_server(name, ServerConfig.from_environment(os.environ))


def _load_offline(name: str, options: LoadOptions) -> LanguageModel:
    from similarity.models.vllm_offline import load_offline

    return load_offline(name.removeprefix("vllm:"), dtype=options.dtype)


_PREFIXED: dict[str, Callable[[str, LoadOptions], LanguageModel]] = {
    "http://": _load_server,
    "https://": _load_server,
    "vllm:": _load_offline,
}
_NAMED: dict[str, Callable[[str, LoadOptions], LanguageModel]] = {
    "embedded": _load_embedded,
    "toy": _load_toy,
}
