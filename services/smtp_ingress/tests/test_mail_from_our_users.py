"""Ports 587 and 465: TLS before passwords, passwords before mail, one's own addresses, and what is mended."""

import asyncio
import base64
import smtplib
import ssl

import pytest

from barid_contracts.directory import ACCOUNT_UPDATE, AccountUpdate
from barid_runtime.bus.typed import call

from .ingress_rig import Published, Rig

BODY = "From: Anna <anna@here.test>\r\nTo: far@there.test\r\nSubject: hello\r\n\r\nHow are you?\r\n"
PLAIN = base64.b64encode(b"\0anna@here.test\0secret-anna").decode()


def trusting() -> ssl.SSLContext:
    context = ssl.create_default_context()
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    return context


async def test_smtplib_over_starttls(served: Rig, published: Published) -> None:
    def talk() -> None:
        with smtplib.SMTP("127.0.0.1", served.port("submission"), timeout=10) as client:
            client.starttls(context=trusting())
            client.login("anna@here.test", "secret-anna")
            client.sendmail("anna@here.test", ["far@there.test", "ben@here.test"], BODY)

    await asyncio.to_thread(talk)
    mail = await published.mail()
    assert mail.submitter == served.accounts["anna@here.test"]
    assert [(o.kind, o.address) for o in mail.obligations] == [
        ("remote", "far@there.test"),
        ("account", "ben@here.test"),
    ]
    assert "with ESMTPSA id" in mail.trace


async def test_smtplib_over_tls_from_the_first_octet(served: Rig, published: Published) -> None:
    def talk() -> None:
        with smtplib.SMTP_SSL("127.0.0.1", served.port("submissions"), timeout=10, context=trusting()) as client:
            client.user, client.password = "anna@here.test", "secret-anna"
            client.ehlo()
            client.auth("LOGIN", client.auth_login)
            client.sendmail("anna@here.test", ["ben@here.test"], BODY * 1000)

    await asyncio.to_thread(talk)
    assert (await published.mail()).origin == "submissions"


async def test_no_password_without_tls(served: Rig) -> None:
    client = await served.connect("submission")
    await client.reply()
    client.send("EHLO client.test\r\n")
    lines = [await client.line()]
    while lines[-1][3] == "-":
        lines.append(await client.line())
    assert "250-STARTTLS" in lines
    assert not any("AUTH" in line for line in lines)
    assert (await client.ask(f"AUTH PLAIN {PLAIN}")).startswith("538 5.7.11")
    assert (await client.ask("MAIL FROM:<anna@here.test>")).startswith("530 5.7.0")


async def test_plaintext_is_for_those_who_ask_for_it_and_loopback(rig: Rig) -> None:
    await rig.start(allow_plaintext=True)
    client = await rig.greeted("submission")
    assert (await client.ask(f"AUTH PLAIN {PLAIN}")).startswith("235")


async def test_mail_needs_a_log_in(served: Rig) -> None:
    client = await served.connect("submissions", tls=True)
    await client.reply()
    await client.ask("EHLO client.test")
    assert (await client.ask("MAIL FROM:<anna@here.test>")).startswith("530 5.7.0")
    wrong = base64.b64encode(b"\0anna@here.test\0secret-ben").decode()
    assert (await client.ask(f"AUTH PLAIN {wrong}")).startswith("535 5.7.8")
    other = base64.b64encode(b"ben@here.test\0anna@here.test\0secret-anna").decode()
    assert (await client.ask(f"AUTH PLAIN {other}")).startswith("535 5.7.8")
    assert (await client.ask(f"AUTH PLAIN {PLAIN}")).startswith("235")


async def test_one_s_own_addresses_only(served: Rig) -> None:
    await served.alias("info@here.test", "anna@here.test")
    await served.alias("team@here.test", "anna@here.test", "ben@here.test")
    client = await served.logged_in()
    assert (await client.ask("MAIL FROM:<ben@here.test>")).startswith("550 5.7.1")
    assert (await client.ask("MAIL FROM:<team@here.test>")).startswith("550 5.7.1")
    assert (await client.ask("MAIL FROM:<anna@there.test>")).startswith("550 5.7.1")
    for own in ("Anna@HERE.test", "anna+lists@here.test", "info@here.test", ""):
        assert (await client.ask(f"MAIL FROM:<{own}>")).startswith("250"), own
        assert (await client.ask("RSET")).startswith("250")


@pytest.mark.parametrize(
    ("header", "answer"),
    [
        ("From: ben@here.test", "550 5.7.1"),
        ('From: "anna@here.test" <ben@here.test>', "550 5.7.1"),
        ("From: nobody in particular", "550 5.7.1"),
        ("From: anna@here.test\r\nFrom: ben@here.test", "550 5.6.0"),
        ("From: ben@here.test, Anna <ANNA+x@here.test>\r\nSender: anna@here.test", "250 2.0.0"),
        ("From: anna@here.test, Anna <ANNA+x@here.test>", "250 2.0.0"),
        ("From: anna@here.test, ben@here.test", "550 5.7.1"),
        ("From: anna@here.test" + "," * 20_000 + "ben@here.test", "550 5.7.1"),
        ("From: " + "anna@here.test, " * 100 + "ben@here.test", "550 5.7.1"),
        ("From: anna@here.test, " + "g:;, " * 60 + "ben@here.test", "550 5.7.1"),
        ("From: anna@here.test\r\nSender: anna+x@here.test", "250 2.0.0"),
        ("From: anna@here.test\r\nSender : ben@here.test", "550 5.7.1"),
        ("From: anna@here.test\r\nSender: anna@here.test, ben@here.test", "550 5.7.1"),
        ("From: anna@here.test\r\nSender:", "550 5.7.1"),
        ("From: ben@here.test\r\nSender: anna@here.test", "550 5.7.1"),
        ("From: anna@here.test\r\nSender: anna@here.test (\r\nSender: ben@here.test", "550 5.6.0"),
        ("X-No-From: at all", "550 5.6.0"),
    ],
)
async def test_from_and_sender_are_one_s_own(served: Rig, header: str, answer: str) -> None:
    client = await served.logged_in()
    reply = await client.deliver("ben@here.test", body=f"{header}\r\nSubject: x\r\n\r\nx\r\n", sender="anna@here.test")
    assert reply.startswith(answer)


async def test_bcc_goes_and_date_and_message_id_come(served: Rig, published: Published) -> None:
    client = await served.logged_in()
    body = BODY.replace("Subject", "Bcc: secret@there.test,\r\n other@there.test\r\nSubject")
    assert (await client.deliver("far@there.test", "secret@there.test", body=body, sender="anna@here.test"))[0] == "2"
    mail = await published.mail("remote")
    stored = (await served.body(mail)).decode()
    assert "secret@" not in stored
    assert f"Message-ID: <{mail.mail_id}@mx.here.test>\r\n" in stored
    assert "\r\nDate: " in stored
    assert mail.message_id == f"<{mail.mail_id}@mx.here.test>"
    assert mail.size == len(stored)
    assert mail.headers == stored[: stored.index("\r\n\r\n") + 4]


async def test_a_large_submission_is_edited_too(served: Rig, published: Published) -> None:
    client = await served.logged_in()
    body = "Bcc: secret@there.test\r\n" + BODY + "a line of a large message\r\n" * 40_000
    assert (await client.deliver("ben@here.test", body=body, sender="anna@here.test")).startswith("250")
    mail = await published.mail()
    stored = (await served.body(mail)).decode()
    assert "secret@" not in stored
    assert stored.endswith("a line of a large message\r\n" * 40_000)
    assert f"Message-ID: <{mail.mail_id}@mx.here.test>\r\n" in stored
    assert mail.size == len(stored) > 1_000_000


async def test_a_header_without_end_is_refused_without_harm(served: Rig) -> None:
    client = await served.logged_in()
    reply = await client.deliver("ben@here.test", body="X: y\r\n" * 60_000, sender="anna@here.test")
    assert reply.startswith("552 5.3.4")
    assert (await client.deliver("ben@here.test", body=BODY, sender="anna@here.test")).startswith("250")


@pytest.mark.parametrize("body", ["x\r\n", "a line of a large message\r\n" * 20_000])
async def test_a_from_field_beyond_what_is_read_of_a_header_is_no_way_in(served: Rig, body: str) -> None:
    client = await served.logged_in()
    for claim in ("From: ben@here.test\r\n", ""):
        long = "From: anna@here.test\r\n" + "X-Filler: x\r\n" * 6_000 + claim + "\r\n" + body
        assert (await client.deliver("ben@here.test", body=long, sender="anna@here.test")).startswith("552 5.3.4")
    assert (await client.deliver("ben@here.test", body=BODY, sender="anna@here.test")).startswith("250")


async def test_line_ends_are_mended(served: Rig, published: Published) -> None:
    client = await served.logged_in()
    body = BODY + "one\ntwo\rthree\r\n"
    assert (await client.deliver("ben@here.test", body=body, sender="anna@here.test")).startswith("250")
    assert (await served.body(await published.mail())).endswith(b"one\r\ntwo\r\nthree\r\n")


async def test_a_disabled_account_submits_no_more(served: Rig) -> None:
    client = await served.logged_in()
    assert (await client.ask("MAIL FROM:<anna@here.test>")).startswith("250")
    await client.ask("RSET")
    await call(served.bus, ACCOUNT_UPDATE, AccountUpdate(address="anna@here.test", enabled=False))
    async with asyncio.timeout(5):
        while (await client.ask("MAIL FROM:<anna@here.test>")).startswith("250"):
            await client.ask("RSET")
    assert (await client.ask("MAIL FROM:<anna@here.test>")).startswith("550 5.7.1")


async def test_guessing_passwords_is_slow_and_then_over(rig: Rig) -> None:
    await rig.restart_directory(max_failed_logins=4)
    await rig.start(unlimited_networks=[], allow_plaintext=True)

    def guess(login: str) -> str:
        return "AUTH PLAIN " + base64.b64encode(f"\0{login}\0guess".encode()).decode()

    loop = asyncio.get_running_loop()
    client = await rig.greeted("submission")
    begun = loop.time()
    for login in ("cleo@here.test", "nobody@here.test"):
        assert (await client.ask(guess(login))).startswith("535")
    assert loop.time() - begun > 1.4
    client.send(guess("ben@here.test") + "\r\n")
    assert [line[:3] for line in (await client.rest()).decode().splitlines()] == ["535", "421"]
    client = await rig.greeted("submission")
    assert (await client.ask(guess("nobody@elsewhere.test"))).startswith("535")
    # Waits, with the right password and for a new connection, too; mail from other systems does not.
    assert (await client.ask(f"AUTH PLAIN {PLAIN}")).startswith("421 4.7.0 Too many failed log-ins from your network")
    assert (await (await rig.connect("submission")).reply()).startswith("421 4.7.0")
    assert (await (await rig.connect("smtp")).reply()).startswith("220")


async def test_a_program_with_an_old_password_waits_alone(rig: Rig) -> None:
    await rig.restart_directory(max_failed_logins=4)
    await rig.start(unlimited_networks=[], allow_plaintext=True)
    client = await rig.greeted("submission")
    old = base64.b64encode(b"\0anna@here.test\0old").decode()
    for _ in range(2):
        assert (await client.ask(f"AUTH PLAIN {old}")).startswith("535")
    assert (await client.ask(f"AUTH PLAIN {PLAIN}")).startswith("421 4.7.0 Too many failed log-ins of this account")
    neighbour = await rig.greeted("submission")
    right = base64.b64encode(b"\0ben@here.test\0secret-ben").decode()
    assert (await neighbour.ask(f"AUTH PLAIN {right}")).startswith("235")


async def test_full_mailboxes_are_told_to_people_for_good(rig: Rig) -> None:
    await rig.serve_quota()
    rig.over_quota = [rig.accounts["ben@here.test"]]
    await rig.start()
    await rig.heard_quota(rig.accounts["ben@here.test"], True)
    client = await rig.logged_in()
    await client.ask("MAIL FROM:<anna@here.test>")
    assert (await client.ask("RCPT TO:<ben@here.test>")).startswith("552 5.2.2")
