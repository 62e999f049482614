"""Replies that cannot be abused, and the Received field."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from barid_protocols.smtp import Address, Reply, format_date, received, replies, transmission_type

STANDARD = {name: value for name, value in vars(replies).items() if isinstance(value, Reply)}


@pytest.mark.parametrize("name", STANDARD)
def test_standard_replies_are_one_safe_line(name: str) -> None:
    encoded = STANDARD[name].encoded
    assert encoded.count(b"\r\n") == 1
    assert len(encoded) <= replies.MAX_REPLY_LINE
    # RFC 2034 section 4: none on 354 and the like, one on every other but the greeting and hello.
    assert bool(STANDARD[name].enhanced) == (STANDARD[name].code != 354)


def test_lines() -> None:
    assert Reply(250, "", ["a", "b"]).encoded == b"250-a\r\n250 b\r\n"
    assert Reply(550, "5.7.1", ["a", "b"]).encoded == b"550-5.7.1 a\r\n550 5.7.1 b\r\n"
    assert Reply(334, "", "").encoded == b"334 \r\n"


@settings(max_examples=100, deadline=None)
@given(st.lists(st.text(max_size=1500), max_size=4))
def test_no_text_can_break_out_of_a_reply(lines: list[str]) -> None:
    encoded = Reply(550, "5.7.1", lines).encoded
    parts = encoded.split(b"\r\n")
    assert parts[-1] == b""
    assert all(part.startswith(b"550-5.7.1 ") for part in parts[:-2])
    assert parts[-2].startswith(b"550 5.7.1 ")
    assert all(len(part) + 2 <= 512 and part.isascii() and part.decode().isprintable() for part in parts)


@pytest.mark.parametrize(("code", "enhanced"), [(250, "5.0.0"), (199, ""), (600, ""), (451, "2.0.0")])
def test_replies_that_contradict_themselves_are_bugs(code: int, enhanced: str) -> None:
    with pytest.raises(ValueError, match=r"."):
        Reply(code, enhanced, "x")


def test_dates() -> None:
    assert format_date(0) == "Thu, 1 Jan 1970 00:00:00 +0000"
    assert format_date(1709210096) == "Thu, 29 Feb 2024 12:34:56 +0000"


def test_received() -> None:
    assert received(
        helo="client.example.net",
        peer_ip="2001:db8::1",
        rdns="host.example.net",
        by="mx.example.org",
        protocol="ESMTPS",
        mail_id="01ABC",
        timestamp=0.9,
        recipient=Address("b b", "example.org"),
    ) == (
        b"Received: from client.example.net (host.example.net [IPv6:2001:db8::1])\r\n"
        b"\tby mx.example.org (Barid) with ESMTPS id 01ABC\r\n"
        b'\tfor <"b b"@example.org>;\r\n'
        b"\tThu, 1 Jan 1970 00:00:00 +0000\r\n"
    )
    assert received(helo="x", peer_ip="192.0.2.1", by="y", protocol="SMTP", mail_id="z", timestamp=0) == (
        b"Received: from x ([192.0.2.1])\r\n\tby y (Barid) with SMTP id z;\r\n\tThu, 1 Jan 1970 00:00:00 +0000\r\n"
    )


@pytest.mark.parametrize(
    ("lmtp", "extended", "tls", "authenticated", "smtputf8", "expected"),
    [
        (False, False, False, False, False, "SMTP"),
        (False, False, True, False, False, "SMTP"),
        (False, True, False, False, False, "ESMTP"),
        (False, True, True, False, False, "ESMTPS"),
        (False, True, False, True, False, "ESMTPA"),
        (False, True, True, True, False, "ESMTPSA"),
        (False, True, True, True, True, "UTF8SMTPSA"),
        (True, True, False, False, False, "LMTP"),
        (True, True, True, False, True, "UTF8LMTPS"),
    ],
)
def test_with_keywords(
    lmtp: bool, extended: bool, tls: bool, authenticated: bool, smtputf8: bool, expected: str
) -> None:
    facts = {"extended": extended, "tls": tls, "authenticated": authenticated, "smtputf8": smtputf8}
    assert transmission_type(lmtp=lmtp, **facts) == expected
