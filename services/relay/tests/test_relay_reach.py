"""Whom the DNS may make us dial: nobody behind the firewall, and never ourselves."""

from ipaddress import ip_address, ip_network
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from barid_relay.policy.reach import Reach, is_public, same_host

from .foreign import Foreign
from .office import Office

HERE = (ip_network("127.0.0.0/8"),)


@pytest.mark.parametrize(
    "address",
    [
        *("0.0.0.0", "0.1.2.3", "10.0.0.1", "100.64.0.1", "127.0.0.1", "127.8.8.8", "169.254.169.254", "172.31.255.1"),
        *("192.0.0.8", "192.0.2.1", "192.88.99.1", "192.168.1.1", "198.19.0.1", "198.51.100.1", "203.0.113.9"),
        *("224.0.0.1", "239.255.255.255", "240.0.0.1", "255.255.255.255"),
        *("::", "::1", "::ffff:127.0.0.1", "::ffff:a00:1", "::7f00:1", "64:ff9b::127.0.0.1", "64:ff9b:1::8.8.8.8"),
        *("100::1", "fc00::1", "fdff::1", "fe80::1", "fe80::1%eth0", "fec0::1", "ff02::1", "4000::1"),
        *("2001::1", "2001:2::1", "2001:10::1", "2001:db8::1", "2002:a00:1::1", "2002:7f00:1::", "3fff::1"),
        *("", "mx.far.test", "8.8.8.8.8"),
    ],
)
def test_addresses_that_no_host_of_the_internet_has(address: str) -> None:
    assert not is_public(address)


@pytest.mark.parametrize(
    "address",
    [
        "8.8.8.8",
        "100.128.0.1",
        "172.32.0.1",
        "192.169.0.1",
        "2a00:1450::1",
        "2600::",
        "::ffff:8.8.8.8",
        "64:ff9b::8.8.8.8",
    ],
)
def test_addresses_that_may_be_dialled(address: str) -> None:
    assert is_public(address)


@given(st.ip_addresses())
def test_what_is_public_is_nothing_special_to_the_standard_library_either(address: Any) -> None:
    if is_public(str(address)):
        known = getattr(address, "ipv4_mapped", None) or address
        assert not (known.is_private or known.is_loopback or known.is_link_local or known.is_multicast)
        assert not known.is_unspecified
        assert not known.is_reserved or known in ip_network("64:ff9b::/96")


def test_a_network_that_was_allowed() -> None:
    reach = Reach((ip_network("10.1.0.0/16"), ip_network("fd00::/8")))
    assert reach.sort_out(["10.2.0.1", "10.1.0.1", "::ffff:10.1.0.2", "fd00::1", "127.0.0.1", "9.9.9.9"]) == (
        ["10.1.0.1", "::ffff:10.1.0.2", "fd00::1", "9.9.9.9"],
        ["10.2.0.1", "127.0.0.1"],
    )


@given(st.ip_addresses(v=6))
def test_an_address_is_the_same_however_it_is_written(address: Any) -> None:
    assert same_host([address.exploded])(str(address))
    assert same_host([str(address)])(address.exploded.upper())
    assert not same_host([str(address)])(str(ip_address(int(address) ^ 1)))


ZONE = """
$TTL 60
inside.test.       MX 10 mx.inside.test.
mx.inside.test.    A 127.0.0.3
mx.inside.test.    A 10.0.0.7
mx.inside.test.    AAAA ::ffff:127.0.0.3
plain.test.        A 169.254.169.254
mixed.test.        MX 10 mx.inside.test.
mixed.test.        MX 20 mx.mixed.test.
mx.mixed.test.     A 127.0.0.4
own.test.          MX 10 other-name.test.
own.test.          MX 10 better.test.
own.test.          MX 20 mx.mixed.test.
other-name.test.   A 127.0.0.5
backup.test.       MX 5 mx.mixed.test.
backup.test.       MX 10 other-name.test.
backup.test.       MX 20 better.test.
better.test.       A 127.0.0.6
relay.here.test.   A 127.0.0.5
listed.test.       MX 10 front.here.test.
front.here.test.   A 127.0.0.6
unlucky.test.      MX 10 mx.inside.test.
unlucky.test.      MX 20 round.test.
round.test.        CNAME round.test.
"""


@pytest.fixture
def zone(tmp_path: Path) -> Path:
    path = tmp_path / "zone"
    path.write_text(ZONE)
    return path


async def failed(office: Office, address: str) -> tuple[str, str]:
    """Status and text of the notice that the mail comes back with."""
    await office.outcome(await office.mail(address), "bounced")
    _, notice = await office.notice()
    text, status = notice.get_payload()[:2]  # type: ignore[index]
    return status.get_payload()[1]["Status"], text.get_payload()  # type: ignore[union-attr,index,return-value]


@pytest.mark.parametrize(
    "domain", ["inside.test", "plain.test", "[127.0.0.3]", "[IPv6:::1]", "[IPv6:::ffff:127.0.0.3]", "[10.0.0.1]"]
)
async def test_who_points_at_our_own_network_gets_the_mail_back(
    office: Office, start: Any, zone: Path, domain: str
) -> None:
    async with Foreign(host="127.0.0.3").open() as inside:
        await start(outbound="direct", dns_zone_file=zone, mx_port=inside.port)
        status, text = await failed(office, f"bob@{domain}")
        assert status == "5.4.4"
        assert "not on the Internet" in " ".join(text.split())
        assert inside.connections == 0


async def test_such_hosts_are_passed_over_among_others(office: Office, start: Any, zone: Path) -> None:
    async with (
        Foreign(host="127.0.0.4").open() as outside,
        Foreign(host="127.0.0.3", port=outside.port).open() as inside,
    ):
        allowed = (ip_network("127.0.0.4/32"),)
        await start(outbound="direct", dns_zone_file=zone, mx_port=outside.port, dial_networks=allowed)
        await office.outcome(await office.mail("bob@mixed.test"), "relayed")
        assert (inside.connections, len(outside.taken)) == (0, 1)


async def test_a_host_that_the_dns_can_not_say_now_may_be_a_good_one(office: Office, start: Any, zone: Path) -> None:
    await start(outbound="direct", dns_zone_file=zone, mx_port=1)
    assert "The DNS does not answer" in (await office.deferred(await office.mail("bob@unlucky.test"))).last_error


async def test_a_route_is_dialled_wherever_it_leads(office: Office, start: Any, zone: Path) -> None:
    async with Foreign(host="127.0.0.3").open() as inside:
        await start(outbound="direct", dns_zone_file=zone, routes={"inside.test": inside.route})
        await office.outcome(await office.mail("bob@inside.test"), "relayed")


async def test_we_ourselves_under_another_name(office: Office, start: Any, zone: Path) -> None:
    """Neither we nor our equals nor who is worse are dialled (RFC 5321 §5.1); who is better is."""
    async with (
        Foreign(host="127.0.0.4").open() as better,
        Foreign(host="127.0.0.5", port=better.port).open() as ourselves,
        Foreign(host="127.0.0.6", port=better.port).open() as equal,
    ):
        more = {"dns_zone_file": zone, "mx_port": better.port, "dial_networks": HERE}
        await start(outbound="direct", own_hosts=("127.0.0.6",), **more)
        assert (await failed(office, "bob@own.test"))[0] == "5.4.6"
        assert (await failed(office, "bob@[127.0.0.5]"))[0] == "5.4.6"
        assert (await failed(office, "bob@listed.test"))[0] == "5.4.6"
        await office.outcome(await office.mail("bob@backup.test"), "relayed")
        assert (ourselves.connections, equal.connections, len(better.taken)) == (0, 0, 1)


async def test_a_name_of_ours_that_was_listed(office: Office, start: Any, zone: Path) -> None:
    async with Foreign(host="127.0.0.6").open() as front:
        more = {"dns_zone_file": zone, "mx_port": front.port, "dial_networks": HERE}
        await start(outbound="direct", own_hosts=("Front.Here.test.",), **more)
        assert (await failed(office, "bob@listed.test"))[0] == "5.4.6"
        assert front.connections == 0


async def test_behind_ourselves_nobody_is_dialled(office: Office, start: Any, zone: Path) -> None:
    """We know ourselves only by the greeting: the mail does not go on to who would bring it back."""
    records = ("far.test. 60 MX 10 a.test.", "far.test. 60 MX 20 b.test.", "a.test. 60 A 127.0.0.6")
    zone.write_text("\n".join([*records, "b.test. 60 A 127.0.0.3", ""]))
    async with (
        Foreign(host="127.0.0.3").open() as late,
        Foreign(host="127.0.0.6", port=late.port, replies={"EHLO": "250 relay.away.test"}).open(),
    ):
        more = {"dns_zone_file": zone, "mx_port": late.port, "dial_networks": HERE}
        await start(outbound="direct", hostname="relay.away.test", **more)
        assert (await failed(office, "bob@far.test"))[0] == "5.4.6"
        assert late.connections == 0
