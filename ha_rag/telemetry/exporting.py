"""Where spans go: OpenTelemetry's own batches and exporters, set up so that no answer ever waits for them.

Spans are queued in memory and sent by a thread; a collector that is away, slow or hanging costs spans once the queue is
full (OTEL_BSP_MAX_QUEUE_SIZE), and nothing else. At the end what is queued is sent, for a few seconds at most.
"""

from __future__ import annotations

import threading

from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.resources import OTELResourceDetector, Resource
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor, ConsoleSpanExporter, SpanExporter

from ha_rag.version import version

FLUSH_S = 3.0
"""A process that is told to end waits no longer than this for its last spans to be taken."""


def tracer_provider(exporter: str, replica: str) -> TracerProvider:
    """Makes tracers; the rest (endpoint, headers, sampler, limits) comes from `OTEL_*`.

    `exporter`: "otlp" (over HTTP) or "console". `replica`: tells instances of the service apart. What the environment
    says of the service (OTEL_SERVICE_NAME, OTEL_RESOURCE_ATTRIBUTES) beats what we say.
    """
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
