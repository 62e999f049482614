"""A client of Barid's admin API, small enough for tests: JSON in, JSON out, errors as exceptions."""

import http.client
import json
from collections.abc import Mapping
from typing import Any
from urllib.parse import quote, urlencode

TIMEOUT = 30.0
"""Seconds beyond what a request itself asks the server to wait."""


class ApiError(Exception):
    """The API said no: `status`, and the problem (RFC 9457) as it came."""

    def __init__(self, status: int, problem: Mapping[str, Any]) -> None:
        self.status = status
        self.problem = dict(problem)
        super().__init__(f"{status} {problem.get('title', '')}: {problem.get('detail', '')}")


class Api:
    def __init__(self, host: str, port: int, key: str) -> None:
        self._address = (host, port)
        self._key = key

    def get(self, path: str, *, wait: float = 0.0, **query: object) -> Any:
        """query: those that are None are left out; `from_` is sent as `from`. wait: what the server may take itself."""
        given = {name.rstrip("_"): value for name, value in query.items() if value is not None}
        return json.loads(self._ask("GET", path + (f"?{urlencode(given)}" if given else ""), None, wait))

    def raw(self, path: str) -> bytes:
        """A resource that is no JSON."""
        return self._ask("GET", path, None, 0.0)

    def send(self, method: str, path: str, body: object = None) -> Any:
        """None where the answer has no content."""
        answer = self._ask(method, path, None if body is None else json.dumps(body).encode(), 0.0)
        return json.loads(answer) if answer else None

    def _ask(self, method: str, path: str, body: bytes | None, wait: float) -> bytes:
        __tracebackhide__ = True
        connection = http.client.HTTPConnection(*self._address, timeout=TIMEOUT + wait)
        try:
            headers = {"Authorization": f"Bearer {self._key}", "Content-Type": "application/json"}
            connection.request(method, path, body, headers)
            response = connection.getresponse()
            content = response.read()
        finally:
            connection.close()
        if response.status >= 400:
            raise ApiError(response.status, _problem(content))
        return content


def _problem(content: bytes) -> dict[str, Any]:
    try:
        problem = json.loads(content)
    except ValueError:
        return {"detail": content[:200].decode("utf-8", "replace")}
    return problem if isinstance(problem, dict) else {"detail": str(problem)}


def segment(text: str) -> str:
    """Text as one segment of a path."""
    return quote(text, safe="")
