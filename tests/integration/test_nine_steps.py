"""A mail's walk, told step by step by the systems themselves."""

from email.message import EmailMessage

from .conftest import OUTSIDE, World


def test_submitted_here_filtered_and_filed_there(world: World) -> None:
    """What the operators of both sides see of it."""
    alice, bob = world.here.account(), world.reader()
    message_id = world.here.send(alice, bob.address, "[list] nine steps", "walk!")

    mail = world.there.expect(bob, "[list] nine steps", within=20)

    assert mail.mailbox == "Archive"
    assert mail.message_id == message_id
    assert mail.content["Return-Path"] == f"<{alice.address}>"
    received = mail.content.get_all("Received")
    assert received is not None
    assert len(received) == 2
    assert "mx.elsewhere.test" in received[0]
    assert "mail.example.test" in received[1]
    here = [step["what"] for step in world.here.trace(message_id)]
    assert here[0] == "accepted"
    assert here[-1] == "relayed"
    assert [step["what"] for step in world.there.trace(message_id)] == ["accepted", "filed"]


def test_one_mail_to_all_three_worlds(world: World) -> None:
    alice, bob, carol = world.here.account(), world.reader(), world.here.account()
    dora = f"{alice.address.partition('@')[0]}@{OUTSIDE}"
    world.here.send(alice, [carol, bob.address, dora], "to all three")
    for system, who in ((world.here, carol), (world.there, bob)):
        assert system.expect(who, "to all three", within=20).mailbox == "INBOX"
    got = _until_outside_has(world, dora)
    assert got.mail_from == alice.address
    assert b"Subject: to all three\r\n" in got.original_content


def test_the_body_is_byte_for_byte_what_was_sent(world: World) -> None:
    """No step adds, folds or mends a line of it; each only puts its own lines on top."""
    alice, bob = world.here.account(), world.reader()
    body = (
        f"From: {alice.address}\r\nTo: {bob.address}\r\nSubject:  odd   spaces\r\n\tand a fold\r\n"
        f"Date: Thu, 1 Jan 2026 00:00:00 +0000\r\nMessage-ID: <odd@example.test>\r\n\r\n"
        f".dot\r\n..two dots\r\n\r\ntrailing space \r\n" + "x" * 900 + "\r\nFrom here\r\n\r\n\r\n"
    ).encode()
    world.here.send(alice, bob.address, message=body)
    assert world.there.expect(bob, message_id="odd@example.test", within=20).raw.endswith(body)


def test_an_unknown_recipient_there_comes_back_as_a_notice(world: World) -> None:
    alice = world.here.account()
    world.here.send(alice, "nobody-knows@elsewhere.test", "are you there?")
    notice = world.here.expect(alice, sender="MAILER-DAEMON", within=20).content
    assert notice.get_content_type() == "multipart/report"
    parts = [part for part in notice.walk() if part.get_content_type() == "message/delivery-status"]
    status = parts[0].get_payload()
    assert isinstance(status, list)
    recipient = status[1]
    assert (recipient["Action"], recipient["Status"]) == ("failed", "5.1.1")
    assert "nobody-knows@elsewhere.test" in recipient["Final-Recipient"]


def test_a_redirect_there_comes_back_here(world: World) -> None:
    alice, carol = world.here.account(), world.here.account()
    forwarder = world.reader(f'redirect "{carol.address}";')
    world.here.send(alice, forwarder.address, "please forward")
    mail = world.here.expect(carol, "please forward", within=20)
    received = mail.content.get_all("Received")
    assert received is not None
    assert len(received) == 3


def test_a_vacation_reply_finds_its_way_back(world: World) -> None:
    alice = world.here.account()
    away = world.reader('require "vacation"; vacation :days 1 "I am away.";')
    world.here.send(alice, away.address, "urgent")
    reply = world.here.expect(alice, "urgent", within=20)
    assert reply.text.strip() == "I am away."
    assert reply.content["Auto-Submitted"] is not None


def test_a_large_mail_with_attachments(world: World) -> None:
    alice, bob = world.here.account(), world.reader()
    message = EmailMessage()
    message["From"], message["To"], message["Subject"] = alice.address, bob.address, "large"
    message.set_content("see the attachment")
    blob = bytes(range(256)) * 4096 * 8
    message.add_attachment(blob, maintype="application", subtype="octet-stream", filename="größe.bin")
    world.here.send(alice, bob.address, message=message)
    got = world.there.expect(bob, "large", within=30).content
    attachment = next(got.iter_attachments())
    assert attachment.get_content() == blob
    assert attachment.get_filename() == "größe.bin"


def _until_outside_has(world: World, recipient: str):  # type: ignore[no-untyped-def]
    import time

    until = time.monotonic() + 20
    while time.monotonic() < until:
        for envelope in world.outside.got:
            if recipient in envelope.rcpt_tos:
                return envelope
        time.sleep(0.01)
    raise AssertionError(f"the outside got nothing for {recipient}")
