"""What the cases of this folder share: a message to filter, and one call to filter it."""

from collections.abc import Callable

import pytest

from barid_protocols.sieve import Action, HeaderView, MailMessage, Result, compile_script

HEADERS = """\
Return-Path: <alice@example.com>
Received: from client.example.com by mx.example.org;
 Mon, 23 Nov 2026 15:00:00 +0000
From: "Alice Example" <Alice@Example.COM>
To: Bob <bob+sales@example.org>, team: carol@example.org, dave@example.net;
Cc: (the whole crew) crew@lists.example.net
Subject: [ops] Quarterly
 report
Date: Mon, 23 Nov 2026 15:00:00 +0000
Message-ID: <1@example.com>
X-Spam-Score: 3.5
X-Tag: one
X-Tag: two
X-Empty:
X-Encoded: =?utf-8?q?Gr=C3=BC=C3=9Fe?= =?iso-8859-1?b?IGF1cyBL9mxu?=
"""


def _message(headers: str = HEADERS, **given: object) -> MailMessage:
    envelope = {"size": 4000, "envelope_from": "alice@example.com", "envelope_to": "bob+sales@example.org", **given}
    return MailMessage(HeaderView(headers.replace("\n", "\r\n").encode()), **envelope)  # type: ignore[arg-type]


def _run(script: str, headers: str = HEADERS, **given: object) -> Result:
    outcome = compile_script(script).evaluate(_message(headers, **given))
    assert isinstance(outcome, Result)
    return outcome


@pytest.fixture(scope="session")
def message() -> Callable[..., MailMessage]:
    """A message with these headers (LF line ends) and envelope."""
    return _message


@pytest.fixture(scope="session")
def run() -> Callable[..., Result]:
    """The result of a script that asks nothing."""
    return _run


@pytest.fixture(scope="session")
def actions() -> Callable[..., list[Action]]:
    """The actions of a script that asks nothing."""

    def actions(script: str, headers: str = HEADERS, **given: object) -> list[Action]:
        return list(_run(script, headers, **given).actions)

    return actions


@pytest.fixture(scope="session")
def holds() -> Callable[..., bool]:
    """Does this test of the language hold for the message? `require` is a list of names."""

    def holds(test: str, *require: str, headers: str = HEADERS, **given: object) -> bool:
        needs = "".join(f'require "{name}";\n' for name in require)
        return not _run(f"{needs}if {test} {{ discard; }}", headers, **given).implicit_keep

    return holds
