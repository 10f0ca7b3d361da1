"""Where spans go: OpenTelemetry's own batches and exporters, set up so that no answer ever waits for them.

Spans are queued in memory and sent by a thread; a collector that is away, slow or hanging costs spans once the queue is
full (OTEL_BSP_MAX_QUEUE_SIZE), and nothing else. At the end what is queued is sent, for a few seconds at most.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Sequence

from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.resources import OTELResourceDetector, Resource
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor, ConsoleSpanExporter, SpanExporter

from ha_rag.version import version

FLUSH_S = 3.0
"""A process that is told to end waits no longer than this for its last spans to be taken."""

SHORTEST_SECRET = 8
"""A header's shorter words (a tenant's name, "Bearer") are no secrets, and stand in many a sentence."""

_EXPORTERS_LOG = logging.getLogger(OTLPSpanExporter.__module__)


class _Striking(logging.Filter):
    """Strikes secrets out of a line: a collector that refuses a token may repeat it, and its words are logged."""

    def __init__(self, hidden: Sequence[str]) -> None:
        super().__init__()
        words = [word for text in hidden for word in text.split() if len(word) >= SHORTEST_SECRET]
        self._hidden = sorted(words, key=len, reverse=True)

    def filter(self, record: logging.LogRecord) -> bool:
        text = record.getMessage()
        for secret in self._hidden:
            text = text.replace(secret, "***")
        record.msg, record.args = text, ()
        return True


def tracer_provider(exporter: str, replica: str, hidden: Sequence[str] = ()) -> TracerProvider:
    """Makes tracers; the rest (endpoint, headers, sampler, limits) comes from `OTEL_*`.

    `exporter`: "otlp" (over HTTP) or "console". `replica`: tells instances of the service apart. `hidden`: what
    the log must not hold. What the environment says of the service (OTEL_SERVICE_NAME, OTEL_RESOURCE_ATTRIBUTES) beats
    what we say.
    """
    _EXPORTERS_LOG.addFilter(_Striking(hidden))
    said = OTELResourceDetector().detect().attributes
    ours = {"service.name": "ha_rag", "service.version": version(), "service.instance.id": replica}
    resource = Resource.create({name: value for name, value in ours.items() if name not in said})
    # Without an exit handler of its own: `flushed` ends it, within a time that is bounded.
    provider = TracerProvider(resource=resource, shutdown_on_exit=False)
    provider.add_span_processor(BatchSpanProcessor(_exporter(exporter)))
    return provider


def flushed(provider: TracerProvider) -> bool:
    """Sends what is queued and ends it; whether that was done within `FLUSH_S`."""
    ending = threading.Thread(target=provider.shutdown, name="ha_rag-traces", daemon=True)
    ending.start()
    ending.join(FLUSH_S)
    return not ending.is_alive()


def _exporter(name: str) -> SpanExporter:
    return ConsoleSpanExporter() if name == "console" else OTLPSpanExporter()
