"""The service's settings: one frozen value, from the environment in this one place."""

import re
import socket
from pathlib import Path
from typing import Annotated, Literal, Self

from pydantic import AfterValidator, Field, PrivateAttr, SecretStr, model_validator
from pydantic_settings import BaseSettings, SettingsConfigDict

from service.names import checked_names, checked_origins, clean_origins, split
from service.origins import checked_endpoint, host_in
from similarity.config import MAX_TOKENS, MAX_TRAJECTORIES
from similarity.connections import header_key, is_loopback
from similarity.models.loader import default_model

MEBIBYTE = 2**20


# In less nothing is answered, and the service would never be ready.
LEAST_SECONDS = 0.1
# In less no two texts are compared: the shortest body is {"rows":["a","b"]}, and an answer has a
# number, as `service.http.json_stream` counts it.
LEAST_BODY_BYTES, LEAST_ANSWER_BYTES = 18, 22
# Looks at the model that follow each other sooner would take a processor.
LEAST_PROBE_SECONDS = 0.01
# A time of more is a mistake, and more than a system can wait for.
Seconds = Annotated[float, Field(le=86_400)]
Count = Annotated[int, Field(le=2**53)]
NotEmpty = Annotated[str, Field(min_length=1)]


class Settings(BaseSettings):
    """Every setting of the service; each is read from `TRAJSIM_<NAME>` too."""

    model_config = SettingsConfigDict(
        env_prefix="TRAJSIM_",
        frozen=True,
        extra="forbid",
        allow_inf_nan=False,
        hide_input_in_errors=True,  # which has the keys
    )

    model: NotEmpty = Field(
        default_factory=default_model,
        description="'smollm2', 'embedded', 'toy', a folder, a GGUF file, a hub id, or addresses "
        "of vLLM servers; else smollm2 where it is installed.",
    )
    device: Literal["auto", "cpu", "cuda"] = Field("auto", description="auto, cpu or cuda.")
    dtype: Literal["auto", "fastest", "float32", "float16", "bfloat16"] = Field(
        "auto", description="auto, fastest, float32, float16 or bfloat16."
    )

    vectors: NotEmpty | None = Field(
        None,
        description="Folder of meaning vectors; else those that ship with the model.",
    )
    preset: Literal["paper", "trajectories", "fast", "meaning", "best"] | None = Field(
        None,
        description="How requests are compared that do not say: paper, trajectories, fast, meaning "
        "or best; else meaning where there are vectors.",
    )

    host: NotEmpty = Field("127.0.0.1", description="Address to listen on.")
    port: int = Field(8000, ge=0, le=65535, description="Port to listen on; 0 takes a free one.")
    api_keys: SecretStr | None = Field(
        None, description="Bearer keys, separated by commas; none leaves the service open."
    )
    api_keys_file: Path | None = Field(
        None, description="File with one bearer key a line, read at start; # begins a comment."
    )
    allow_open: bool = Field(False, description="Serve a public address without a key.")
    cors_origins: Annotated[str, AfterValidator(clean_origins)] = Field(
        "", description="Origins whose pages may call, separated by commas; * for all; off."
    )

    allowed_hosts: Annotated[str, AfterValidator(checked_names)] = Field(
        "",
        description="Names that a Host header may have besides this machine's own, separated by "
        "commas; * for all; else only this machine's on an address of this machine without a key, "
        "and all otherwise.",
    )

    max_body_bytes: Count = Field(
        4 * MEBIBYTE, ge=LEAST_BODY_BYTES, description="Bytes of a request's body."
    )
    max_bodies_bytes: Count = Field(
        64 * MEBIBYTE,
        ge=1,
        description="Bytes of the bodies of all requests at once, with the images fetched for "
        "them, without those of up to 64 KiB; one alone may have more.",
    )
    max_texts: Count = Field(512, ge=2, description="Texts of one request, at most.")
    max_items: Count = Field(
        16_384, ge=2, description="Items of any list in a request: pairs, documents, inputs."
    )
    max_cells: Count = Field(
        2**18, ge=1, description="Rows × columns of a request, or texts × continuations."
    )
    max_answer_bytes: Count = Field(
        64 * MEBIBYTE,
        ge=LEAST_ANSWER_BYTES,
        description="Bytes of an answer, about; estimated before any work "
        "where the request shows them.",
    )
    max_answers_bytes: Count = Field(
        256 * MEBIBYTE,
        ge=1,
        description="Bytes of all answers being written at once, about, without those of up to "
        "64 KiB; one alone may have more.",
    )
    max_inputs: Count = Field(
        2_048, ge=1, description="Different texts of one request for vectors, at most."
    )
    max_characters: Count = Field(20_000, ge=1, description="Characters of one text, at most.")
    max_image_bytes: Count = Field(
        4 * MEBIBYTE, ge=1, description="Bytes of one image's file, at most."
    )
    max_image_pixels: Count = Field(
        16_000_000, ge=1, description="Width × height of one image, at most."
    )
    max_request_pixels: Count = Field(
        64_000_000, ge=1, description="Pixels of all images of one request, at most."
    )
    image_hosts: Annotated[str, AfterValidator(checked_origins)] = Field(
        "",
        description="Hosts from which images are fetched over https, separated by commas; "
        "http://HOST for one without; none.",
    )
    image_seconds: Seconds = Field(10, ge=LEAST_SECONDS, description="For an image to be fetched.")
    max_fetched_bytes: Count = Field(
        16 * MEBIBYTE, ge=1, description="Bytes of all images that one request has fetched."
    )
    max_trajectories: int = Field(
        100, ge=1, le=MAX_TRAJECTORIES, description="Continuations of one text, at most."
    )
    max_continuation_tokens: int = Field(
        128, ge=1, le=MAX_TOKENS, description="Tokens of one continuation, at most."
    )
    max_request_tokens: Count = Field(
        2_000_000, ge=1, description="Tokens one request may cost to sample and score, at most."
    )
    deadline_seconds: Seconds = Field(
        300, ge=LEAST_SECONDS, description="For a request, waiting included."
    )
    body_seconds: Seconds = Field(
        20, ge=LEAST_SECONDS, description="For a request's head, and for its body."
    )

    write_seconds: Seconds = Field(
        20,
        ge=LEAST_SECONDS,
        description="For a client to read on, before its connection is closed.",
    )

    max_connections: Count = Field(
        800,
        ge=1,
        description="Connections at once; one more closes that which has waited longest for a "
        "request, or is refused.",
    )
    max_active: Count = Field(
        64, ge=1, description="Requests worked on at once, at most; long ones have three quarters."
    )
    max_queued: Count = Field(
        128, ge=0, description="Requests that wait for that, at most; long ones: three quarters."
    )
    batch_tokens: Count = Field(
        16_384, ge=1, description="Tokens of one call of the model, over all requests."
    )
    call_seconds: Seconds = Field(
        0.125,
        gt=0,
        description="That the tokens of one call may be expected to take, at the measured pace.",
    )
    cache_megabytes: float = Field(
        64,
        ge=0,
        le=1_000_000,
        description="For trajectories and likelihoods of texts seen lately; 0 for none.",
    )

    probe_seconds: Seconds = Field(
        1, ge=LEAST_PROBE_SECONDS, description="Between probes of the model."
    )
    stall_seconds: Seconds = Field(
        60,
        ge=LEAST_SECONDS,
        description="After which a call of the model is hung, unless this processor computes it.",
    )
    grace_seconds: Seconds = Field(
        30, ge=0, description="For requests in flight to finish after SIGTERM."
    )
    drain_seconds: Seconds = Field(
        1, ge=0, description="To answer 'not ready' after SIGTERM before the port closes."
    )
    log_level: Literal["debug", "info", "warning", "error"] = Field(
        "info", description="debug, info, warning or error."
    )
    log_format: Literal["json", "console"] = Field("json", description="json or console.")
    otlp_endpoint: Annotated[str | None, AfterValidator(checked_endpoint)] = Field(
        None, description="OpenTelemetry collector for traces, as http://host:4318; off."
    )

    # All bearer keys, of the setting and of the file, as they were when this was made.
    _keys: tuple[str, ...] = PrivateAttr(())

    @property
    def origins(self) -> list[str]:
        """Return the origins of `cors_origins`."""
        return split(self.cors_origins)

    def hosts(self) -> list[str] | None:
        """Return the hosts that a request may name besides this machine's own; None is for all."""
        given = split(self.allowed_hosts)
        if not given:
            return [] if is_loopback(self.host) and not self.keys() else None
        return None if "*" in given else [host_in(name) for name in given]

    def keys(self) -> list[str]:
        """Return all bearer keys, from the setting and from the file as it was at the start."""
        return list(self._keys)

    def _read_keys(self) -> list[str]:
        keys = split(self.api_keys.get_secret_value()) if self.api_keys else []
        if self.api_keys_file is not None:
            # Some editors begin a file with a byte-order mark.
            lines = self.api_keys_file.read_text("utf-8-sig").splitlines()
            # Within a key # is one of its characters; a shorter key would open the service.
            keys += [key for line in lines if (key := re.sub(r"(^|\s)#.*", "", line).strip())]
        return keys

    @model_validator(mode="after")
    def _check_keys(self) -> Self:
        try:
            keys = self._read_keys()
        except (OSError, UnicodeDecodeError) as error:
            raise ValueError(f"TRAJSIM_API_KEYS_FILE cannot be read: {error}") from error
        self._keys = tuple(keys)
        configured = self.api_keys is not None or self.api_keys_file is not None
        if configured and not keys:
            raise ValueError(
                "TRAJSIM_API_KEYS or TRAJSIM_API_KEYS_FILE is set but has no key; give it one, or "
                "unset it"
            )
        for number, key in enumerate(keys, 1):
            header_key(f"key {number} of TRAJSIM_API_KEYS and TRAJSIM_API_KEYS_FILE", key)
        if not (keys or self.allow_open or is_loopback(self.host)):
            _check_resolves(self.host)
            raise ValueError(
                f"{self.host} can be reached from outside and no API key is set; set "
                "TRAJSIM_API_KEYS, or pass --allow-open true to serve everybody"
            )
        return self


def _check_resolves(host: str) -> None:
    """Raise ValueError if a host has no address, so that nobody can reach it."""
    try:
        socket.getaddrinfo(host, None)
    except (OSError, UnicodeError) as error:
        reason = getattr(error, "strerror", None) or error
        raise ValueError(
            f"the host {host[:80]!r} has no address ({reason}); give one of this machine to --host "
            "or TRAJSIM_HOST, as 127.0.0.1"
        ) from error
