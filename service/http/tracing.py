"""OpenTelemetry traces, where a collector is configured; otherwise nothing is imported."""

import logging
import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import TYPE_CHECKING

from similarity.errors import ConfigError, MissingDependencyError
from similarity.version import __version__

if TYPE_CHECKING:
    from opentelemetry.sdk.trace import TracerProvider

# Where OpenTelemetry looks for headers to send to a collector, as one with a key.
HEADERS = ("OTEL_EXPORTER_OTLP_HEADERS", "OTEL_EXPORTER_OTLP_TRACES_HEADERS")

Attributes = dict[str, str | int | float]


class Tracing:
    """A span for each request, under the one that the client's `traceparent` names."""

    def __init__(self, provider: "TracerProvider") -> None:
        self._provider = provider
        self._tracer = provider.get_tracer("trajsim", __version__)

    @contextmanager
    def span(self, name: str, headers: Mapping[str, str]) -> Iterator[Attributes]:
        """Trace what is done inside; what is put into the yielded value becomes attributes."""
        from opentelemetry.trace import SpanKind
        from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator

        parent = TraceContextTextMapPropagator().extract(dict(headers))
        attributes: Attributes = {}
        with self._tracer.start_as_current_span(name, parent, SpanKind.SERVER) as span:
            try:
                yield attributes
            finally:
                span.update_name(str(attributes.pop("name", name)))
                span.set_attributes(attributes)

    def close(self) -> None:
        """Send what is left."""
        self._provider.shutdown()


def open_tracing(endpoint: str | None) -> Tracing | None:
    """Return tracing to a collector's address, or None where there is none.

    Raises
    ------
    MissingDependencyError
        If OpenTelemetry is not installed.
    ConfigError
        If a header that its environment names cannot be sent.
    """
    if endpoint is None:
        return None
    try:
        from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
        from opentelemetry.sdk.resources import Resource
        from opentelemetry.sdk.trace import TracerProvider
        from opentelemetry.sdk.trace.export import BatchSpanProcessor
    except ImportError as error:
        raise MissingDependencyError(
            "traces need OpenTelemetry: pip install opentelemetry-sdk "
            "opentelemetry-exporter-otlp-proto-http"
        ) from error
    _check_headers(os.environ)
    provider = TracerProvider(resource=Resource.create({"service.name": "trajsim"}))
    sink = OTLPSpanExporter(f"{endpoint.rstrip('/')}/v1/traces")
    provider.add_span_processor(BatchSpanProcessor(sink))
    return Tracing(provider)


def _check_headers(environment: Mapping[str, str]) -> None:
    """Refuse headers of OpenTelemetry's variables that it would write into the log, or not send."""
    from opentelemetry.util import re

    for variable in HEADERS:
        for number, part in enumerate(environment.get(variable, "").split(","), 1):
            # What it cannot read it logs, with the value, which is mostly a secret.
            with _silent(re.__name__):
                read = re.parse_env_headers(part, liberal=True)
            carried = (sign.isprintable() and sign.isascii() for v in read.values() for sign in v)
            if part.strip() and not (read and all(carried)):
                raise ConfigError(
                    f"header {number} of {variable} cannot be sent; give name=value, with signs of "
                    "ASCII alone, and commas between headers"
                )


@contextmanager
def _silent(name: str) -> Iterator[None]:
    logger = logging.getLogger(name)
    was, logger.disabled = logger.disabled, True
    try:
        yield
    finally:
        logger.disabled = was
