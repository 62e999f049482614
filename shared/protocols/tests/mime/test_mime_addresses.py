"""Address lists, from the everyday to the hostile."""

import time

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from barid_protocols.mime.addresses import GROUP_END, Address, _Parser, mailboxes, parse_addresses
from barid_protocols.mime.limits import MAX_ADDRESSES


def one(name: bytes | None, local: bytes, domain: bytes, route: bytes | None = None) -> Address:
    return Address(name, route, local, domain)


def group(name: bytes, *members: Address) -> list[Address]:
    return [Address(None, None, name, None), *members, GROUP_END]


@pytest.mark.parametrize(
    ("value", "addresses"),
    [
        (b" alice@example.org\r", [one(None, b"alice", b"example.org")]),
        (b"Alice Example <alice@example.org>", [one(b"Alice Example", b"alice", b"example.org")]),
        (b'"Example, Alice" <alice@example.org>', [one(b"Example, Alice", b"alice", b"example.org")]),
        (b"<alice@example.org>", [one(None, b"alice", b"example.org")]),
        (b'"" <alice@example.org>', [one(None, b"alice", b"example.org")]),
        (b"a@b, C <c@d>,\r\n e@f", [one(None, b"a", b"b"), one(b"C", b"c", b"d"), one(None, b"e", b"f")]),
        (b"=?utf-8?q?J=C3=BCrgen?= <j@b>", [one(b"=?utf-8?q?J=C3=BCrgen?=", b"j", b"b")]),
        ("Jürgen <jürgen@bücher.de>".encode(), [one("Jürgen".encode(), "jürgen".encode(), "bücher.de".encode())]),
        (b"", []),
        (b" , ,, \r\n", []),
        # RFC 5322, appendix A
        (b'"Joe Q. Public" <john.q.public@example.com>', [one(b"Joe Q. Public", b"john.q.public", b"example.com")]),
        (
            b"Mary Smith <mary@x.test>, jdoe@example.org, Who? <one@y.test>,"
            b' "Giant; \\"Big\\" Box" <sysservices@e.net>',
            [
                one(b"Mary Smith", b"mary", b"x.test"),
                one(None, b"jdoe", b"example.org"),
                one(b"Who?", b"one", b"y.test"),
                one(b'Giant; "Big" Box', b"sysservices", b"e.net"),
            ],
        ),
        (
            b"A Group:Ed Jones <c@a.test>,joe@where.test,John <jdoe@one.test>;",
            group(
                b"A Group",
                one(b"Ed Jones", b"c", b"a.test"),
                one(None, b"joe", b"where.test"),
                one(b"John", b"jdoe", b"one.test"),
            ),
        ),
        (b"Undisclosed recipients:;", group(b"Undisclosed recipients")),
        (b"(Empty list)(start)Hidden recipients  :(nobody(that I know))  ;", group(b"Hidden recipients")),
        (
            b"Pete(A nice \\) chap) <pete(his account)@silly.test(his host)>",
            [one(b"Pete", b"pete", b"silly.test")],
        ),
        (b"Joe <john.q . public @ example . com>", [one(b"Joe", b"john.q.public", b"example.com")]),
        (b"<@a.test,@b.test:joe@c.test>", [one(None, b"joe", b"c.test", b"@a.test,@b.test")]),
        (b"joe@c.test (Joe Doe)", [one(b"Joe Doe", b"joe", b"c.test")]),
        (b'"john doe"@example.org', [one(None, b"john doe", b"example.org")]),
        (b"a@[192.0.2.1]", [one(None, b"a", b"[192.0.2.1]")]),
        # What is no address
        (b"alice", [one(None, b"alice", b"")]),
        (b"Alice <>", [one(b"Alice", b"", b"")]),
        (b"Alice <alice@example.org", [one(b"Alice", b"alice", b"example.org")]),
        (b'"Alice <alice@example.org>', [one(None, b"Alice <alice@example.org>", b"")]),
        (b"a@b@c", [one(None, b"a@b", b"c")]),
        (b"group: a@b", group(b"group", one(None, b"a", b"b"))),
        (b"a@b; c@d", [one(None, b"a", b"b"), one(None, b"c", b"d")]),
    ],
)
def test_addresses(value: bytes, addresses: list[Address]) -> None:
    assert parse_addresses(value) == addresses


def test_mailboxes_without_groups() -> None:
    assert [mailbox.address for mailbox in mailboxes(b"x: a@b, c@d;, e@f")] == [b"a@b", b"c@d", b"e@f"]


@pytest.mark.parametrize(
    "piece",
    [b'"<a@b,', b"a b c @ d,", b"(", b"<", b"a:;", b'[\\"', b"\\", b'"', b"@", b":", b"x@y:", b"=?", b"a@b,", b'"\\"<'],
)
def test_hostile_lists_take_linear_time(piece: bytes) -> None:
    value = b"To " + piece * (50_000 // len(piece))
    started = time.process_time()
    assert len(parse_addresses(value)) <= MAX_ADDRESSES
    # 13 s is what a well-known parser takes; this takes 30 ms, and CI machines are slow.
    assert time.process_time() - started < 1


LETTERS = "abc09!#$%&'*+/=?^_`{|}~-"
ATOM = st.text(LETTERS, min_size=1, max_size=8).map(str.encode)
DOTTED = st.lists(ATOM, min_size=1, max_size=3).map(b".".join)
LABEL = st.text("ab0-", min_size=1, max_size=6).map(str.encode)
DOMAIN = st.lists(LABEL, min_size=1, max_size=3).map(b".".join)
NAME = st.none() | st.lists(ATOM, min_size=1, max_size=3).map(b" ".join)


@given(st.lists(st.tuples(NAME, DOTTED, DOMAIN), max_size=6), st.sampled_from([b",", b", ", b",\r\n "]))
@settings(max_examples=100, deadline=None)
def test_the_fast_way_and_the_general_way_agree(people: list[tuple[bytes | None, bytes, bytes]], comma: bytes) -> None:
    value = comma.join(
        local + b"@" + domain if name is None else b"%b <%b@%b>" % (name, local, domain)
        for name, local, domain in people
    )
    wanted = [one(*person) for person in people]
    assert parse_addresses(value) == wanted
    assert _Parser(value, 0).addresses(MAX_ADDRESSES) == wanted


@given(
    st.lists(st.sampled_from(list('<>@,:;()[]"\\ \r\na.=?é')), max_size=40).map(lambda signs: "".join(signs).encode())
)
@settings(max_examples=100, deadline=None)
def test_noise_never_raises(value: bytes) -> None:
    open_groups = 0
    for address in parse_addresses(value):
        if address == GROUP_END:
            open_groups -= 1
        elif address.domain is None:
            assert address.local is not None
            open_groups += 1
        else:
            assert address.local is not None
        assert open_groups in (0, 1)
    assert open_groups == 0
