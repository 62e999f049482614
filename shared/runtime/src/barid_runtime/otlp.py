"""The door of traces on OpenTelemetry's SDK: spans go out in batches, as OTLP over HTTP (protobuf).

A receiver that is slow or away costs nobody anything: spans wait in a bounded queue on a thread of their own, and are
dropped when that is full. Imported only where traces are asked for.
"""

import os
import socket
import threading
import time
from collections.abc import Callable
from typing import Any

from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor, SpanExporter
from opentelemetry.sdk.trace.id_generator import IdGenerator
from opentelemetry.sdk.trace.sampling import ALWAYS_ON
from opentelemetry.trace import Link, NonRecordingSpan, Span, SpanContext, TraceFlags, Tracer, set_span_in_context

from . import tracing

QUEUE = 8192
"""Spans that wait, about 2 KB each."""

BATCH = 512
EVERY_MS = 1000.0
EXPORT_SECONDS = 5.0

CLOSE_SECONDS = 2.0
"""Of a drain."""

_SAMPLED = TraceFlags(TraceFlags.SAMPLED)


def open_door(endpoint: str, ratio: float) -> "OtlpDoor":
    """endpoint: `http://host:4318`; what receivers add to it is added."""
    return OtlpDoor(OTLPSpanExporter(endpoint=f"{endpoint.rstrip('/')}/v1/traces", timeout=EXPORT_SECONDS), ratio)


class _Ids(IdGenerator):
    """Gives what was laid down; the SDK asks on the thread that begins the span."""

    def __init__(self) -> None:
        self.trace = 0
        self.span = 0

    def generate_trace_id(self) -> int:
        return self.trace

    def generate_span_id(self) -> int:
        return self.span


class OtlpDoor:
    """A Door, for one thread. exporter: one of the SDK's."""

    def __init__(self, exporter: SpanExporter, ratio: float) -> None:
        self._ratio = ratio
        self._ids = _Ids()
        self._tracers: dict[str, Tracer] = {}
        self._processor = BatchSpanProcessor(
            exporter,
            max_queue_size=QUEUE,
            schedule_delay_millis=EVERY_MS,
            max_export_batch_size=BATCH,
            export_timeout_millis=EXPORT_SECONDS * 1000,
        )

    def begin(
        self,
        service: str,
        name: str,
        mail_id: str,
        *,
        parent: str = "",
        own: str = "",
        began: int = 0,
        link: str | None = None,
    ) -> tracing.Step | None:
        ids = self._ids
        ids.trace = trace = tracing.trace_of(mail_id)
        if not tracing.is_traced(trace, self._ratio):
            return None
        acceptance = tracing.acceptance_of(mail_id)
        ids.span = int(own, 16) if own else int.from_bytes(os.urandom(8), "big")
        context = None
        if own != acceptance:
            context = set_span_in_context(NonRecordingSpan(_context(trace, parent or acceptance)))
        links = [] if link is None else [Link(_context(tracing.trace_of(link), tracing.acceptance_of(link)))]
        span = (self._tracers.get(service) or self._tracer(service)).start_span(
            name,
            context,
            links=links,
            attributes={"barid.mail_id": mail_id},
            start_time=began or time.time_ns(),
        )
        return OtlpStep(span, f"00-{trace:032x}-{ids.span:016x}-01")

    def _tracer(self, service: str) -> Tracer:
        """A resource is one service's, and a process may hold many."""
        provider = TracerProvider(
            sampler=ALWAYS_ON,  # we have chosen already
            resource=Resource(
                {
                    "service.namespace": "barid",
                    "service.name": service,
                    "service.instance.id": f"{socket.gethostname()}/{os.getpid()}",
                }
            ),
            id_generator=self._ids,
            shutdown_on_exit=False,
        )
        provider.add_span_processor(self._processor)
        tracer = self._tracers[service] = provider.get_tracer("barid")
        return tracer

    def close(self) -> None:
        # On a thread that nobody waits for: the end of an export that hangs is not ours to see.
        flushing = threading.Thread(target=self._end, daemon=True, name="otlp-end")
        flushing.start()
        flushing.join(CLOSE_SECONDS)

    def _end(self) -> None:
        shutdown: Callable[[], Any] = self._processor.shutdown
        shutdown()  # exports what waits


class OtlpStep:
    """A Step."""

    __slots__ = ("_span", "traceparent")

    def __init__(self, span: Span, traceparent: str) -> None:
        self._span = span
        self.traceparent = traceparent

    def end(self, **attributes: str | int | bool) -> None:
        for name, value in attributes.items():
            self._span.set_attribute(f"barid.{name}", value)
        self._span.end()


def _context(trace: int, span: str) -> SpanContext:
    return SpanContext(trace, int(span, 16), is_remote=True, trace_flags=_SAMPLED)
