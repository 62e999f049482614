"""How much one network or account may take of us."""

import asyncio
from pathlib import Path

import pytest

from barid_mss.policy.limits import Places
from barid_runtime import waiting_networks
from barid_runtime.bus.port import Bus
from barid_runtime.networks import LOOPBACK, is_loopback, network_of, within
from barid_runtime.waiting_networks import WaitingNetworks

from .house import PASSWORD, open_house


def test_places() -> None:
    places = Places(each=2, overall=3)
    assert [places.take("a"), places.take("a"), places.take("a"), places.take("b"), places.take("c")] == [
        True,
        True,
        False,
        True,
        False,
    ]
    places.leave("a")
    assert places.take("c")
    assert places.total == 3


def test_a_door_remembers_for_a_moment_who_waits(monkeypatch: pytest.MonkeyPatch) -> None:
    waiting = WaitingNetworks()
    waiting.told("long", 600.0, 100.0)
    waiting.told("short", 2.0, 100.0)
    assert [waiting.waits(each, 101.9) for each in ("long", "short", "other")] == [True, True, False]
    assert [waiting.waits(each, 102.1) for each in ("long", "short")] == [True, False]
    assert not waiting.waits("long", 100.0 + waiting_networks.REMEMBER), "an operator may have let it in meanwhile"
    monkeypatch.setattr(waiting_networks, "MAX_NETWORKS", 50)
    for n in range(500):
        waiting.told(f"network {n}", 600.0, 200.0)
    assert len(waiting._until) == 50


def test_networks() -> None:
    assert network_of("::ffff:192.0.2.7") == network_of("192.0.2.7") == "192.0.2.7"
    assert network_of("2001:db8::1") == network_of("2001:db8::2:3") == "2001:db8::/64"
    assert network_of("") == ""
    assert is_loopback("127.0.0.9")
    assert within("::1", LOOPBACK)
    assert not within("192.0.2.7", LOOPBACK)


async def test_connections_and_sessions_are_counted(tmp_path: Path, nats_url: str, bus: Bus) -> None:
    settings = {"unlimited_networks": (), "max_reading_connections_per_network": 3, "max_sessions_per_account": 2}
    async with open_house(tmp_path, nats_url, bus, **settings) as house:
        first, _, third = await house.imap(), await house.imap(), await house.raw()
        assert (await third.no(f'LOGIN bob@here.test "{PASSWORD}"')).startswith(b"NO [LIMIT]")
        reader, writer = await asyncio.open_connection("127.0.0.1", house.port("imap"))
        assert await reader.read() == b"* BYE Too many connections\r\n"
        writer.close()
        await first.ok("LOGOUT")
        first.close()
        await asyncio.sleep(0.2)
        await third.ok(f'LOGIN bob@here.test "{PASSWORD}"')


async def test_guessers_are_slowed_down_and_shut_out_at_every_door(tmp_path: Path, nats_url: str, bus: Bus) -> None:
    """Of two servers, and of both protocols, which count together."""
    async with open_house(tmp_path, nats_url, bus, max_failed_logins=3, unlimited_networks=()) as house:
        await house.people("ann", "zoe")
        first = await house.raw()
        began = asyncio.get_running_loop().time()
        assert (await first.no('LOGIN bob@here.test "guess"')).startswith(b"NO [AUTHENTICATIONFAILED]")
        await house.start_server(unlimited_networks=())
        second, pop3 = await house.raw(), await house.raw("pop3")
        assert (await second.no('LOGIN eve@here.test "guess"')).startswith(b"NO [AUTHENTICATIONFAILED]")
        pop3.send(b"USER ann@here.test\r\n")
        assert (await pop3.line()).startswith(b"+OK")
        pop3.send(b"PASS guess\r\n")
        assert (await pop3.line()).startswith(b"-ERR [AUTH]")
        assert asyncio.get_running_loop().time() - began > 0.5 + 1.0 + 1.5
        for client in (first, second):
            assert (await client.no(f'LOGIN zoe@here.test "{PASSWORD}"')).startswith(b"NO [UNAVAILABLE] Too many")


async def test_one_program_with_an_old_password_does_not_shut_out_its_neighbours(
    tmp_path: Path, nats_url: str, bus: Bus
) -> None:
    async with open_house(tmp_path, nats_url, bus, max_failed_logins=4, unlimited_networks=()) as house:
        client = await house.raw()
        for _ in range(2):
            assert (await client.no('LOGIN bob@here.test "old"')).startswith(b"NO [AUTHENTICATIONFAILED]")
        said = await client.no(f'LOGIN bob@here.test "{PASSWORD}"')
        assert said.startswith(b"NO [UNAVAILABLE] Too many failed log-ins of this account")
        await client.ok(f'LOGIN eve@here.test "{PASSWORD}"')


async def test_no_log_in_in_the_clear(tmp_path: Path, nats_url: str, bus: Bus) -> None:
    async with open_house(tmp_path, nats_url, bus, allow_plaintext=False) as house:
        client = await house.raw()
        assert (await client.no(f'LOGIN bob@here.test "{PASSWORD}"')).startswith(b"NO [PRIVACYREQUIRED]")
        pop3 = await house.raw("pop3")
        pop3.send(b"USER bob@here.test\r\n")
        assert (await pop3.line()).startswith(b"-ERR")
