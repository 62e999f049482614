"""LMTP (RFC 2033): one answer for each recipient that was taken."""

from .ingress_rig import Published, Rig

BODY = "From: Sender <sender@there.test>\r\nSubject: hello\r\n\r\nHow are you?\r\n"


async def test_each_recipient_gets_an_answer(served: Rig, published: Published) -> None:
    client = await served.greeted("lmtp")
    client.send(
        "MAIL FROM:<sender@there.test>\r\nRCPT TO:<anna@here.test>\r\nRCPT TO:<nobody@here.test>\r\n"
        "RCPT TO:<ben@here.test>\r\nDATA\r\n"
    )
    assert [reply[:3] for reply in await client.replies(5)] == ["250", "250", "550", "250", "354"]
    client.send(BODY + ".\r\n")
    answers = await client.replies(2)
    assert [reply[:9] for reply in answers] == ["250 2.0.0"] * 2
    mail = await published.mail()
    assert "with LMTP id" in mail.trace
    assert mail.origin == "lmtp"


async def test_ehlo_and_other_domains_are_refused(served: Rig) -> None:
    client = await served.connect("lmtp")
    await client.reply()
    assert (await client.ask("EHLO client.test")).startswith("500")
    await client.ask("LHLO client.test")
    await client.ask("MAIL FROM:<sender@there.test>")
    assert (await client.ask("RCPT TO:<far@there.test>")).startswith("550 5.7.1")
