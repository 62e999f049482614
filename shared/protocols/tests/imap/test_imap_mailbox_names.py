"""Names: modified UTF-7 both ways, what may be created, and patterns against a matcher too simple to be wrong."""

import time

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from barid_protocols.imap import utf7
from barid_protocols.imap.errors import UserError
from barid_protocols.imap.mailbox_names import Pattern, normalize, subscribed_matches, validate_new


@pytest.mark.parametrize(
    ("name", "wire"),
    [
        ("Sent", b"Sent"),
        ("A&B", b"A&-B"),
        ("~peter/mail/台北/日本語", b"~peter/mail/&U,BTFw-/&ZeVnLIqe-"),  # RFC 3501 §5.1.3
        ("Entwürfe", b"Entw&APw-rfe"),
        ("😀", b"&2D3eAA-"),
    ],
)
def test_examples(name: str, wire: bytes) -> None:
    assert utf7.encode(name) == wire
    assert utf7.decode(wire) == name


@settings(max_examples=100)
@given(name=st.text())
def test_names_survive_the_wire(name: str) -> None:
    wire = utf7.encode(name)
    assert all(0x20 <= byte <= 0x7E for byte in wire)
    assert utf7.decode(wire) == name


@settings(max_examples=100)
@given(wire=st.text("&-aU,BTFw+/A=", max_size=12).map(str.encode))
def test_what_decodes_is_the_only_spelling(wire: bytes) -> None:
    try:
        name = utf7.decode(wire)
    except UserError:
        return
    assert utf7.encode(name) == wire


@pytest.mark.parametrize(
    "wire",
    [b"&", b"&A", b"&AGE-", b"&AGEA-", b"&2D0-", b"&AP+-", b"&APw-&APw-", b"\x80", b"a\tb", b"&APx-", b"a&b-"],
)
def test_other_spellings_are_refused(wire: bytes) -> None:
    with pytest.raises(UserError):
        utf7.decode(wire)


@pytest.mark.parametrize(
    "name",
    [
        "",
        "/",
        "a//b",
        "/a",
        "a*",
        "a%",
        ".",
        "a/..",
        " a",
        "a ",
        "a\x7f",
        "a\u202eb",
        "a\u2028b",
        "x" * 256,
        "a/" * 40 + "a",
        "\ud800",
    ],
)
def test_names_that_nobody_may_create(name: str) -> None:
    with pytest.raises(UserError):
        validate_new(name)


def test_names_are_made_one_of_each_kind() -> None:
    assert validate_new("inbox/Work/") == "INBOX/Work"
    assert validate_new("Entwu\u0308rfe") == "Entwürfe"
    assert normalize("Inbox") == "INBOX"
    assert normalize("Inboxes") == "Inboxes"


def simply(pattern: str, name: str) -> bool:
    if not pattern:
        return not name
    if pattern[0] == "*":
        return any(simply(pattern[1:], name[at:]) for at in range(len(name) + 1))
    if pattern[0] == "%":
        level = name.partition("/")[0]
        return any(simply(pattern[1:], name[at:]) for at in range(len(level) + 1))
    return name[:1] == pattern[0] and simply(pattern[1:], name[1:])


@settings(max_examples=100)
@given(pattern=st.text("ab/*%", max_size=8), name=st.text("ab/", max_size=8))
def test_patterns_match_what_they_say(pattern: str, name: str) -> None:
    assert Pattern("", pattern).matches(name) == simply(pattern, name)


@pytest.mark.parametrize(
    ("pattern", "matched"),
    [
        ("*", ["INBOX", "INBOX/Work", "inboxes", "Sent"]),
        ("%", ["INBOX", "inboxes", "Sent"]),
        ("inbox", ["INBOX"]),
        ("in%", ["INBOX", "inboxes"]),
        ("inbox*", ["INBOX", "INBOX/Work", "inboxes"]),
        ("Inbox/%", ["INBOX/Work"]),
        ("inbox%work", []),
        ("*/*", ["INBOX/Work"]),
        ("INBOX", ["INBOX"]),
        ("", []),
    ],
)
def test_inbox_in_any_case(pattern: str, matched: list[str]) -> None:
    assert Pattern("", pattern).select(["INBOX", "INBOX/Work", "inboxes", "Sent"]) == matched


def test_a_reference_stands_before_the_pattern() -> None:
    assert Pattern("inbox/", "%").select(["INBOX", "INBOX/Work"]) == ["INBOX/Work"]


def test_a_pattern_of_many_stars_takes_no_time() -> None:
    began = time.process_time()
    assert not Pattern("", "*a" * 500).matches("a" * 255 + "b")
    assert time.process_time() - began < 0.2


def test_parents_stand_for_subscribed_children() -> None:
    assert subscribed_matches(["a/b/c", "a/b", "x"], Pattern("", "%")) == [("a", False), ("x", True)]
    assert subscribed_matches(["a/b/c"], Pattern("", "*")) == [("a/b/c", True)]
    assert subscribed_matches(["a/b/c"], Pattern("a/", "%")) == [("a/b", False)]
