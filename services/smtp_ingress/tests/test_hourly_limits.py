"""How much an account, or a network, may hand in within an hour: at two replicas together."""

import asyncio

import pytest

from barid_runtime.clock import SystemClock
from barid_runtime.rates import shared

from .ingress_rig import Client, Rig

BODY = "From: anna@here.test\r\nSubject: hello\r\n\r\nHow are you?\r\n"
TOO_MUCH = "450 4.7.1 Too much mail of your account"


class TheHourIsYoung(SystemClock):
    """A test that runs into the next hour would see half of the count fade."""

    def now(self) -> float:
        return super().now() // 3600 * 3600 + 600


async def submit(client: Client, *recipients: str) -> str:
    reply = await client.deliver(*recipients, body=BODY, sender="anna@here.test")
    await client.ask("RSET")
    return reply


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shared, "EXCHANGE", 0.1)


async def told() -> None:
    """Until replicas have told each other."""
    await asyncio.sleep(0.5)


async def test_an_accounts_mail_of_an_hour_is_counted_at_all_replicas(rig: Rig) -> None:
    limits = {"max_messages_per_hour": 4, "max_recipients_per_hour": 6}
    await rig.start(clock=TheHourIsYoung(), **limits)
    first = await rig.logged_in()
    await rig.start(clock=TheHourIsYoung(), **limits)
    second = await rig.logged_in()

    assert (await submit(first, "ben@here.test")).startswith("250")
    assert (await submit(second, "ben@here.test", "cleo@here.test")).startswith("250")
    await told()
    assert (await submit(first, "ben@here.test", "cleo@here.test", "anna@here.test", "postmaster@here.test")) == (
        "450 4.7.1 Too much mail of your account within an hour, try again later"
    ), "3 + 4 recipients are too many"
    assert (await submit(first, "ben@here.test")).startswith("250")
    assert (await submit(second, "ben@here.test")).startswith("250")
    await told()
    for client in (first, second):
        assert (await submit(client, "ben@here.test")).startswith(TOO_MUCH), "a fifth message"
    other = await rig.logged_in("ben@here.test")
    reply = await other.deliver("anna@here.test", body=BODY.replace("anna", "ben"), sender="ben@here.test")
    assert reply.startswith("250")


async def test_one_replica_alone_is_exact_also_side_by_side(rig: Rig) -> None:
    await rig.start(clock=TheHourIsYoung(), max_messages_per_hour=5, max_recipients_per_hour=0)
    clients = [await rig.logged_in() for _ in range(8)]
    replies = await asyncio.gather(*(submit(client, "ben@here.test") for client in clients))
    assert sorted(reply[:9] for reply in replies) == ["250 2.0.0"] * 5 + ["450 4.7.1"] * 3


async def test_what_can_never_be_is_refused_for_good(rig: Rig) -> None:
    await rig.start(clock=TheHourIsYoung(), max_recipients_per_hour=1)
    client = await rig.logged_in()
    assert (await submit(client, "ben@here.test", "cleo@here.test")).startswith("550 5.7.1 More recipients")
    assert (await submit(client, "ben@here.test")).startswith("250")


async def test_networks_are_counted_at_the_door_for_other_systems_if_it_is_asked_for(rig: Rig) -> None:
    await rig.start(clock=TheHourIsYoung(), max_messages_per_network_per_hour=2, unlimited_networks=[])
    client = await rig.greeted()
    for _ in range(2):
        assert (await client.deliver("ben@here.test", body=BODY)).startswith("250")
    assert (await client.deliver("ben@here.test", body=BODY)).startswith(
        "450 4.7.1 Too many messages from your network"
    )
    neighbour = await rig.greeted("lmtp")
    assert (await neighbour.deliver("ben@here.test", body=BODY)).startswith("250")
