"""A proxy before an S3 server that fails where a test wants it to."""

import contextlib
import http.client
import threading
import time
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

_HOP = frozenset({"connection", "keep-alive", "transfer-encoding", "te", "upgrade"})


class _Server(ThreadingHTTPServer):
    daemon_threads = True

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Whoever asked was killed, and that is what tests do."""


class FaultyS3:
    """`fault(method, path)` is asked at each request for what becomes of it:

    None       it is passed on
    500 …      it is answered with that status, and not passed on
    "hang"     it is not answered for `hang_seconds`, and not passed on
    "drop"     it is passed on and done, and the connection ends without an answer
    "late"     it is passed on and answered after `hang_seconds`

    counts: requests by method. target_port: of the server, or what tells it at each request; that may raise
    ConnectionError while there is none.
    """

    def __init__(self, target_port: int | Callable[[], int]) -> None:
        self.fault: Callable[[str, str], int | str | None] = lambda method, path: None
        self.hang_seconds = 1.0
        self.counts: dict[str, int] = {}
        self.requests: list[tuple[str, str]] = []
        proxy = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do(self) -> None:
                proxy.handle(self, target_port)

            do_GET = do_PUT = do_HEAD = do_DELETE = do_POST = do

            def log_message(self, format: str, *arguments: Any) -> None:
                """Says nothing."""

        self._server = _Server(("127.0.0.1", 0), Handler)
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.02,), daemon=True)
        self._thread.start()

    @property
    def port(self) -> int:
        return int(self._server.server_address[1])

    def close(self) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()

    def handle(self, request: BaseHTTPRequestHandler, target_port: int | Callable[[], int]) -> None:
        method, path = request.command, request.path
        self.counts[method] = self.counts.get(method, 0) + 1
        self.requests.append((method, path))
        body = request.rfile.read(int(request.headers.get("content-length") or 0))
        fault = self.fault(method, path)
        # What goes wrong on either side ends the connection, as a server that dies does.
        last, request.close_connection = request.close_connection, True
        with contextlib.suppress(OSError, http.client.HTTPException):
            if fault == "hang":
                time.sleep(self.hang_seconds)
            elif isinstance(fault, int):
                _answer(request, fault, [("Content-Type", "text/plain")], b"broken")
                request.close_connection = last
            else:
                port = target_port if isinstance(target_port, int) else target_port()
                status, headers, data = _pass_on(request, body, port)
                if fault == "late":
                    time.sleep(self.hang_seconds)
                if fault != "drop":
                    _answer(request, status, headers, data)
                    request.close_connection = last


def _pass_on(request: BaseHTTPRequestHandler, body: bytes, port: int) -> tuple[int, list[tuple[str, str]], bytes]:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=20)
    try:
        # With the Host that the client sent: its signature is over that.
        connection.putrequest(request.command, request.path, skip_host=True, skip_accept_encoding=True)
        for name, value in request.headers.items():
            if name.lower() not in _HOP:
                connection.putheader(name, value)
        connection.endheaders(body or None)
        response = connection.getresponse()
        data = response.read()
        return response.status, [(n, v) for n, v in response.getheaders() if n.lower() not in _HOP], data
    finally:
        connection.close()


def _answer(request: BaseHTTPRequestHandler, status: int, headers: list[tuple[str, str]], data: bytes) -> None:
    request.send_response_only(status)
    for name, value in headers:
        if name.lower() != "content-length" or request.command == "HEAD":
            request.send_header(name, value)
    if request.command != "HEAD":
        request.send_header("Content-Length", str(len(data)))
    request.end_headers()
    if request.command != "HEAD":
        request.wfile.write(data)
