"""The header block as scripts see it: values, encoded words, addresses; whatever the block holds."""

import re
import time

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from barid_protocols.mime.words import encode_words
from barid_protocols.sieve import Address, HeaderView, parse_addresses


def test_values_are_unfolded_and_trimmed():
    view = HeaderView(b"Subject:  one\r\n two \r\n\tthree \r\nsubject:x\nX-Y : z\r\nnot a field\r\nLast: end")
    assert view.header_values("subject") == ("one two \tthree", "x")
    assert view.header_values("x-y") == ("z",)
    assert view.header_values("last") == ("end",)
    assert view.header_values("not a field") == ()
    assert view.raw_values("subject")[1] == b"x"


def test_octets_that_are_not_utf8_are_read_as_latin1():
    assert HeaderView(b"A: gr\xfc\xdfe\r\nB: gr\xc3\xbc\xc3\x9fe\r\n").header_values("a") == ("grüße",)
    assert HeaderView(b"A: gr\xfc\xdfe\r\nB: gr\xc3\xbc\xc3\x9fe\r\n").header_values("b") == ("grüße",)


@pytest.mark.parametrize(
    ("raw", "text"),
    [
        ("=?utf-8?q?a_b=20c?=", "a b c"),
        ("=?UTF-8*en?B?Z3LDvMOfZQ==?= rest", "grüße rest"),
        ("=?utf-8?b?Z3LDvMOfZQ?=", "grüße"),  # padding left out
        ("=?us-ascii?q?a?= \t =?us-ascii?q?b?= c", "ab c"),
        ("=?utf-8?b?w6TD?= =?utf-8?b?pA==?=", "ää"),  # a character cut in two
        ("=?utf-8?q?not by the RFC?=", "not by the RFC"),
        ("=?no-such?q?a?=", "a"),
        ("=?utf-8?x?a?=", "=?utf-8?x?a?="),
        ("=?zip?b?YQ==?=", "a"),
        ("=?unicode_escape?q?=5Cq?=", "\\q"),
        ("=?utf-8?q?a=0D=0ABcc:_x=00?=", "a  Bcc: x"),
        ("=?utf-8?q?=20a_?=", "a"),
        ("=?utf-8?b?!!!?=", ""),
        ("=?utf-8?q?a", "=?utf-8?q?a"),
    ],
)
def test_encoded_words(raw, text):
    assert HeaderView(f"A: {raw}\r\n".encode()).header_values("a") == (text,)


@given(st.text(alphabet=st.characters(exclude_categories=["Cs", "Cc"]), max_size=200))
@settings(max_examples=100, deadline=None)
def test_what_is_encoded_decodes_to_the_same(text):
    encoded = encode_words(text)
    assert all(len(line) <= 998 for line in encoded.split(b"\r\n"))
    assert encoded.isascii()
    assert HeaderView(b"A: " + encoded + b"\r\n").header_values("a") == (text.strip(" \t"),)


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ("a@b.example", ["a@b.example"]),
        ("A B <a@b.example>", ["a@b.example"]),
        ("<a@b>", ["a@b"]),
        ('"Last, First" <a@b>, c@d', ["a@b", "c@d"]),
        ('"q\\"uo, <x@y>" <a@b>', ["a@b"]),
        ("a@b, , c@d,", ["a@b", "c@d"]),
        ("a@b (comment, with (nested) x@y \\) ), c@d", ["a@b", "c@d"]),
        ("(only a comment)", []),
        ("Team: a@b, X <c@d>; e@f", ["a@b", "c@d", "e@f"]),
        ("undisclosed-recipients:;", []),
        ("X <@route,@other:a@b>", ["a@b"]),
        ("john . doe @ mail . example", ["john.doe@mail.example"]),
        ("a@[192.0.2.1]", ["a@[192.0.2.1]"]),
        ('"john smith"@b', ['"john smith"@b']),
        ('"john.smith"@b', ["john.smith@b"]),
        ("MAILER-DAEMON", ["MAILER-DAEMON"]),
        ("<>", []),
        ("", []),
        ("X <a@b", ["a@b"]),
        ("X <a@b> trailing, c@d", ["a@b", "c@d"]),
        ("jürgen@exämple.de", ["jürgen@exämple.de"]),
    ],
)
def test_addresses(value, expected):
    assert [address.spec for address in parse_addresses(value)] == expected


def test_all_headers_of_a_name_count():
    view = HeaderView(b"To: a@b\r\nTo: =?utf-8?q?X=2C_y=40z?=\r\n <c@d>\r\n")
    assert view.addresses("to") == (Address("a", "b"), Address("c", "d"))


@given(st.text(alphabet='ab@.,;:<>()[]"\\ \t\0é', max_size=40))
@settings(max_examples=100, deadline=None)
def test_no_value_raises(value):
    for address in parse_addresses(value):
        assert address.local or address.domain


LINES = st.sampled_from([b"A", b"b", b"Ab", b":", b" ", b"\t", b"\r\n", b"\n", b"x", b"\xff"])


@given(st.lists(LINES, max_size=40).map(b"".join), st.sampled_from(["a", "b", "ab", "c", "a b", "\xff", "a:x", ""]))
@settings(max_examples=100, deadline=None)
def test_looking_for_one_header_finds_what_splitting_finds(block, name):
    unfolded = re.split(rb"\n(?![ \t])", block)
    fields = [line.split(b":", 1) for line in unfolded if re.match(rb"[!-9;-~]+[ \t]*:", line)]
    expected = [value for field, value in fields if field.rstrip(b" \t").lower() == name.encode()]
    assert HeaderView(block).raw_values(name) == expected


@given(st.binary(max_size=100))
@settings(max_examples=100, deadline=None)
def test_no_block_raises(block):
    view = HeaderView(b"To: " + block)
    assert len(view.header_values("to")) >= 1
    view.addresses("to")


HOSTILE = [
    "a@b,",
    '"',
    "(",
    "<",
    "a b ",
    "@",
    "a.",
    ":",
    '"a" ',
    "[",
    "=?utf-8?q?a?= ",
    "=?a?q?",
    "\r\n ",
    "\nx:",
    "\\",
]


@pytest.mark.parametrize("piece", HOSTILE)
def test_hostile_values_cost_linear_time(piece):
    value = piece * (100_000 // len(piece))
    started = time.process_time()
    parse_addresses(value)
    HeaderView(b"X: " + value.encode()).header_values("x")
    assert time.process_time() - started < 1
