"""Timeouts and limits of requests to model servers."""

from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from typing import Any, Self

from similarity.connections import header_key
from similarity.errors import ConfigError
from similarity.fields import keep
from similarity.validation import given_integer, given_number

ENVIRONMENT_PREFIX = "TRAJSIM_VLLM_"


@dataclass(frozen=True, kw_only=True)
class ServerConfig:
    """Timeouts and limits of requests; each value is read from `TRAJSIM_VLLM_<NAME>` too.

    Parameters
    ----------
    api_key
        Sent as a bearer token.
    connect_timeout
        Seconds to reach a server.
    read_timeout
        Seconds to wait for the answer to one request.
    call_timeout
        Seconds for all the requests of one call of `sample` or `score`.
    patience
        Seconds that a call waits while no server answers.
    attempts
        How often one request is sent, at most.
    backoff
        Seconds of the first pause after a failure, at most; it doubles with each.
    in_flight
        Requests under way at one server, at most.
    request_tokens
        Tokens of one request to score, about.
    """

    api_key: str | None = field(default=None, repr=False)
    connect_timeout: float = 5.0
    read_timeout: float = 300.0
    call_timeout: float = 3600.0
    patience: float = 15.0
    attempts: int = 5
    backoff: float = 0.25
    in_flight: int = 32
    request_tokens: int = 8192

    def __post_init__(self) -> None:
        for setting in fields(self):
            value = _checked(setting.type, setting.name, getattr(self, setting.name))
            keep(self, **{setting.name: value})

    @classmethod
    def variables(cls) -> list[str]:
        """Return the variables of the environment that have a setting each."""
        return [_variable(setting.name) for setting in fields(cls)]

    @classmethod
    def from_environment(cls, environment: Mapping[str, str]) -> Self:
        """Return the settings that the environment gives.

        Raises
        ------
        ConfigError
            If one is not a number, or out of range, or a header cannot carry the key.
        """
        given: dict[str, Any] = {}
        for setting in fields(cls):
            variable = _variable(setting.name)
            if text := environment.get(variable):
                given[setting.name] = _checked(
                    setting.type, variable, _read(setting.type, variable, text)
                )
        return cls(**given)


def _variable(setting: str) -> str:
    return ENVIRONMENT_PREFIX + setting.upper()


def _checked(kind: object, called: str, value: Any) -> str | int | float | None:
    """Return the value of a setting of a kind; what it is called is named where it may not be."""
    if kind is int:
        return given_integer(called, value, at_least=1)
    if kind is float:
        found = given_number(called, value)
        if found <= 0:
            raise ConfigError(f"{called} must be greater than 0, got {found:g}")
        return found
    return None if value is None else header_key(called, value) or None


def _read(kind: object, variable: str, text: str) -> str | int | float:
    if kind not in (int, float):
        return text
    try:
        return int(text) if kind is int else float(text)
    except ValueError as error:
        noun = "whole number" if kind is int else "number"
        raise ConfigError(f"{variable} must be a {noun}, got {text!r}") from error
