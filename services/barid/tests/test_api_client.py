"""The client's own behaviour: what it makes of answers that are none of Barid's, and of none at all."""

import http.server
import json
import threading
from collections.abc import Iterator
from typing import Any

import pytest

from barid.cli.output import cell, parse_size, size
from barid.client import ApiError, Client, Unreachable, segment


class Stub(http.server.BaseHTTPRequestHandler):
    """Answers what the path says: `/<status>/<kind>`."""

    protocol_version = "HTTP/1.1"
    seen: list[tuple[str, str, bytes]] = []  # noqa: RUF012

    def answer(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        Stub.seen.append((self.command, self.path, body))
        _, status, kind, *_ = [*self.path.partition("?")[0].split("/"), "", ""]
        content = {
            "html": b"<html>",
            "list": b"[1]",
            "none": b"",
            "page": json.dumps({"items": [self.path], "next": None if "cursor" in self.path else "c"}).encode(),
        }[kind]
        self.send_response(int(status))
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    do_GET = do_PUT = do_POST = do_PATCH = do_DELETE = answer

    def log_message(self, *_: Any) -> None:
        """Silence."""


@pytest.fixture
def client() -> Iterator[Client]:
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Stub)
    server.daemon_threads = True
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    Stub.seen.clear()
    made = Client(f"127.0.0.1:{server.server_port}", "key")
    yield made
    made.close()
    server.shutdown()
    thread.join()
    server.server_close()


def test_what_is_not_json_is_not_our_api(client: Client) -> None:
    with pytest.raises(Unreachable, match="not Barid's API"):
        client.get("/200/html")


@pytest.mark.parametrize("kind", ["html", "list", "none"])
def test_an_error_without_a_problem(client: Client, kind: str) -> None:
    with pytest.raises(ApiError, match="HTTP status 502") as caught:
        client.get(f"/502/{kind}")
    assert (caught.value.status, caught.value.name) == (502, "")


def test_pages_are_read_to_the_end_on_one_connection(client: Client) -> None:
    items = list(client.pages("/200/page", {"domain": None, "address": "a b"}))
    assert items == ["/200/page?limit=500&address=a+b", "/200/page?limit=500&address=a+b&cursor=c"]


def test_bodies_and_answers_without_content(client: Client) -> None:
    assert client.delete("/200/none") is None
    assert client.post("/200/list", {"a": "ü"}) == [1]
    assert client.put("/200/list") == [1]
    assert client.patch("/200/list", {}) == [1]
    assert client.raw("/200/html") == b"<html>"
    assert Stub.seen[1] == ("POST", "/200/list", b'{"a": "\\u00fc"}')


def test_nobody_listens() -> None:
    with pytest.raises(Unreachable, match=r"no answer from http://127\.0\.0\.1:1: Connection refused"):
        Client("http://127.0.0.1:1", "key").get("/")


@pytest.mark.parametrize("url", ["ftp://x", "http://", "http://[::1", "file:///etc/passwd"])
def test_what_is_no_url(url: str) -> None:
    with pytest.raises(ValueError, match=r".+"):
        Client(url, "key")


@pytest.mark.parametrize("key", ["a\r\nX: y", "é"])
def test_what_is_no_key(key: str) -> None:
    with pytest.raises(ValueError, match="printable"):
        Client("http://x", key)


def test_segments() -> None:
    assert segment("a/b+c@x.test") == "a%2Fb%2Bc@x.test"
    assert segment("..") == ".."


@pytest.mark.parametrize(
    ("text", "count"), [("0", 0), ("500", 500), ("1k", 1024), ("1.5M", 3 << 19), ("2GB", 2 << 30), ("1 GiB", 1 << 30)]
)
def test_sizes(text: str, count: int) -> None:
    assert parse_size(text) == count


@pytest.mark.parametrize("text", ["", "K", "-1", "1X", "nan", "inf", "9" * 30, "1e400"])
def test_what_is_no_size(text: str) -> None:
    with pytest.raises(ValueError, match="size"):
        parse_size(text)


def test_cells_are_one_harmless_line() -> None:
    assert cell("a\x1b[2J\nb") == "a\N{REPLACEMENT CHARACTER}[2J b"
    assert cell(None) == "–"
    assert (cell(True), cell(7)) == ("yes", "7")
    assert (size(0), size(1536), size(5 << 40)) == ("0 B", "1.5 KiB", "5.0 TiB")
