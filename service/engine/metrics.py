"""Prometheus metrics, in a registry of the application's own."""

from collections.abc import Callable, Mapping

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest

from service.engine.usage import STAGES

SECONDS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0, 120.0)
SIZES = (1, 2, 4, 8, 16, 32, 64, 128, 256, 512)


class Metrics:
    """What is counted and measured; names begin with `trajsim_`."""

    def __init__(self) -> None:
        registry = self.registry = CollectorRegistry()
        self._requests = Counter(
            "trajsim_requests",
            "Answers by route, method and status.",
            ["route", "method", "status"],
            registry=registry,
        )
        self._failures = Counter(
            "trajsim_failures", "Answers that are errors, by code.", ["code"], registry=registry
        )
        self._seconds = Histogram(
            "trajsim_request_seconds",
            "Time from request to answer.",
            ["route"],
            buckets=SECONDS,
            registry=registry,
        )
        self._stages = Histogram(
            "trajsim_stage_seconds",
            f"Time of a request in each stage: {', '.join(STAGES)}.",
            ["stage"],
            buckets=SECONDS,
            registry=registry,
        )
        self._tokens = Counter(
            "trajsim_tokens",
            "Tokens of answers: sampled, scored, and those of both that the cache knew.",
            ["kind"],
            registry=registry,
        )
        self._calls = Histogram(
            "trajsim_model_call_seconds",
            "Time of a call of the model.",
            ["stage"],
            buckets=SECONDS,
            registry=registry,
        )
        self._batch_items = Histogram(
            "trajsim_batch_units",
            "Items of requests joined in a call.",
            ["stage"],
            buckets=SIZES,
            registry=registry,
        )
        self._batch_tokens = Counter(
            "trajsim_batch_tokens",
            "Upper bound of the tokens of all calls.",
            ["stage"],
            registry=registry,
        )
        self._lookups = Counter(
            "trajsim_cache_lookups",
            "Looks into the cache, by stage and by whether the answer was there.",
            ["stage", "outcome"],
            registry=registry,
        )

    def watch(self, name: str, description: str, value: Callable[[], float]) -> None:
        """Add a gauge that is read when the metrics are."""
        Gauge(f"trajsim_{name}", description, registry=self.registry).set_function(value)

    def request(self, route: str, method: str, status: int, seconds: float) -> None:
        """Count an answer."""
        self._requests.labels(route, method, str(status)).inc()
        self._seconds.labels(route).observe(seconds)

    def failure(self, code: str) -> None:
        """Count an answer that is an error."""
        self._failures.labels(code).inc()

    def work(self, seconds: Mapping[str, float], tokens: Mapping[str, int]) -> None:
        """Count where a request's time went, and its tokens."""
        for stage, spent in seconds.items():
            self._stages.labels(stage).observe(spent)
        for kind, count in tokens.items():
            self._tokens.labels(kind).inc(count)

    def call(self, stage: str, items: int, tokens: int, seconds: float) -> None:
        """Count a call of the model."""
        self._calls.labels(stage).observe(seconds)
        self._batch_items.labels(stage).observe(items)
        self._batch_tokens.labels(stage).inc(tokens)

    def lookups(self, stage: str, hits: int, misses: int) -> None:
        """Count looks into the cache."""
        self._lookups.labels(stage, "hit").inc(hits)
        self._lookups.labels(stage, "miss").inc(misses)

    def exposition(self) -> bytes:
        """Return all of it in Prometheus's text format."""
        return generate_latest(self.registry)
