"""Sections of a message, as FETCH BODY[…] names them."""

import json

import pytest

from barid_protocols.mime.sections import PartNode, Range, find_part, from_compact, resolve, single_part
from barid_protocols.mime.summary import summarize

# The tree that RFC 3501 §6.4.5 gives as its example.
RFC_TREE = (
    b"Subject: top\r\nContent-Type: MULTIPART/MIXED; boundary=0\r\n\r\n"
    b"--0\r\nContent-Type: TEXT/PLAIN\r\n\r\none\r\n"
    b"--0\r\nContent-Type: APPLICATION/OCTET-STREAM\r\n\r\ntwo\r\n"
    b"--0\r\nContent-Type: MESSAGE/RFC822\r\n\r\n"
    b"Subject: three\r\nContent-Type: MULTIPART/MIXED; boundary=3\r\n\r\n"
    b"--3\r\nContent-Type: TEXT/PLAIN\r\n\r\nthree-one\r\n"
    b"--3\r\nContent-Type: APPLICATION/OCTET-STREAM\r\n\r\nthree-two\r\n"
    b"--3--\r\n"
    b"--0\r\nContent-Type: MULTIPART/MIXED; boundary=4\r\n\r\n"
    b"--4\r\nContent-Type: IMAGE/GIF\r\n\r\nfour-one\r\n"
    b"--4\r\nContent-Type: MESSAGE/RFC822\r\n\r\n"
    b"Subject: four-two\r\nContent-Type: MULTIPART/MIXED; boundary=42\r\n\r\n"
    b"--42\r\nContent-Type: TEXT/PLAIN\r\n\r\nfour-two-one\r\n"
    b"--42\r\nContent-Type: MULTIPART/ALTERNATIVE; boundary=422\r\n\r\n"
    b"--422\r\nContent-Type: TEXT/PLAIN\r\n\r\nfour-two-two-one\r\n"
    b"--422\r\nContent-Type: TEXT/RICHTEXT\r\n\r\nfour-two-two-two\r\n"
    b"--422--\r\n"
    b"--42--\r\n"
    b"--4--\r\n"
    b"--0--\r\n"
)
PREFIX = b"Return-Path: <a@b>\r\n"


def node(message: bytes) -> PartNode:
    summary = summarize(message)
    if not summary.parts:
        return single_part(summary.body_start, summary.size)
    return from_compact(json.loads(json.dumps(summary.parts)))


def section(message: bytes, name: str, prefix: bytes = b"") -> bytes | None:
    numbers = [int(part) for part in name.split(".") if part.isdigit()]
    specifier = "" if not name or name.split(".")[-1].isdigit() else name.split(".")[-1]
    span = resolve(node(message), tuple(numbers), specifier, prefix=len(prefix))
    return None if span is None else (prefix + message)[span.start : span.end]


@pytest.mark.parametrize("prefix", [b"", PREFIX], ids=["bare", "with trace"])
@pytest.mark.parametrize(
    ("name", "wanted"),
    [
        ("1", b"one"),
        ("2", b"two"),
        ("2.MIME", b"Content-Type: APPLICATION/OCTET-STREAM\r\n\r\n"),
        ("3.HEADER", b"Subject: three\r\nContent-Type: MULTIPART/MIXED; boundary=3\r\n\r\n"),
        ("3.1", b"three-one"),
        ("3.2", b"three-two"),
        ("3.2.MIME", b"Content-Type: APPLICATION/OCTET-STREAM\r\n\r\n"),
        ("4.MIME", b"Content-Type: MULTIPART/MIXED; boundary=4\r\n\r\n"),
        ("4.1", b"four-one"),
        ("4.1.MIME", b"Content-Type: IMAGE/GIF\r\n\r\n"),
        ("4.2.HEADER", b"Subject: four-two\r\nContent-Type: MULTIPART/MIXED; boundary=42\r\n\r\n"),
        ("4.2.1", b"four-two-one"),
        ("4.2.2.1", b"four-two-two-one"),
        ("4.2.2.2", b"four-two-two-two"),
        ("0", None),
        ("5", None),
        ("1.1", None),
        ("1.HEADER", None),
        ("4.HEADER", None),
        ("4.TEXT", None),
        ("MIME", None),
        ("3.3", None),
    ],
)
def test_the_example_of_the_rfc(name: str, wanted: bytes | None, prefix: bytes) -> None:
    assert section(RFC_TREE, name, prefix) == wanted


def test_sections_that_hold_others() -> None:
    header, _, text = RFC_TREE.partition(b"\r\n\r\n")
    assert section(RFC_TREE, "") == RFC_TREE
    assert section(RFC_TREE, "HEADER") == header + b"\r\n\r\n"
    assert section(RFC_TREE, "TEXT") == text
    assert section(RFC_TREE, "3") == section(RFC_TREE, "3.HEADER") + section(RFC_TREE, "3.TEXT")
    assert section(RFC_TREE, "4.2") == section(RFC_TREE, "4.2.HEADER") + section(RFC_TREE, "4.2.TEXT")
    assert section(RFC_TREE, "4").startswith(b"--4\r\n")


def test_the_trace_is_part_of_the_messages_own_header() -> None:
    assert section(RFC_TREE, "", PREFIX) == PREFIX + RFC_TREE
    assert section(RFC_TREE, "HEADER", PREFIX).startswith(PREFIX + b"Subject: top")
    assert section(RFC_TREE, "TEXT", PREFIX) == section(RFC_TREE, "TEXT")
    assert section(RFC_TREE, "3.HEADER", PREFIX) == section(RFC_TREE, "3.HEADER")
    assert section(RFC_TREE, "3", PREFIX) == section(RFC_TREE, "3")


def test_a_message_of_one_part() -> None:
    message = b"Subject: x\r\n\r\nhello\r\n"
    assert section(message, "1") == b"hello\r\n"
    assert section(message, "TEXT") == b"hello\r\n"
    assert section(message, "1.MIME") == b"Subject: x\r\n\r\n"
    assert section(message, "2") is None
    assert section(message, "1.1") is None
    assert resolve(single_part(14, 21), (), "HEADER", prefix=5) == Range(0, 19)


def test_a_message_that_is_an_attached_message() -> None:
    message = b"Subject: x\r\nContent-Type: message/rfc822\r\n\r\nSubject: y\r\n\r\nhello\r\n"
    assert section(message, "1") == b"Subject: y\r\n\r\nhello\r\n"
    assert section(message, "1.HEADER") == b"Subject: y\r\n\r\n"
    assert section(message, "1.1") == b"hello\r\n"
    assert section(message, "1.1.1") is None


def test_compact_trees_keep_what_is_needed() -> None:
    found = find_part(node(RFC_TREE), (4, 2, 2, 2))
    assert found is not None
    assert found.type == "text/richtext"
    assert summarize(b"Subject: x\r\n\r\nhello").parts == []
    single = single_part(0, 5, b"Content-Type: text/html; charset=KOI8-R\r\nContent-Transfer-Encoding: base64\r\n\r\n")
    assert (single.type, single.charset, single.encoding) == ("text/html", "KOI8-R", "base64")
    with pytest.raises(ValueError, match="compact"):
        from_compact([1])
