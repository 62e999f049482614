"""Whoever may not come in, and whatever is malformed: a problem each, never a traceback."""

import socket
from typing import Any

import pytest

from .house import Api, House
from .house_program import READER


def test_without_a_key_nothing_is_told(house: House) -> None:
    answer = house.api(key=None).ask("GET", "/v1/domains")
    assert (answer.status, answer.problem) == (401, "unauthorized")
    assert answer.headers["WWW-Authenticate"] == 'Bearer realm="barid"'
    # Nor which paths there are.
    assert house.api(key=None).ask("GET", "/v1/nothing").status == 401


@pytest.mark.parametrize("key", ["wrong", "", "key-of-the-house-", "\u00e9" * 8, "x" * 5000])
def test_a_wrong_key_is_refused(house: House, key: str) -> None:
    answer = house.api(key).ask("DELETE", "/v1/captured")
    assert (answer.status, answer.problem) == (401, "unauthorized")
    assert 'error="invalid_token"' in answer.headers["WWW-Authenticate"]


@pytest.mark.parametrize("field", ["Basic a2V5", "Bearer", "key-of-the-house", "Bearer key-of-the-house x"])
def test_the_key_comes_as_a_bearer_token(house: House, field: str) -> None:
    answer = house.api(None).ask("GET", "/v1/domains", headers={"Authorization": field})
    assert answer.problem == "unauthorized"


def test_a_readers_key_may_only_look(house: House) -> None:
    reader = house.api(READER)
    assert reader.ask("GET", "/v1/domains").status == 200
    answer = reader.ask("PUT", "/v1/domains/x.test")
    assert (answer.status, answer.problem) == (403, "forbidden")
    assert 'error="insufficient_scope"' in answer.headers["WWW-Authenticate"]


def test_descriptions_are_open(house: House) -> None:
    nobody = house.api(None)
    assert nobody.ask("GET", "/openapi.json").status == 200
    page = nobody.ask("GET", "/problems/not-found")
    assert page.status == 200
    assert b"listing" in page.body
    assert nobody.ask("GET", "/problems/nope").problem == "not-found"


def test_unknown_paths_and_methods(house: House, api: Api) -> None:
    assert api.ask("GET", "/").problem == "not-found"
    assert api.ask("GET", "/v1/domains/").problem == "not-found"
    assert api.ask("GET", "/v1/accounts/a@b.test/nothing").problem == "not-found"
    answer = api.ask("POST", "/v1/accounts/a@b.test")
    assert (answer.status, answer.problem) == (405, "method-not-allowed")
    assert answer.headers["Allow"] == "DELETE, GET, HEAD, OPTIONS, PATCH"
    assert api.ask("POST", "/v1/queue/explode", {"all": True}).problem == "invalid"


@pytest.mark.parametrize(
    ("body", "problem"),
    [
        (b"{", "bad-request"),
        (b"\xff\xfe", "bad-request"),
        (b"[]", "invalid"),
        (b"", "invalid"),
        (b'{"address": 7}', "invalid"),
        (b'{"address": "a@b.test", "quota": 1e300}', "invalid"),
        (b'{"address": "a@b.test", "quota": -1}', "invalid"),
        (b'{"address": "no address", "password": "open sesame"}', "invalid"),
        (b"[" * 100_000, "bad-request"),
        (b'{"address": "\\ud800@b.test", "password": "open sesame"}', "invalid"),
    ],
)
def test_malformed_bodies(house: House, api: Api, body: bytes, problem: str) -> None:
    assert api.ask("POST", "/v1/accounts", body).problem == problem


def test_fields_that_are_wrong_are_named_without_their_values(house: House, api: Api) -> None:
    answer = api.ask("POST", "/v1/accounts", {"address": "a", "password": "s3cret" * 1000})
    assert sorted(error["pointer"] for error in answer.json["errors"]) == ["#/address", "#/password"]
    assert b"s3cret" not in answer.body
    answer = api.ask("GET", "/v1/accounts", limit=0)
    assert answer.json["errors"] == [{"parameter": "limit", "detail": answer.json["errors"][0]["detail"]}]


def test_the_wrong_type_of_body(house: House, api: Api) -> None:
    for kind in ("application/x-www-form-urlencoded", "text/plain", ""):
        answer = api.ask("POST", "/v1/accounts", b"address=a", headers={"Content-Type": kind})
        assert (answer.status, answer.problem) == (415, "unsupported-media-type")
    known = api.ask(
        "PUT", f"/v1/domains/{house.new_domain()}", {}, headers={"Content-Type": "Application/JSON; charset=utf-8"}
    )
    assert known.status == 200


def test_misspelt_names_are_not_passed_over(house: House, api: Api) -> None:
    """A filter that filters nothing, a setting that is not set: in silence they would do harm."""
    answer = api.ask("GET", "/v1/accounts", domian="a.test")
    assert (answer.problem, answer.json["errors"][0]["parameter"]) == ("invalid", "domian")
    assert api.ask("DELETE", "/v1/captured", address="a@b.test").problem == "invalid"
    address = house.new_account()
    answer = api.ask("PATCH", f"/v1/accounts/{address}", {"qouta": 5})
    assert (answer.problem, answer.json["errors"][0]["pointer"]) == ("invalid", "#/qouta")


@pytest.mark.parametrize("body", [{"quota": "5"}, {"quota": 5.0}, {"quota": True}, {"enabled": 0}, {"enabled": "no"}])
def test_values_are_not_made_into_another_type(house: House, api: Api, body: Any) -> None:
    assert api.ask("PATCH", f"/v1/accounts/{house.new_account()}", body).problem == "invalid"


def test_head_is_get_without_content(house: House, api: Api) -> None:
    """RFC 9110 §9.3.2."""
    address = house.new_account()
    for path in (
        "/v1/domains",
        f"/v1/accounts/{address}",
        "/v1/accounts/nobody@b.test",
        "/v1/nothing",
        "/openapi.json",
    ):
        got, head = api.ask("GET", path), api.ask("HEAD", path)
        assert (head.status, head.body) == (got.status, b"")
        assert head.headers["content-length"] == str(len(got.body))
        assert head.headers["content-type"] == got.headers["content-type"]
    reader = house.api(READER)
    assert reader.ask("HEAD", "/v1/domains").status == 200
    assert house.api(None).ask("HEAD", "/v1/domains").status == 401


def test_options_tells_the_methods(house: House, api: Api) -> None:
    answer = api.ask("OPTIONS", "/v1/queue/retry")
    assert (answer.status, answer.headers["Allow"], answer.body) == (204, "OPTIONS, POST", b"")
    assert api.ask("OPTIONS", "/v1/domains").headers["Allow"] == "GET, HEAD, OPTIONS"
    assert api.ask("OPTIONS", "/v1/nothing").problem == "not-found"


@pytest.mark.parametrize("cursor", ["x", "***", "a" * 5000, "ZG9tYWluczp4", "w6k"])
def test_cursors_that_are_none_of_ours(house: House, api: Api, cursor: str) -> None:
    assert api.ask("GET", "/v1/accounts", cursor=cursor).problem == "invalid"


@pytest.mark.parametrize("path", ["/v1/domains/%00", "/v1/domains/%ff%fe", "/v1/accounts/%C3%28@x.test"])
def test_paths_that_are_no_text(house: House, api: Api, path: str) -> None:
    assert api.ask("GET", path).problem == "bad-request"


def test_a_selection_of_nothing_is_not_everything(house: House, api: Api) -> None:
    for body in ({}, {"keys": []}, {"all": False}, {"all": True, "keys": [{"mail_id": "0" * 26, "n": 0}]}):
        assert api.ask("POST", "/v1/queue/bounce", body).problem == "invalid"
    assert api.ask("POST", "/v1/held/discard", {"keys": [{"mail_id": "short", "n": 0}]}).problem == "invalid"
    assert api.done("POST", "/v1/held/discard", {"keys": [{"mail_id": "0" * 26, "n": 0}]}) == {"changed": 0}
    assert api.done("POST", "/v1/held/release", {"all": True}) == {"changed": 0}
    assert api.done("POST", "/v1/queue/retry", {"all": True}) == {"changed": 0}


@pytest.mark.parametrize(
    ("framing", "status"), [("Content-Length: 9000000", b"413"), ("Transfer-Encoding: chunked", b"411")]
)
def test_a_body_beyond_the_limit_is_refused_before_it_is_sent(
    house: House, api: Api, framing: str, status: bytes
) -> None:
    head = f"POST /v1/accounts HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {api.key}\r\n{framing}\r\n\r\n"
    with socket.create_connection(("127.0.0.1", api.port), timeout=20) as connection:
        connection.sendall(head.encode())
        answer = connection.recv(65536)
    assert answer.startswith(b"HTTP/1.1 " + status)
    assert b"application/problem+json" in answer


def test_what_is_not_http_is_answered_and_ended(house: House, api: Api) -> None:
    for request in (b"EHLO x\r\n\r\n", b"\x16\x03\x01\x02\x00", b"GET / HTTP/1.1\r\n" + b"X: " + b"y" * 100_000):
        with socket.create_connection(("127.0.0.1", api.port), timeout=20) as connection:
            connection.sendall(request)
            connection.shutdown(socket.SHUT_WR)
            answer = b""
            try:
                while chunk := connection.recv(65536):
                    answer += chunk
            except ConnectionResetError:
                pass
            assert answer.startswith((b"HTTP/1.1 4", b""))
    assert api.get("/v1/domains")["items"]
