"""Who may come in, decided before anything of a request is read: keys, lengths, and paths as segments.

What changes something leaves a line in the log: who (the beginning of the key's hash), what, and how it ended.

Without a key one may see the description of the API (`/openapi.json`) and of its problems: they hold no secrets, and
tools need them first. And users may change their own password, for which they show the present one.
"""

import time
from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any

from barid_runtime.logging import get_logger
from barid_runtime.metrics import Metrics

from ..policy.keys import Keys, Scope, bearer, fingerprint
from .problems import problem
from .segments import encoded

Scope_ = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[MutableMapping[str, Any]]]
Send = Callable[[MutableMapping[str, Any]], Awaitable[None]]
App = Callable[[Scope_, Receive, Send], Awaitable[None]]

BODY_MOST = 4 * 1024 * 1024
"""Bytes of a request's body: the largest is a Sieve script, or an alias with a thousand targets."""

_OPEN = ("/openapi.json", "/problems/")
_OF_PATIENCE = "/v1/wait"
_OF_USERS = "/v1/password"
"""Users have no keys: their password lets them in, and the handler limits guesses."""

_LOOKING = ("GET", "HEAD", "OPTIONS")
_CHANGING = ("POST", "PUT", "PATCH", "DELETE")

log = get_logger("admin")
_metrics = Metrics("admin")
_requests = _metrics.counter("requests", "Requests by method and status", ["method", "status"])
_seconds = _metrics.seconds("request", "From head to answer; not of who waits for mail", ["method"])


class Gate:
    """An ASGI app before the app."""

    def __init__(self, app: App, keys: Keys) -> None:
        self._app = app
        self._keys = keys

    async def __call__(self, scope: Scope_, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        status = 0

        async def noting(message: MutableMapping[str, Any]) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
            await send(message)

        method = scope["method"]
        began = time.perf_counter()
        if method == "HEAD":
            # As GET (RFC 9110 §9.3.2); the server, which knows what was asked, leaves the content out.
            scope = {**scope, "method": "GET"}
        try:
            await (self._refusal(scope) or self._app)(scope, receive, noting)
        finally:
            known = method if method in _LOOKING + _CHANGING else "other"
            _requests.labels(known, str(status)).inc()
            if scope["path"] != _OF_PATIENCE:
                _seconds.labels(known).observe(time.perf_counter() - began)
            if method in _CHANGING and status != 401:
                log.info("request", method=method, path=scope["path"], status=status, key=fingerprint(_key(scope)))

    def _refusal(self, scope: Scope_) -> App | None:
        path = encoded(scope.get("raw_path") or scope["path"].encode())
        if path is None:
            return problem("bad-request", "the path is not UTF-8 text")
        scope["path"] = path
        if path.startswith(_OPEN):
            return None
        if path == _OF_USERS:
            return _unreadable(scope)
        key = _key(scope)
        if key is None:
            return problem("unauthorized", headers={"WWW-Authenticate": 'Bearer realm="barid"'})
        allowed = self._keys.scope_of(key)
        if allowed is None:
            asked = {"WWW-Authenticate": 'Bearer realm="barid", error="invalid_token"'}
            return problem("unauthorized", "that key is not one of this system", headers=asked)
        if allowed is Scope.READ and scope["method"] not in _LOOKING:
            asked = {"WWW-Authenticate": 'Bearer realm="barid", error="insufficient_scope"'}
            return problem("forbidden", "this key may only look", headers=asked)
        return _unreadable(scope)


def _key(scope: Scope_) -> str | None:
    """None: no Authorization field. Two of them are no key."""
    given = [value for name, value in scope["headers"] if name == b"authorization"]
    if not given:
        return None
    return bearer(given[0].decode("latin-1")) if len(given) == 1 else ""


def _unreadable(scope: Scope_) -> App | None:
    """The HTTP parser holds a body to the length that was announced. Unannounced ones are not taken."""
    length = 0
    kind = b""
    for name, value in scope["headers"]:
        if name == b"transfer-encoding":
            return problem("length-required")
        if name == b"content-length":
            length = int(value)
        elif name == b"content-type":
            kind = value.partition(b";")[0].strip().lower()
    if length > BODY_MOST:
        return problem("too-large", f"a body has at most {BODY_MOST} bytes", headers={"Connection": "close"})
    if length and kind != b"application/json":
        return problem("unsupported-media-type", "a body is JSON, sent as `Content-Type: application/json`")
    return None
