"""A receiver of OTLP over HTTP, as a collector is one: keeps the spans that it is sent."""

import gzip
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import TracebackType
from typing import Any, Self

from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

from barid_runtime.tracing import trace_of


@dataclass(frozen=True, slots=True)
class Span:
    trace: int
    id: bytes
    parent: bytes
    name: str
    service: str
    instance: str
    attributes: dict[str, Any]
    links: tuple[int, ...]
    began: int
    ended: int


class Receiver:
    def __init__(self) -> None:
        self.spans: list[Span] = []
        self.raw = b""
        receiver = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["content-length"]))
                if self.headers.get("content-encoding") == "gzip":
                    body = gzip.decompress(body)
                assert self.path == "/v1/traces"
                receiver.take(body)
                self.send_response(200)
                self.send_header("Content-Type", "application/x-protobuf")
                self.send_header("Content-Length", "0")
                self.end_headers()

            def log_message(self, format: str, *arguments: Any) -> None:
                """Says nothing."""

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.02,), daemon=True)
        self._thread.start()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, tb: TracebackType | None) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._server.server_address[1]}"

    def take(self, body: bytes) -> None:
        self.raw += body
        request = ExportTraceServiceRequest.FromString(body)
        for resource in request.resource_spans:
            about = {each.key: each.value.string_value for each in resource.resource.attributes}
            for scope in resource.scope_spans:
                self.spans += [
                    Span(
                        int.from_bytes(span.trace_id, "big"),
                        span.span_id,
                        span.parent_span_id,
                        span.name,
                        about["service.name"],
                        about["service.instance.id"],
                        {a.key: getattr(a.value, a.value.WhichOneof("value")) for a in span.attributes},
                        tuple(int.from_bytes(link.trace_id, "big") for link in span.links),
                        span.start_time_unix_nano,
                        span.end_time_unix_nano,
                    )
                    for span in scope.spans
                ]

    def trace(self, trace: int) -> list[Span]:
        """What has come of it, in the order of beginning."""
        return sorted((span for span in self.spans if span.trace == trace), key=lambda span: span.began)

    def wait(self, mail_id: str, enough: Callable[[list[Span]], bool], within: float = 30.0) -> list[Span]:
        """Until the mail's trace is enough; spans travel in batches, a second or so later."""
        return self._wait(trace_of(mail_id), enough, within)

    def wait_for(self, mail_id: str, *names: str, within: float = 30.0) -> list[Span]:
        return self.wait_for_trace(trace_of(mail_id), *names, within=within)

    def wait_for_trace(self, trace: int, *names: str, within: float = 30.0) -> list[Span]:
        return self._wait(trace, lambda found: set(names) <= {span.name for span in found}, within)

    def _wait(self, trace: int, enough: Callable[[list[Span]], bool], within: float) -> list[Span]:
        until = time.monotonic() + within
        while not enough(found := self.trace(trace)):
            assert time.monotonic() < until, [(span.service, span.name) for span in found]
            time.sleep(0.05)
        return found


def way(spans: list[Span]) -> list[tuple[str, str, str]]:
    """(parent's name, service, name) of each; the parent is `-` for the first, `?` if it did not come."""
    names = {span.id: span.name for span in spans}
    return [(names.get(span.parent, "?") if span.parent else "-", span.service, span.name) for span in spans]
