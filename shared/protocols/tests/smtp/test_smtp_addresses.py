"""Paths and mailboxes: RFC 5321 section 4.1.2, RFC 6531 section 3.3."""

import time

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from barid_protocols.smtp import Address, AddressError, canonical_domain, parse_address, parse_path
from barid_protocols.smtp.address import COMMON_PATH
from barid_protocols.smtp.commands.parameters import decode_xtext


@pytest.mark.parametrize(
    ("text", "local", "domain"),
    [
        ("<bob@example.org>", "bob", "example.org"),
        ("<b.o.b+tag=x/y@sub.EXAMPLE.org>", "b.o.b+tag=x/y", "sub.EXAMPLE.org"),
        ("<!#$%&'*+-/=?^_`{|}~@x>", "!#$%&'*+-/=?^_`{|}~", "x"),
        ('<"bob"@example.org>', "bob", "example.org"),
        ('<"b o\\"b\\\\"@example.org>', 'b o"b\\', "example.org"),
        ('<"@"@example.org>', "@", "example.org"),
        ('<"a>b"@example.org>', "a>b", "example.org"),
        ("<bob@[192.0.2.1]>", "bob", "[192.0.2.1]"),
        ("<bob@[IPv6:2001:db8::1]>", "bob", "[IPv6:2001:db8::1]"),
        ("<@a.example,@b.example:bob@example.org>", "bob", "example.org"),
        ("<PostMaster>", "PostMaster", ""),
        ("<пример@пример.example>", "пример", "пример.example"),
        ("<a@1.2.3.4>", "a", "1.2.3.4"),
        (f"<{'l' * 64}@example.org>", "l" * 64, "example.org"),
    ],
)
def test_good_paths(text: str, local: str, domain: str) -> None:
    assert parse_path(f"{text} X=1".encode()) == (Address(local, domain), b" X=1")


@pytest.mark.parametrize(
    "text",
    [
        "", "<", "<bob", "bob@example.org", "<@example.org>", "<bob@>", "<bob>", "<.bob@example.org>",
        "<bob.@example.org>", "<b..b@example.org>", "<bob@.org>", "<bob@example.org.>", "<bob@exa_mple.org>",
        "<bob@-a.org>", "<bob@a-.org>", "<bob @example.org>", "<bob@exam ple.org>", '<""@example.org>',
        '<"bob@example.org>', '<"b\x00b"@example.org>', "<b\x01b@example.org>", "<bob@[192.0.2.256]>", "<bob@[1.2.3]>",
        "<bob@[IPv6:::g]>", "<bob@[IPv6:fe80::1%eth0]>", "<bob@[x-tag:y]>", "<@a.example bob@example.org>",
        "<a@b@c>", "<<bob@example.org>>", f"<{'l' * 65}@example.org>", f"<bob@{'a' * 64}.org>",
        f"<bob@{'a.' * 126}org>", "<b\x85b@example.org>", "<bob@a\u2028.org>", "<bob\r\n@example.org>",
    ],
)  # fmt: skip
def test_bad_paths(text: str) -> None:
    try:
        _, rest = parse_path(text.encode())
    except AddressError as error:
        assert error.reason.isascii()
    else:
        assert rest
        assert not rest.startswith(b" ")


def test_the_null_path_is_none() -> None:
    assert parse_path(b"<> SIZE=1") == (None, b" SIZE=1")


def test_octets_that_are_not_utf8() -> None:
    with pytest.raises(AddressError):
        parse_path(b"<\xff@example.org>")


def test_the_path_counts_256_octets_with_its_brackets() -> None:
    domain = ".".join(["d" * 61] * 3) + "." + "d" * 3
    local = "l" * (256 - 3 - len(domain))
    assert parse_path(f"<{local}@{domain}>".encode())[0] == Address(local, domain)
    with pytest.raises(AddressError):
        parse_path(f"<{local}l@{domain}>".encode())


def test_canonical_forms_are_equal() -> None:
    assert Address("Bob", "EXAMPLE.org").canonical == Address("Bob", "example.org")
    assert canonical_domain("BLÅBÆR.example") == canonical_domain("xn--blbr-roah.EXAMPLE")
    assert canonical_domain("\u0378" * 70 + ".example")  # no A-label; kept


def test_only_what_needs_quotes_gets_them() -> None:
    assert str(Address("b.o", "x.org")) == "b.o@x.org"
    assert str(Address('b o"\\', "x.org")) == '"b o\\"\\\\"@x.org'
    assert str(Address(".a", "x.org")) == '".a"@x.org'
    assert str(Address("postmaster", "")) == "postmaster"


@settings(max_examples=100, deadline=None)
@given(st.text(st.characters(min_codepoint=32, exclude_categories=["Cs", "Cc", "Zl", "Zp"]), min_size=1, max_size=16))
def test_any_local_part_survives_the_round_trip(local: str) -> None:
    address = Address(local, "example.org")
    if any("\x7f" <= c <= "\x9f" for c in local):
        return
    assert parse_address(str(address)) == address
    assert parse_path(f"<{address}>".encode()) == (address, b"")


@settings(max_examples=100, deadline=None)
@given(st.text('ab.-@<>"\\[]:1, ø\0\r\n', max_size=40))
def test_the_short_way_and_the_long_way_agree(inner: str) -> None:
    octets = f"<{inner}>".encode()
    try:
        address, rest = parse_path(octets)
    except AddressError:
        assert not COMMON_PATH.fullmatch(octets)
        return
    if address is not None and not rest:
        assert parse_path(f"<{address}>".encode()) == (address, b"")


def test_hostile_paths_cost_no_more_than_their_length() -> None:
    begin = time.process_time()
    for text in ("<" + "a." * 5000, '<"' + "\\a" * 5000, "<@" + "a,@" * 5000, "<a@" + "a-" * 5000, "<a@" + "a." * 5000):
        with pytest.raises(AddressError):
            parse_path(text.encode())
    assert time.process_time() - begin < 1


@settings(max_examples=50, deadline=None)
@given(st.text(st.characters(min_codepoint=33, exclude_categories=["C", "Z"]), min_size=1, max_size=30))
def test_xtext_round_trip(text: str) -> None:
    octets = text.encode()
    written = "".join(chr(each) if 33 <= each <= 126 and each not in b"+=" else f"+{each:02X}" for each in octets)
    assert decode_xtext(written.encode()) == text


@pytest.mark.parametrize("value", [b"+", b"+0", b"+0D+0A", b"+ff", b"a=b", b"+FF"])
def test_bad_xtext(value: bytes) -> None:
    assert decode_xtext(value) is None
