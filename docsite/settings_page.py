"""The reference of settings: those of the service, and the environment of the library."""

from dataclasses import fields

from docsite.markdown import code, table
from service.settings import Settings
from similarity.known_scales import VARIABLE as CALIBRATION
from similarity.models.loader import ENGINE_VARIABLE
from similarity.models.vllm_server.config import ENVIRONMENT_PREFIX, ServerConfig
from similarity.storage.user_cache import VARIABLE as CACHE

LIBRARY = {
    "TRAJSIM_MODEL": "The model where none is named: what `--model` takes.",
    CACHE: "The folder for what is kept: converted models, vectors, answers, calibrations.",
    "TRAJSIM_KEEP_ANSWERS": "0 keeps nothing of what models compute, as `--no-cache` does.",
    CALIBRATION: "A file of calibrations, which goes before all others.",
    ENGINE_VARIABLE: "Further arguments of `vllm.LLM` for `--model vllm:ID`, as one JSON object.",
}


def settings_page() -> str:
    """Return the page: each setting with its default and what it is for."""
    servers = ServerConfig()
    parts = [
        "# Settings",
        "## The service",
        "An option of `trajsim serve` wins over its variable in the environment.",
        table(("option", "variable", "default", ""), map(_setting, Settings.model_fields)),
        "## The library and the command line",
        table(("variable", ""), ((code(name), said) for name, said in LIBRARY.items())),
        "## vLLM servers",
        "[The guide](../guides/vllm.md#how-work-is-spread) says what each is for.",
        table(
            ("variable", "default"),
            (
                (
                    code(ENVIRONMENT_PREFIX + field.name.upper()),
                    _shown(getattr(servers, field.name)),
                )
                for field in fields(servers)
            ),
        ),
    ]
    return "\n\n".join(parts) + "\n"


def _setting(name: str) -> tuple[str, str, str, str]:
    field = Settings.model_fields[name]
    default = "" if field.default_factory else _shown(field.default)
    option = "--" + name.replace("_", "-")
    return code(option), code(f"TRAJSIM_{name.upper()}"), default, field.description or ""


def _shown(value: object) -> str:
    return "none" if value in (None, "") else code(str(value))
