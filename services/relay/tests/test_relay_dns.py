"""The resolver, asked through a real name server on UDP."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import dns.flags
import dns.message
import dns.rcode
import dns.rrset
import pytest
import pytest_asyncio

from barid_relay.adapters.dns import DnsResolver, ZoneResolver, resolver
from barid_relay.ports.hosts import NoSuchName, ResolveFailed
from barid_relay.settings import Settings

RECORDS = {
    ("far.test.", "MX"): ["20 MX2.far.test.", "10 mx1.far.test."],
    ("null.test.", "MX"): ["0 ."],
    ("mx1.far.test.", "A"): ["192.0.2.1", "192.0.2.2"],
    ("mx1.far.test.", "AAAA"): ["2001:db8::1"],
    ("half.test.", "A"): ["192.0.2.3"],
    ("half.test.", "AAAA"): dns.rcode.SERVFAIL,
    ("broken.test.", "MX"): dns.rcode.SERVFAIL,
    ("broken.test.", "A"): dns.rcode.SERVFAIL,
    ("broken.test.", "AAAA"): dns.rcode.SERVFAIL,
    ("many.test.", "MX"): [f"10 mx{k}.many.test." for k in range(40)],
}


class NameServer(asyncio.DatagramProtocol):
    def __init__(self) -> None:
        self.asked: list[tuple[str, str]] = []

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = transport

    def datagram_received(self, data: bytes, address: object) -> None:
        query = dns.message.from_wire(data)
        (question,) = query.question
        name, kind = question.name.to_text().lower(), dns.rdatatype.to_text(question.rdtype)
        self.asked.append((name, kind))
        reply = dns.message.make_response(query)
        found = RECORDS.get((name, kind))
        if isinstance(found, dns.rcode.Rcode):
            reply.set_rcode(found)
        elif found is not None:
            reply.answer.append(dns.rrset.from_text_list(question.name, 60, "IN", kind, found))
        elif not any(name == each for each, _ in RECORDS):
            reply.set_rcode(dns.rcode.NXDOMAIN)
        self.transport.sendto(reply.to_wire(), address)  # type: ignore[attr-defined]


@pytest_asyncio.fixture
async def server() -> AsyncIterator[tuple[NameServer, DnsResolver]]:
    transport, protocol = await asyncio.get_running_loop().create_datagram_endpoint(
        NameServer, local_addr=("127.0.0.1", 0)
    )
    port = transport.get_extra_info("sockname")[1]
    yield protocol, DnsResolver([f"127.0.0.1:{port}"])
    transport.close()


Served = tuple[NameServer, DnsResolver]


async def test_records(server: Served) -> None:
    asked, names = server
    assert sorted(await names.mx("far.test")) == [(10, "mx1.far.test"), (20, "mx2.far.test")]
    assert await names.mx("null.test") == [(0, "")]
    assert await names.mx("mx1.far.test") == []
    assert sorted(await names.addresses("mx1.far.test")) == ["192.0.2.1", "192.0.2.2", "2001:db8::1"]
    assert await names.addresses("far.test") == []
    assert len(await names.mx("many.test")) == 32
    before = len(asked.asked)
    await names.mx("far.test")
    assert len(asked.asked) == before


async def test_names_that_do_not_exist_and_servers_that_fail(server: Served) -> None:
    _, names = server
    for name in ("nosuch.test", "x" * 70 + ".test", "a..test", ".".join(["abcdefgh"] * 40)):
        with pytest.raises(NoSuchName):
            await names.mx(name)
        with pytest.raises(NoSuchName):
            await names.addresses(name)
    assert await names.addresses("half.test") == ["192.0.2.3"]
    with pytest.raises(ResolveFailed):
        await names.mx("broken.test")
    with pytest.raises(ResolveFailed):
        await names.addresses("broken.test")


async def test_zone_files(tmp_path: Path) -> None:
    path = tmp_path / "zone"
    path.write_text("a.test. 60 A 127.0.0.1\na.test. 60 AAAA ::1\nb.test. 60 CNAME a.test.\n")
    names = resolver(Settings(data=tmp_path, dns_zone_file=path))
    assert await names.addresses("B.test") == ["127.0.0.1", "::1"]
    assert await names.mx("a.test") == []
    with pytest.raises(NoSuchName):
        await names.mx("c.test")
    with pytest.raises(NoSuchName):
        await names.mx("a..b")
    path.write_text("this is no zone")
    with pytest.raises(ResolveFailed, match="zone"):
        await ZoneResolver(path).mx("a.test")
    with pytest.raises(ResolveFailed, match="No such file"):
        await ZoneResolver(tmp_path / "none").mx("a.test")


def test_name_servers_are_addresses(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="ns1"):
        resolver(Settings(data=tmp_path, dns_nameservers=["ns1.test"]))
