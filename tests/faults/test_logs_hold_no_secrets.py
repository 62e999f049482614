"""Passwords, keys and what people write to each other are nobody's to read in a log. The passwords that the cluster
size has besides: test_cluster_ground_stands_still.py."""

import base64
import contextlib
import imaplib
import poplib
import secrets
import smtplib
import ssl
from email.message import EmailMessage

import pytest

from barid_testing.api import ApiError
from barid_testing.mail_system import Account, MailSystem

from .leaks import assert_tells_none
from .processes import standing_still

BODY_WORD = "Vertraulichkeitsklausel"
SECRET_LINE = f"{BODY_WORD} {secrets.token_hex(8)}"


def test_no_password_key_or_body_is_logged(system: MailSystem) -> None:
    passwords = [f"pw-{secrets.token_hex(8)}" for _ in range(4)]
    author, reader = system.account(password=passwords[0]), system.account(password=passwords[1])
    wrong = passwords[2]

    message = EmailMessage()
    message["From"], message["To"], message["Subject"] = author.address, reader.address, "nothing to see"
    message.set_content(SECRET_LINE)
    message.add_attachment(SECRET_LINE.encode(), maintype="application", subtype="octet-stream", filename="a")
    system.send(author, [reader, "friend@abroad.test"], message=message)
    system.expect(reader, "nothing to see")
    system.expect("friend@abroad.test", "nothing to see")
    big = b"Subject: big\r\n\r\n" + (SECRET_LINE.encode() + b"\r\n") * 20_000
    system.send("x@elsewhere.test", reader, message=big)
    system.expect(reader, "big")

    _use_smtp(system, reader, wrong)
    _use_imap(system, reader, wrong)
    _use_pop3(system, reader, wrong)
    system.api.send("PUT", f"/v1/accounts/{reader.address}/password", {"password": passwords[3]})
    with contextlib.suppress(ApiError):
        system.api.send("PATCH", f"/v1/accounts/{reader.address}", {"password": [passwords[3]], "quota": passwords[3]})
    with standing_still(system, "directory"), smtplib.SMTP(*system.submission, timeout=30) as client:
        client.ehlo()
        plain = base64.b64encode(f"\0{author.login}\0{author.password}".encode()).decode()
        assert client.docmd("AUTH PLAIN", plain)[0] == 454
    status = (system.folder / "ready.json").read_text()
    assert system.api_key in status  # it is meant to be there, and nowhere else

    logs = [system.log_file, *system.data.rglob("*.log")]
    text = "\n".join(path.read_text(errors="replace") for path in logs)
    assert "nothing to see" not in text or BODY_WORD not in text
    assert_tells_none(text, (*passwords, SECRET_LINE, BODY_WORD, system.api_key))


def _use_smtp(system: MailSystem, who: Account, wrong: str) -> None:
    plain = base64.b64encode(f"\0{who.login}\0{who.password}".encode()).decode()
    with smtplib.SMTP(*system.submission, timeout=10) as client:
        client.ehlo()
        with pytest.raises(smtplib.SMTPAuthenticationError):
            client.login(who.login, wrong)
        client.docmd("AUTH PLANI", plain)
        client.docmd("AUHT PLAIN", plain)
        client.docmd("AUTH PLAIN", plain + "=!!")
        client.docmd("AUTH LOGIN")
        client.docmd(base64.b64encode(who.login.encode()).decode())
        client.docmd(base64.b64encode(who.password.encode()).decode() + "===x")
        client.login(who.login, who.password)
        client.docmd("AUTH PLAIN", plain)  # once more than allowed
    context = ssl.create_default_context()
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    with smtplib.SMTP_SSL(*system.submissions, context=context, timeout=10) as client:
        client.login(who.login, who.password)


def _use_imap(system: MailSystem, who: Account, wrong: str) -> None:
    with imaplib.IMAP4(*system.imap, timeout=10) as client:
        with pytest.raises(imaplib.IMAP4.error):
            client.login(who.login, wrong)
        for line in (f'LOGIN "{who.login}" "{who.password}" extra', f"LOGNI {who.login} {who.password}"):
            with contextlib.suppress(imaplib.IMAP4.error):
                client.xatom(*line.split(" ", 1))
        client.login(who.login, who.password)
        client.select("INBOX")
        client.fetch("1:*", "(ENVELOPE BODY[])")
        client.search(None, "BODY", BODY_WORD)
        client.append("INBOX", None, None, f"Subject: x\r\n\r\n{SECRET_LINE}\r\n".encode())


def _use_pop3(system: MailSystem, who: Account, wrong: str) -> None:
    client = poplib.POP3(*system.pop3, timeout=10)
    for lines in (("USER " + who.login, "PASS " + wrong), ("PASS " + who.password,), ("PSAS " + who.password,)):
        for line in lines:
            with contextlib.suppress(poplib.error_proto):
                client._shortcmd(line)  # type: ignore[attr-defined]
    client.user(who.login)
    client.pass_(who.password)
    client.retr(1)
    client.quit()
