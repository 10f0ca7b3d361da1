"""Export of spans: OpenTelemetry's batch processor and exporters, set up so that no answer waits for them.

Spans are queued in memory and sent by a thread. If the collector is unreachable or slow, spans are dropped once the
queue is full (OTEL_BSP_MAX_QUEUE_SIZE). On shutdown queued spans are sent, for a few seconds at most.
"""

from __future__ import annotations

import logging
import threading

from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.resources import OTELResourceDetector, Resource
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor, ConsoleSpanExporter, SpanExporter

from ha_rag.redaction import NOTHING_KNOWN, Redactor
from ha_rag.version import version

FLUSH_S = 3.0
"""Longest wait for the last spans to be sent on shutdown."""

_EXPORTER_LOG = logging.getLogger(OTLPSpanExporter.__module__)


class _SecretFilter(logging.Filter):
    """Redacts secrets from log lines: a collector that rejects a token may repeat it in its error, which is logged."""

    def __init__(self, redactor: Redactor) -> None:
        super().__init__()
        self._redactor = redactor

    def filter(self, record: logging.LogRecord) -> bool:
        record.msg, record.args = self._redactor.redacted(record.getMessage()), ()
        return True


def tracer_provider(exporter: str, replica: str, redactor: Redactor = NOTHING_KNOWN) -> TracerProvider:
    """A tracer provider. Endpoint, headers, sampler and limits come from `OTEL_*` variables.

    `exporter`: "otlp" (over HTTP) or "console". `replica`: the service instance's id. `redactor`: for
    the log. OTEL_SERVICE_NAME and OTEL_RESOURCE_ATTRIBUTES take precedence over our resource attributes.
    """
    _EXPORTER_LOG.addFilter(_SecretFilter(redactor))
    configured = OTELResourceDetector().detect().attributes
    ours = {"service.name": "ha_rag", "service.version": version(), "service.instance.id": replica}
    resource = Resource.create({name: value for name, value in ours.items() if name not in configured})
    # No exit handler of its own: `shut_down` stops it within a bounded time.
    provider = TracerProvider(resource=resource, shutdown_on_exit=False)
    provider.add_span_processor(BatchSpanProcessor(_exporter(exporter)))
    return provider


def shut_down(provider: TracerProvider) -> bool:
    """Sends the queued spans and shuts down. Returns whether that finished within `FLUSH_S`."""
    ending = threading.Thread(target=provider.shutdown, name="ha_rag-traces", daemon=True)
    ending.start()
    ending.join(FLUSH_S)
    return not ending.is_alive()


def _exporter(name: str) -> SpanExporter:
    return ConsoleSpanExporter() if name == "console" else OTLPSpanExporter()
