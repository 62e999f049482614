"""A client of the admin API: JSON in, JSON out. Standard library only: the command must start quickly.

ClientError               the root
├── Unreachable           no answer: nobody listens there, or the connection broke
└── ApiError              the API said no; `problem` is what it said (RFC 9457)
"""

import json
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any
from urllib.parse import quote, urlencode, urlsplit

if TYPE_CHECKING:
    import http.client

TIMEOUT = 35.0
"""Seconds: the API's own deadlines are shorter, so that its words are heard."""

ANSWER_MOST = 256 * 1024 * 1024
"""Bytes of an answer: larger than any message."""

PAGE = 500
"""Items of a page; the API's limit."""

Json = Any
Query = Mapping[str, object]
"""Values that are None are left out."""

NOTHING: Query = {}


class ClientError(Exception):
    """Whatever went wrong between us and the API."""


class Unreachable(ClientError):
    """No answer came."""


class ApiError(ClientError):
    """The API refused. Its text is fit for people."""

    def __init__(self, status: int, problem: Mapping[str, Json]) -> None:
        self.status = status
        self.problem = dict(problem)
        detail = self.problem.get("detail") or self.problem.get("title") or f"HTTP status {status}"
        super().__init__(str(detail))

    @property
    def name(self) -> str:
        """Of the problem's type: `not-found`, `conflict`, …"""
        return str(self.problem.get("type", "")).rpartition("/")[2]


def segment(text: str) -> str:
    """Text as one segment of a path."""
    return quote(text, safe="@")


class Client:
    """One connection, reused. url: `http://host:port` or `https://…`; raises ValueError for others. key: empty for what
    users may do without one."""

    def __init__(self, url: str, key: str, *, timeout: float = TIMEOUT) -> None:
        parts = urlsplit(url if "//" in url else f"http://{url}")
        if parts.scheme not in ("http", "https") or not parts.hostname:
            raise ValueError(f"{url} is no http:// or https:// address")
        if not (key.isascii() and key.isprintable()):
            raise ValueError("an API key is printable ASCII")
        self.url = f"{parts.scheme}://{parts.netloc}{parts.path.rstrip('/')}"
        self._base = parts.path.rstrip("/")
        self._key = key
        self._timeout = timeout
        self._connection = _connection(parts.scheme == "https", parts.hostname, parts.port)

    def get(self, path: str, query: Query = NOTHING, *, wait: float = 0.0) -> Json:
        """wait: seconds that the server may take beyond its usual deadlines."""
        return self._json("GET", path + _encoded(query), None, wait)

    def post(self, path: str, body: Json = None) -> Json:
        return self._json("POST", path, body)

    def put(self, path: str, body: Json = None) -> Json:
        return self._json("PUT", path, body)

    def patch(self, path: str, body: Json) -> Json:
        return self._json("PATCH", path, body)

    def delete(self, path: str, *, cascade: bool = False) -> Json:
        """None where there is nothing to say. cascade: also take it out of what names it."""
        return self._json("DELETE", f"{path}?cascade=true" if cascade else path, None)

    def raw(self, path: str) -> bytes:
        """A resource that is not JSON."""
        return self._ask("GET", path, None, 0.0)

    def pages(self, path: str, query: Query = NOTHING) -> Iterator[Json]:
        """The items of all pages."""
        cursor: str | None = None
        while True:
            page = self.get(path, {"limit": PAGE, **query, "cursor": cursor})
            yield from page["items"]
            cursor = page["next"]
            if cursor is None:
                return

    def close(self) -> None:
        self._connection.close()

    def _json(self, method: str, path: str, body: Json, wait: float = 0.0) -> Json:
        content = self._ask(method, path, None if body is None else json.dumps(body).encode(), wait)
        if not content:
            return None
        try:
            return json.loads(content)
        except ValueError:
            raise Unreachable(f"what answers at {self.url} is not Barid's API") from None

    def _ask(self, method: str, path: str, body: bytes | None, wait: float) -> bytes:
        import http.client

        headers = {"Accept": "application/json"}
        if self._key:
            headers["Authorization"] = f"Bearer {self._key}"
        if body is not None:
            headers["Content-Type"] = "application/json"
        self._connection.timeout = self._timeout + wait
        try:
            self._connection.request(method, self._base + path, body, headers)
            response = self._connection.getresponse()
            content = response.read(ANSWER_MOST)
        except (OSError, http.client.HTTPException) as error:
            self._connection.close()
            reason = getattr(error, "strerror", None) or str(error) or type(error).__name__
            raise Unreachable(f"no answer from {self.url}: {reason}") from error
        if response.status >= 400:
            raise ApiError(response.status, _problem(content))
        return content


def _connection(secure: bool, host: str, port: int | None) -> "http.client.HTTPConnection":
    import http.client  # 40 ms: a quarter of what `barid --help` may take

    return (http.client.HTTPSConnection if secure else http.client.HTTPConnection)(host, port)


def _encoded(query: Query) -> str:
    given = {name: value for name, value in query.items() if value is not None}
    return f"?{urlencode(given)}" if given else ""


def _problem(content: bytes) -> Mapping[str, Json]:
    try:
        problem = json.loads(content)
    except ValueError:
        return {}
    return problem if isinstance(problem, dict) else {}
