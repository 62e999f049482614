"""`barid send` and `barid read`: a first try of a running system, with the standard library's clients."""

import imaplib
import mimetypes
import smtplib
import ssl
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from email.message import EmailMessage
from email.policy import default
from email.utils import decode_params, localtime, make_msgid, unquote
from pathlib import Path
from typing import Any

from barid_protocols.mime import summarize
from barid_protocols.mime.charsets import decode_charset
from barid_protocols.mime.content import Parameters, parse_content_type, parse_disposition
from barid_protocols.mime.decode import MAX_TEXT, text_of
from barid_protocols.mime.headers import HeaderBlock
from barid_protocols.mime.sections import PartNode, from_compact, single_part
from barid_protocols.mime.words import decode_words

from .folder import DataFolder, Json
from .terminal import printable, printable_json, printable_line

TIMEOUT = 30.0
TEXT_MOST = 2_000
"""Characters of a message's text that `read` shows."""


SHOWN_TYPES = ("text/plain", "text/html")
"""Whose text `read` shows, what is liked best first."""


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
    """By our own readers: strangers wrote it, and the standard library's takes quadratic time over some headers."""
    summary = summarize(raw)
    header = summary.header
    root = from_compact(summary.parts) if summary.parts else single_part(summary.body_start, len(raw), header.raw)
    leaves = [(node, _attached(raw, node)) for node in _leaves(root)]
    texts = [node for node, name in leaves if name is None]
    texts.sort(key=lambda node: SHOWN_TYPES.index(node.type))
    words = head.split()
    return {
        "uid": int(words[words.index(b"(UID") + 1]) if b"(UID" in words else None,
        "date": decode_words(header.get(b"date") or b""),
        "from": decode_words(header.get(b"from") or b""),
        "to": decode_words(header.get(b"to") or b""),
        "subject": decode_words(header.get(b"subject") or b""),
        "size": len(raw),
        "attachments": [name for _, name in leaves if name is not None],
        "text": text_of(raw[texts[0].body_start : texts[0].end][:MAX_TEXT], texts[0])[:TEXT_MOST] if texts else "",
    }


def _leaves(root: PartNode) -> Iterator[PartNode]:
    """An attached message is one."""
    waiting = [root]
    while waiting:
        node = waiting.pop()
        if node.is_multipart:
            waiting.extend(reversed(node.children))
        else:
            yield node


def _attached(raw: bytes, node: PartNode) -> str | None:
    """The attachment's name, maybe empty; None for a text that is none."""
    header = HeaderBlock(raw[node.header_start : node.body_start])
    disposition = parse_disposition(header.raw_value(b"content-disposition")) or (b"", ())
    if disposition[0].lower() != b"attachment" and node.type in SHOWN_TYPES:
        return None
    return _parameter(disposition[1], "filename") or _parameter(
        parse_content_type(header.raw_value(b"content-type")).parameters, "name"
    )


def _parameter(given: Parameters, name: str) -> str:
    """Decoded, in pieces or not (RFC 2231 §3, §4); empty if there is none."""
    pairs = [(key.decode("latin-1").lower(), value.decode("latin-1")) for key, value in given]
    try:
        # Its first pair is the field's own value.
        found: Any = dict(decode_params([("", ""), *pairs])).get(name, "")
    except ValueError:
        return ""
    if isinstance(found, tuple):
        charset, _, text = found
        return decode_charset(unquote(text).encode("latin-1"), (charset or "").encode("latin-1"))
    # Against the RFC, some senders write encoded words.
    return decode_words(unquote(found).encode("latin-1"))


def show(messages: Sequence[Json], as_json: bool) -> None:
    """On standard output, which may be a terminal: what strangers wrote has no power over it."""
    if as_json:
        sys.stdout.write(printable_json(messages) + "\n")
        return
    if not messages:
        sys.stdout.write("no messages\n")
    for each in messages:
        lines = [f"{name}: {printable_line(each[name.lower()])}" for name in ("From", "To", "Date", "Subject")]
        if each["attachments"]:
            lines.append(f"Attached: {', '.join(map(printable_line, each['attachments']))}")
        sys.stdout.write("\n".join([*lines, "", printable(each["text"]).rstrip(), "-" * 60, ""]))


def _quoted(mailbox: str) -> str:
    return '"' + mailbox.replace("\\", "\\\\").replace('"', '\\"') + '"'


def _words(text: Any) -> str:
    return printable(text.decode("utf-8", "replace") if isinstance(text, bytes) else str(text))
