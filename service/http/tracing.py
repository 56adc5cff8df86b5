"""OpenTelemetry traces, where a collector is configured; otherwise nothing is imported."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import TYPE_CHECKING

from similarity.errors import MissingDependencyError
from similarity.version import __version__

if TYPE_CHECKING:
    from opentelemetry.sdk.trace import TracerProvider

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
    provider = TracerProvider(resource=Resource.create({"service.name": "trajsim"}))
    sink = OTLPSpanExporter(f"{endpoint.rstrip('/')}/v1/traces")
    provider.add_span_processor(BatchSpanProcessor(sink))
    return Tracing(provider)
