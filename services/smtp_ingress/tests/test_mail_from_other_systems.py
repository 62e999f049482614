"""Port 25: who is taken, who is refused, and what is written of it."""

import pytest

from barid_contracts.store import OVER_QUOTA_CHANGED, OverQuota
from barid_runtime.bus.typed import announce

from .ingress_rig import Published, Rig

BODY = "From: Sender <sender@there.test>\r\nTo: anna@here.test\r\nSubject: hello\r\n\r\nHow are you?\r\n"


async def test_a_mail_is_durable_when_it_is_accepted_and_says_all_that_was_read(
    served: Rig, published: Published
) -> None:
    client = await served.greeted()
    reply = await client.deliver("anna@here.test", body=BODY)
    assert reply.startswith("250 2.0.0 Ok: accepted as ")
    mail = await published.mail()
    assert reply.endswith(mail.mail_id)
    assert await served.body(mail) == BODY.encode()
    assert mail.reverse_path == "sender@there.test"
    assert [(o.n, o.kind, o.address, o.account) for o in mail.obligations] == [
        (0, "account", "anna@here.test", served.accounts["anna@here.test"])
    ]
    assert mail.subject == "hello"
    assert mail.headers.endswith("Subject: hello\r\n\r\n")
    assert mail.submitter is None
    assert mail.trace.startswith("Received: from client.test ([127.0.0.1])\r\n\tby mx.here.test (Barid) with ESMTP id ")
    assert "\r\n\tfor <anna@here.test>;\r\n\t" in mail.trace
    assert mail.trace.endswith("\r\n")


async def test_pipelined_commands_are_answered_in_order(served: Rig, published: Published) -> None:
    client = await served.greeted()
    client.send(
        "MAIL FROM:<sender@there.test> SIZE=90\r\nRCPT TO:<anna@here.test>\r\nRCPT TO:<nobody@here.test>\r\n"
        "RCPT TO:<ben@here.test>\r\nDATA\r\n"
    )
    assert [reply[:9] for reply in await client.replies(5)] == [
        "250 2.1.0",
        "250 2.1.5",
        "550 5.1.1",
        "250 2.1.5",
        "354 End w",
    ]
    client.send(BODY + ".\r\nQUIT\r\n")
    assert [reply[:3] for reply in await client.replies(2)] == ["250", "221"]
    mail = await published.mail()
    assert [o.address for o in mail.obligations] == ["anna@here.test", "ben@here.test"]
    assert "for <" not in mail.trace


async def test_two_ways_to_one_account_are_one_obligation(served: Rig, published: Published) -> None:
    await served.alias("team@here.test", "anna@here.test", "ben@here.test", "far@there.test")
    client = await served.greeted()
    await client.deliver("Anna+Lists@here.test", "team@HERE.test", "anna@here.test", body=BODY)
    mail = await published.mail()
    assert [(o.n, o.kind, o.address, o.original, o.detail) for o in mail.obligations] == [
        (0, "account", "anna@here.test", "Anna+Lists@here.test", "Lists"),
        (1, "account", "ben@here.test", "team@HERE.test", None),
        (2, "remote", "far@there.test", "team@HERE.test", None),
    ]
    assert (await published.mail("remote")).mail_id == mail.mail_id


async def test_the_null_sender_is_taken(served: Rig, published: Published) -> None:
    client = await served.greeted()
    assert (await client.deliver("anna@here.test", body=BODY, sender="")).startswith("250")
    assert (await published.mail()).reverse_path == ""


async def test_nobody_relays_through_us(served: Rig) -> None:
    client = await served.greeted()
    assert (await client.ask("MAIL FROM:<anna@here.test>")).startswith("250")
    for address in ("victim@elsewhere.test", "victim%elsewhere.test@other.test", "a@[192.0.2.1]"):
        assert (await client.ask(f"RCPT TO:<{address}>")).startswith("550 5.7.1"), address
    assert (await client.ask("RCPT TO:<@here.test:victim@elsewhere.test>")).startswith("550 5.7.1")
    assert (await client.ask("DATA")).startswith("503")


async def test_named_networks_may_relay(rig: Rig, published: Published) -> None:
    await rig.start(relay_networks=["127.0.0.0/8"])
    client = await rig.greeted()
    assert (await client.deliver("far@there.test", body=BODY)).startswith("250")
    assert [o.kind for o in (await published.mail("remote")).obligations] == ["remote"]


async def test_there_is_always_a_postmaster(served: Rig, published: Published) -> None:
    client = await served.greeted()
    assert (await client.deliver("postmaster", body=BODY)).startswith("250")
    assert (await client.deliver("Postmaster@here.test", body=BODY)).startswith("250")
    assert len(await published.mails(2)) == 2


async def test_over_quota_is_said_at_rcpt(served: Rig) -> None:
    client = await served.greeted()
    await client.ask("MAIL FROM:<sender@there.test>")
    assert (await client.ask("RCPT TO:<ben@here.test>")).startswith("250")
    await announce(served.bus, OVER_QUOTA_CHANGED, OverQuota(over=[served.accounts["ben@here.test"]]))
    await served.heard_quota(served.accounts["ben@here.test"], True)
    assert (await client.ask("RCPT TO:<ben@here.test>")).startswith("452 4.2.2")
    assert (await client.ask("RCPT TO:<anna@here.test>")).startswith("250")
    await announce(served.bus, OVER_QUOTA_CHANGED, OverQuota(under=[served.accounts["ben@here.test"]]))
    await served.heard_quota(served.accounts["ben@here.test"], False)
    assert (await client.ask("RCPT TO:<ben@here.test>")).startswith("250")


async def test_the_list_of_those_over_quota_is_asked_for_at_the_start(rig: Rig) -> None:
    await rig.serve_quota()
    rig.over_quota = [rig.accounts["ben@here.test"]]
    await rig.start()
    await rig.heard_quota(rig.accounts["ben@here.test"], True)
    client = await rig.greeted()
    await client.ask("MAIL FROM:<sender@there.test>")
    assert (await client.ask("RCPT TO:<ben@here.test>")).startswith("452 4.2.2")
    lmtp = await rig.greeted("lmtp")
    await lmtp.ask("MAIL FROM:<sender@there.test>")
    assert (await lmtp.ask("RCPT TO:<ben@here.test>")).startswith("452 4.2.2")


async def test_a_mail_in_circles_is_refused(served: Rig) -> None:
    client = await served.greeted()
    reply = await client.deliver("anna@here.test", body="Received: by somewhere\r\n" * 101 + BODY)
    assert reply.startswith("554 5.4.6")
    assert (await client.deliver("anna@here.test", body="Received: by somewhere\r\n" * 100 + BODY)).startswith("250")


@pytest.mark.parametrize(
    "field",
    [
        "Delivered-To: anna@here.test",
        "delivered-to :\r\n <ANNA@here.test>",
        "Delivered-To: =?utf-8?q?anna=40here.test?=",
    ],
)
async def test_who_forges_a_loop_hears_of_it_and_nobody_else(served: Rig, published: Published, field: str) -> None:
    await served.alias("team@here.test", "ben@here.test", "anna@here.test")
    client = await served.greeted()
    looped = f"{field}\r\n{BODY}"
    for recipient in ("anna@here.test", "Anna+lists@here.test", "team@here.test"):
        assert (await client.deliver(recipient, body=looped)).startswith("554 5.4.6"), recipient
    large = looped + "a line of a large message\r\n" * 20_000
    assert (await client.deliver("anna@here.test", body=large)).startswith("554 5.4.6")
    # Another's field is no loop, and without a sender nobody would get a notice.
    assert (await client.deliver("ben@here.test", body=looped)).startswith("250")
    assert (await client.deliver("anna@here.test", body=looped, sender="")).startswith("250")
    assert len(await published.mails(2)) == 2


async def test_the_thousand_and_first_recipient_has_to_wait(served: Rig, published: Published) -> None:
    await served.domain("all.test", catch_all="anna@here.test")
    client = await served.greeted()
    await client.ask("MAIL FROM:<sender@there.test>")
    client.send("".join(f"RCPT TO:<user{n}@all.test>\r\n" for n in range(10_000)))
    answers = await client.replies(10_000)
    assert [reply[:9] for reply in answers] == ["250 2.1.5"] * 1000 + ["452 4.5.3"] * 9000
    assert (await client.ask("DATA")).startswith("354")
    assert (await client.ask(BODY.encode() + b".\r\n")).startswith("250")
    assert len((await published.mail()).obligations) == 1


async def test_who_reads_out_a_dictionary_is_shown_the_door(served: Rig) -> None:
    client = await served.greeted()
    await client.ask("MAIL FROM:<sender@there.test>")
    client.send("".join(f"RCPT TO:<user{n}@here.test>\r\n" for n in range(150)))
    answers = (await client.rest()).decode().splitlines()
    assert [reply[:3] for reply in answers[:101]] == ["550"] * 100 + ["421"]
