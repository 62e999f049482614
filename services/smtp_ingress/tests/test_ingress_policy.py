"""The decisions by themselves: networks, limits, addresses, ownership, recipients, and the file of known recipients."""

import asyncio
import json
from ipaddress import ip_network
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from barid_contracts.directory import Account
from barid_protocols.mime import summarize
from barid_protocols.smtp import Address, Profile, parse_address
from barid_runtime.networks import network_of, within
from barid_smtp_ingress.adapters.known_file import KnownFile, read, write
from barid_smtp_ingress.policy import replies
from barid_smtp_ingress.policy.addresses import is_postmaster, key_of, key_of_text, without_detail
from barid_smtp_ingress.policy.limits import Connections
from barid_smtp_ingress.policy.recipients import Owed, judge
from barid_smtp_ingress.policy.senders import judge_header, own_keys, owns
from barid_smtp_ingress.ports import Lead

ACCOUNT = Lead("account", "anna@here.test", "id-anna")


@pytest.mark.parametrize(
    ("ip", "network"),
    [
        ("192.0.2.7", "192.0.2.7"),
        ("::ffff:192.0.2.7", "192.0.2.7"),
        ("2001:db8:1:2:3:4:5:6", "2001:db8:1:2::/64"),
        ("2001:db8:1:2::1%eth0", "2001:db8:1:2::/64"),
        ("", ""),
        ("not an address", ""),
    ],
)
def test_networks(ip: str, network: str) -> None:
    assert network_of(ip) == network


def test_within() -> None:
    networks = (ip_network("10.0.0.0/8"), ip_network("2001:db8::/32"))
    assert within("10.1.2.3", networks)
    assert within("::ffff:10.1.2.3", networks)
    assert within("2001:db8::1", networks)
    assert not within("192.0.2.1", networks)
    assert not within("", networks)


@given(st.lists(st.tuples(st.sampled_from(["enter", "leave"]), st.sampled_from("abc"), st.booleans()), max_size=60))
@settings(max_examples=60)
def test_connections_are_counted_as_they_are(steps: list[tuple[str, str, bool]]) -> None:
    """Never more than allowed, and nothing is remembered of networks that left."""
    connections = Connections(overall=6, per_network=2)
    held: list[tuple[str, bool]] = []
    for step, network, limited in steps:
        if step == "enter":
            mine = sum(1 for each, _ in held if each == network)
            expected = len(held) < 6 and not (limited and mine >= 2)
            refusal = connections.enter(network, limited=limited)
            assert (refusal is None) == expected
            if refusal is None:
                held.append((network, limited))
        elif held:
            connections.leave(held.pop()[0])
    assert connections.total == len(held)
    for network, _ in held:
        connections.leave(network)
    assert connections._count == {}


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("Anna@Here.TEST", "anna@here.test"),
        ('"anna"@here.test', "anna@here.test"),
        ("josé@bücher.test", "JOSÉ@xn--bcher-kva.test"),
        ("jose\u0301@here.test", "josé@here.test"),
        ("Postmaster", "postmaster"),
    ],
)
def test_two_spellings_are_one_key(one: str, other: str) -> None:
    assert key_of(parse_address(one)) == key_of(parse_address(other))


def test_details() -> None:
    assert without_detail("anna+x+y@here.test") == "anna@here.test"
    assert without_detail("anna@here.test") == "anna@here.test"
    assert without_detail("+x@here.test") == "+x@here.test"
    assert without_detail("postmaster") == "postmaster"
    assert is_postmaster("postmaster") and is_postmaster("postmaster@here.test")
    assert not is_postmaster("postmaster2@here.test")


@given(st.text(max_size=40))
@settings(max_examples=100)
def test_any_text_has_a_key_or_none(text: str) -> None:
    key = key_of_text(text)
    assert key is None or isinstance(without_detail(key), str)


OWN = own_keys(Account(id="1", address="anna@here.test", addresses=["anna@here.test", "info@here.test"]))


def test_ownership() -> None:
    assert owns(OWN, "anna@here.test")
    assert owns(OWN, "info+x@here.test")
    assert not owns(OWN, "ben@here.test")
    assert not owns(OWN, "anna@there.test")


@pytest.mark.parametrize(
    "value",
    ["anna@here.test@evil.test", "<anna@here.test", "anna @here.test.evil.test", "=?utf-8?q?anna=40here.test?="],
)
def test_a_from_field_that_only_looks_like_mine(value: str) -> None:
    judged = judge_header(OWN, summarize(f"From: {value}\r\n\r\n".encode()))
    key = summarize(f"From: {value}\r\n\r\n".encode()).header_from
    assert judged is replies.NOT_YOUR_FROM or [a.address for a in key] == [b"anna@here.test"]


def test_recipients() -> None:
    def ask(status: str, leads: tuple[Lead, ...] = (), over: bool = False, **more: object) -> object:
        given_: dict[str, object] = {"profile": Profile.MX, "may_relay": False, **more}
        return judge("anna@here.test", status, leads, over_quota=lambda _: over, **given_)  # type: ignore[arg-type]

    assert ask("local", (ACCOUNT,)) is None
    assert ask("local", (ACCOUNT,), over=True) is replies.MAILBOX_FULL_FOR_NOW
    assert ask("local", (ACCOUNT,), over=True, profile=Profile.SUBMISSION) is replies.MAILBOX_FULL
    assert ask("local", (ACCOUNT, Lead("remote", "x@there.test")), over=True) is None
    assert str(ask("local")).startswith("550 5.1.1")
    assert str(ask("remote", (Lead("remote", "x@there.test"),))).startswith("550 5.7.1")
    assert ask("remote", (Lead("remote", "x@there.test"),), may_relay=True) is None
    assert str(ask("unknown")).startswith("550 5.1.1")
    assert ask("loop") is replies.ADDRESS_LOOPS


leads = st.lists(
    st.sampled_from(
        [
            *(Lead("account", "a@here.test", account, detail) for account in ("1", "2") for detail in (None, "x")),
            Lead("remote", "x@there.test"),
            Lead("remote", "y@there.test"),
        ]
    ),
    max_size=5,
).map(tuple)


@given(st.lists(leads, max_size=8))
@settings(max_examples=80)
def test_obligations_are_numbered_and_each_end_is_owed_once(found: list[tuple[Lead, ...]]) -> None:
    owed = Owed()
    for each in found:
        owed.add(Address("orig", "here.test"), each)
    assert [o.n for o in owed.obligations] == list(range(len(owed.obligations)))
    ends = [o.account or o.address for o in owed.obligations]
    assert sorted(ends) == sorted({lead.account or lead.address for each in found for lead in each})


known = st.lists(st.tuples(st.text(min_size=1, max_size=20), leads.filter(bool)), max_size=20)


@given(known)
@settings(max_examples=50)
def test_known_recipients_come_back_as_they_were(
    tmp_path_factory: pytest.TempPathFactory, entries: list[tuple[str, tuple[Lead, ...]]]
) -> None:
    path = tmp_path_factory.mktemp("known") / "sub" / "known.jsonl"
    encodable = [(k, v) for k, v in entries if k.isprintable()]
    write(path, encodable)
    assert read(path, 1000) == encodable
    assert read(path, 3) == encodable[:3]


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"\0\0\0\0",
        b"not json\n",
        json.dumps({"format": "barid known recipients", "version": 2}).encode()
        + b'\n["a",[["account","a","b",null]]]\n',
        b'[["a"]]\n' * 10,
    ],
)
def test_a_file_that_is_none_is_as_if_it_were_not_there(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "known"
    assert read(path, 10) == []
    path.write_bytes(content)
    assert read(path, 10) == []


def test_a_damaged_line_costs_itself_only(tmp_path: Path) -> None:
    path = tmp_path / "known"
    write(path, [("a", (ACCOUNT,)), ("b", (ACCOUNT,)), ("c", (ACCOUNT,))])
    lines = path.read_bytes().splitlines(keepends=True)
    lines[2] = b'["b",[["account",1,2,3]]]\n'
    path.write_bytes(b"".join(lines) + b'["d",[["acc')
    assert [key for key, _ in read(path, 10)] == ["a", "c"]


async def test_a_folder_that_can_t_be_written_is_no_tragedy(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(OSError):
        await KnownFile(tmp_path / "file" / "known").save([("a", (ACCOUNT,))])
    await asyncio.sleep(0)
