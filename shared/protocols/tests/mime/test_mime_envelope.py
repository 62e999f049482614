"""ENVELOPE and BODYSTRUCTURE as a client reads them, by a strict reader."""

from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from barid_protocols.mime.bodystructure import body_from_bodystructure
from barid_protocols.mime.envelope import build_envelope
from barid_protocols.mime.headers import HeaderBlock
from barid_protocols.mime.quoting import nstring
from barid_protocols.mime.summary import summarize

Reader = Callable[[bytes], Any]


def envelope(header: bytes) -> bytes:
    return build_envelope(HeaderBlock(header))


def test_the_example_of_the_rfc() -> None:
    """RFC 3501 §8."""
    header = (
        b"Date: Wed, 17 Jul 1996 02:23:25 -0700 (PDT)\r\nFrom: Terry Gray <gray@cac.washington.edu>\r\n"
        b"Subject: IMAP4rev1 WG mtg summary and minutes\r\nTo: imap@cac.washington.edu\r\n"
        b"cc: minutes@CNRI.Reston.VA.US, John Klensin <KLENSIN@MIT.EDU>\r\n"
        b"Message-Id: <B27397-0100000@cac.washington.edu>\r\nMIME-Version: 1.0\r\n\r\n"
    )
    gray = b'(("Terry Gray" NIL "gray" "cac.washington.edu"))'
    assert envelope(header) == (
        b'("Wed, 17 Jul 1996 02:23:25 -0700 (PDT)" "IMAP4rev1 WG mtg summary and minutes" %b %b %b '
        b'((NIL NIL "imap" "cac.washington.edu")) '
        b'((NIL NIL "minutes" "CNRI.Reston.VA.US")("John Klensin" NIL "KLENSIN" "MIT.EDU")) '
        b'NIL NIL "<B27397-0100000@cac.washington.edu>")' % (gray, gray, gray)
    )


def test_nothing_is_nil_and_empty_is_empty() -> None:
    assert envelope(b"") == b"(NIL NIL NIL NIL NIL NIL NIL NIL NIL NIL)"
    assert envelope(b"Subject:\r\nTo:\r\n") == b'(NIL "" NIL NIL NIL NIL NIL NIL NIL NIL)'


def test_sender_and_reply_to(read_imap: Reader) -> None:
    fields = read_imap(envelope(b"From: a@b\r\nSender: c@d\r\nReply-To:\r\n"))
    assert fields[2] == fields[4] == [[None, None, b"a", b"b"]]
    assert fields[3] == [[None, None, b"c", b"d"]]


def test_several_fields_of_recipients_are_one_list(read_imap: Reader) -> None:
    assert len(read_imap(envelope(b"To: a@b\r\nTo: c@d, e@f\r\n"))[5]) == 3


def test_a_group(read_imap: Reader) -> None:
    assert read_imap(envelope(b"To: friends: a@b;\r\n"))[5] == [
        [None, None, b"friends", None],
        [None, None, b"a", b"b"],
        [None, None, None, None],
    ]


@pytest.mark.parametrize(
    ("value", "string"),
    [
        (None, b"NIL"),
        (b"", b'""'),
        (b"plain", b'"plain"'),
        (b'a "b" \\c', b'"a \\"b\\" \\\\c"'),
        (b"a\r\nb", b"{4}\r\na\r\nb"),
        ("é".encode(), "{2}\r\né".encode()),
        (b"a\0b", b"{2}\r\nab"),
        (b"tab\t", b"{4}\r\ntab\t"),
    ],
)
def test_strings(value: bytes | None, string: bytes) -> None:
    assert nstring(value) == string


SIGNS = [b"a@b", b'"q"', b"<c@d>", b",", b":", b";", b"(", b")", b"\\", b'"', b"\r", b"\n ", b"\0", b"\xff", b"{3}"]
VALUE = st.lists(st.sampled_from(SIGNS), max_size=8).map(b"".join)
NAMES = (b"Date", b"Subject", b"From", b"Sender", b"Reply-To", b"To", b"Cc", b"Bcc", b"In-Reply-To", b"Message-ID")


@given(st.lists(st.tuples(st.sampled_from(NAMES), VALUE), max_size=8))
@settings(max_examples=100, deadline=None)
def test_no_header_breaks_the_envelope(read_imap: Reader, fields: list[tuple[bytes, bytes]]) -> None:
    read = read_imap(envelope(b"".join(b"%b: %b\r\n" % field for field in fields) + b"\r\n"))
    assert len(read) == 10
    for index in (0, 1, 8, 9):
        assert read[index] is None or isinstance(read[index], bytes)
    for index in range(2, 8):
        assert read[index] is None or all(len(address) == 4 for address in read[index])


TYPES = [b"text/plain", b"multipart/mixed", b"; a=b", b'; boundary="x"', b'; "', b"; c=\xff"]
CONTENT = st.lists(st.sampled_from([*TYPES, b"\r\n ", b"(x)", b"\\", b"; d="]), max_size=5).map(b"".join)
CONTENT_NAMES = st.sampled_from(
    [b"Type", b"Disposition", b"Language", b"Location", b"ID", b"Description", b"MD5", b"Transfer-Encoding"]
)
PART = st.lists(st.tuples(CONTENT_NAMES, CONTENT), max_size=4).map(
    lambda fields: b"".join(b"Content-%b: %b\r\n" % field for field in fields) + b"\r\nbody\r\n"
)


def is_extensible(body: Any) -> None:
    """The grammar of RFC 3501 §9, body."""
    if isinstance(body[0], list):
        children = [child for child in body if isinstance(child, list) and not isinstance(child[0], bytes)]
        count = next(index for index, item in enumerate(body) if isinstance(item, bytes))
        assert children or count
        for child in body[:count]:
            is_extensible(child)
        parameters, disposition, language, location = body[count + 1 :]
    else:
        own = 1 if body[0] == b"text" else 3 if body[:2] == [b"message", b"rfc822"] else 0
        if own == 3:
            assert len(body[7]) == 10
            is_extensible(body[8])
        assert isinstance(body[5], bytes)
        assert int(body[6]) >= 0
        parameters = body[2]
        _, disposition, language, location = body[7 + own :]
    assert parameters is None or len(parameters) % 2 == 0
    assert disposition is None or len(disposition) == 2
    assert language is None or isinstance(language, list)
    assert location is None or isinstance(location, bytes)


def without_extensions(body: Any) -> Any:
    if isinstance(body[0], list):
        count = next(index for index, item in enumerate(body) if isinstance(item, bytes))
        return [*map(without_extensions, body[:count]), body[count]]
    if body[0] == b"text":
        return body[:8]
    if body[:2] == [b"message", b"rfc822"]:
        return [*body[:8], without_extensions(body[8]), body[9]]
    return body[:7]


@given(PART, st.lists(PART, max_size=3), st.sampled_from([b"mixed; boundary=y", b"digest; boundary=y"]))
@settings(max_examples=100, deadline=None)
def test_no_part_breaks_the_body_structure(read_imap: Reader, first: bytes, parts: list[bytes], kind: bytes) -> None:
    nested = b"Content-Type: multipart/" + kind + b"\r\n\r\n" + b"".join(b"--y\r\n" + part for part in parts)
    for message in (first, nested, b"Content-Type: message/rfc822\r\n\r\n" + nested):
        bodystructure = summarize(message).bodystructure
        read = read_imap(bodystructure)
        is_extensible(read)
        assert read_imap(body_from_bodystructure(bodystructure)) == without_extensions(read)


def test_body_of_something_else() -> None:
    for text in (b"", b"NIL", b"()", b")", b"(a", b"(a b"):
        with pytest.raises(ValueError, match="not a body structure"):
            body_from_bodystructure(text)


def test_body_keeps_side_by_side_what_stands_side_by_side() -> None:
    message = (
        b"Content-Type: message/rfc822\r\n\r\nTo: a@b, c@d\r\nContent-Type: multipart/mixed; boundary=x\r\n\r\n"
        b"--x\r\n\r\none\r\n--x\r\n\r\ntwo\r\n--x--\r\n"
    )
    body = body_from_bodystructure(summarize(message).bodystructure)
    assert b'((NIL NIL "a" "b")(NIL NIL "c" "d"))' in body
    assert b'3 1)("text" "plain"' in body
    assert b'3 1) "mixed") 10)' in body
