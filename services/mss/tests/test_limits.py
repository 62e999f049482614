"""How much one network or account may take of us."""

import asyncio
from pathlib import Path

import pytest

from barid_mss.policy.limits import Places
from barid_runtime import failed_logins
from barid_runtime.bus.port import Bus
from barid_runtime.failed_logins import FailedLogins
from barid_runtime.networks import LOOPBACK, is_loopback, network_of, within

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


def test_failed_logins_wait_longer_and_longer_then_are_blocked() -> None:
    failed = FailedLogins(4)
    assert [failed.failed("n", now) for now in (0.0, 1.0, 2.0)] == [0.5, 1.0, 1.5]
    assert not failed.blocked("n", 3.0)
    failed.failed("n", 3.0)
    assert failed.blocked("n", 4.0)
    assert not failed.blocked("m", 4.0)
    assert not failed.blocked("n", 4.0 + failed_logins.BLOCK)


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


async def test_guessers_are_slowed_down_and_shut_out(
    tmp_path: Path, nats_url: str, bus: Bus, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(failed_logins, "DELAY_STEP", 0.05)
    async with open_house(tmp_path, nats_url, bus, max_failed_logins=3, unlimited_networks=()) as house:
        client = await house.raw()
        began = asyncio.get_running_loop().time()
        for _ in range(3):
            assert (await client.no('LOGIN bob@here.test "guess"')).startswith(b"NO [AUTHENTICATIONFAILED]")
        assert asyncio.get_running_loop().time() - began > 0.05 + 0.1 + 0.15
        assert (await client.no(f'LOGIN bob@here.test "{PASSWORD}"')).startswith(b"NO [UNAVAILABLE] Too many")


async def test_no_log_in_in_the_clear(tmp_path: Path, nats_url: str, bus: Bus) -> None:
    async with open_house(tmp_path, nats_url, bus, allow_plaintext=False) as house:
        client = await house.raw()
        assert (await client.no(f'LOGIN bob@here.test "{PASSWORD}"')).startswith(b"NO [PRIVACYREQUIRED]")
        pop3 = await house.raw("pop3")
        pop3.send(b"USER bob@here.test\r\n")
        assert (await pop3.line()).startswith(b"-ERR")
