"""`barid send` and `barid read`: a first try of a running system, with the standard library's clients."""

import imaplib
import json
import mimetypes
import smtplib
import ssl
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from email import message_from_bytes
from email.message import EmailMessage
from email.policy import default
from email.utils import localtime, make_msgid
from pathlib import Path
from typing import Any

from .folder import DataFolder, Json

TIMEOUT = 30.0
TEXT_MOST = 2_000
"""Characters of a message's text that `read` shows."""


class LetterError(Exception):
    """Can't be sent or read; the text says what to do."""


@dataclass(frozen=True, slots=True)
class Running:
    """A running system, as its data folder tells."""

    content: Json

    @classmethod
    def find(cls, data: Path) -> "Running":
        content = DataFolder(data).running()
        if content is None:
            raise LetterError(f"nothing runs on {data}: start it with `barid up --data {data}`, or name its folder")
        return cls(content)

    def endpoint(self, name: str) -> tuple[str, int]:
        host, colon, port = str(self.content.get(name, "")).rpartition(":")
        if not colon:
            raise LetterError(f"the running system has no {name}")
        return host, int(port)

    def accounts(self) -> dict[str, str]:
        return {each["login"]: each["password"] for each in self.content.get("accounts", [])}

    def password_of(self, login: str, given: str | None) -> str:
        password = given or self.accounts().get(login)
        if password is None:
            raise LetterError(f"the password of {login} isn't known here: give it with --password")
        return password

    def first_account(self) -> str:
        if not self.accounts():
            raise LetterError("no account's password is known here: name one and give its --password")
        return next(iter(self.accounts()))


def _context() -> ssl.SSLContext:
    """Our own self-signed certificate, on this machine."""
    context = ssl.create_default_context()
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    return context


def compose(sender: str, to: Sequence[str], subject: str, body: str, attach: Sequence[Path] = ()) -> EmailMessage:
    """Raises LetterError for a file that can't be read."""
    message = EmailMessage(policy=default)
    message["From"], message["To"], message["Subject"] = sender, ", ".join(to), subject
    message["Date"] = localtime()
    message["Message-ID"] = make_msgid(domain=sender.rpartition("@")[2] or None)
    message.set_content(body)
    for path in attach:
        try:
            content = path.read_bytes()
        except OSError as error:
            raise LetterError(f"--attach {path}: {error.strerror}") from error
        main, _, sub = (mimetypes.guess_type(path.name)[0] or "application/octet-stream").partition("/")
        message.add_attachment(content, maintype=main, subtype=sub, filename=path.name)
    return message


def send(running: Running, sender: str, to: Sequence[str], message: EmailMessage, password: str | None) -> str:
    """By submission, as `sender`. Returns the server's word on it. Raises LetterError."""
    host, port = running.endpoint("submission")
    try:
        with smtplib.SMTP(host, port, timeout=TIMEOUT) as client:
            client.starttls(context=_context())
            client.login(sender, running.password_of(sender, password))
            client.mail(sender)
            for address in to:
                code, text = client.rcpt(address)
                if code >= 400:
                    raise LetterError(f"{address} is refused: {code} {_words(text)}")
            code, text = client.data(message.as_bytes(policy=message.policy.clone(linesep="\r\n")))
    except smtplib.SMTPResponseException as error:
        raise LetterError(f"refused: {error.smtp_code} {_words(error.smtp_error)}") from error
    except (OSError, smtplib.SMTPException) as error:
        raise LetterError(f"{host}:{port}: {error}") from error
    if code >= 400:
        raise LetterError(f"refused: {code} {_words(text)}")
    return _words(text)


def read(running: Running, login: str, mailbox: str, newest: int, password: str | None) -> list[Json]:
    """The newest messages, oldest of them first, without marking them as read. Raises LetterError."""
    host, port = running.endpoint("imaps")
    try:
        with imaplib.IMAP4_SSL(host, port, ssl_context=_context(), timeout=TIMEOUT) as client:
            client.login(login, running.password_of(login, password))
            status, answer = client.select(_quoted(mailbox), readonly=True)
            if status != "OK":
                raise LetterError(f"{mailbox}: {_words(answer[0])}")
            count = int(answer[0] or 0)
            if not count:
                return []
            _, parts = client.fetch(f"{max(1, count - newest + 1)}:*", "(UID FLAGS BODY.PEEK[])")
    except (imaplib.IMAP4.error, OSError) as error:
        raise LetterError(f"{host}:{port}: {error}") from error
    return [_shown(part[0], part[1]) for part in parts if isinstance(part, tuple)]


def _shown(head: bytes, raw: bytes) -> Json:
    message = message_from_bytes(raw, policy=default)
    body = message.get_body(("plain", "html"))
    try:
        text = str(body.get_content()) if body is not None else ""
    except (LookupError, ValueError):
        text = "(text that can't be decoded)"
    words = head.split()
    return {
        "uid": int(words[words.index(b"(UID") + 1]) if b"(UID" in words else None,
        "date": str(message["Date"] or ""),
        "from": str(message["From"] or ""),
        "to": str(message["To"] or ""),
        "subject": str(message["Subject"] or ""),
        "size": len(raw),
        "attachments": [part.get_filename() or "" for part in message.iter_attachments()],
        "text": text[:TEXT_MOST],
    }


def show(messages: Sequence[Json], as_json: bool) -> None:
    """On standard output."""
    if as_json:
        sys.stdout.write(json.dumps(messages, indent=2, ensure_ascii=False) + "\n")
        return
    if not messages:
        sys.stdout.write("no messages\n")
    for each in messages:
        sys.stdout.write(f"From: {each['from']}\nTo: {each['to']}\nDate: {each['date']}\nSubject: {each['subject']}\n")
        if each["attachments"]:
            sys.stdout.write(f"Attached: {', '.join(each['attachments'])}\n")
        sys.stdout.write(f"\n{each['text'].rstrip()}\n{'-' * 60}\n")


def _quoted(mailbox: str) -> str:
    return '"' + mailbox.replace("\\", "\\\\").replace('"', '\\"') + '"'


def _words(text: Any) -> str:
    return text.decode("utf-8", "replace") if isinstance(text, bytes) else str(text)
