"""The text of a vacation reply (RFC 5230 §5, RFC 3834 §3): a pure builder, the time and the id are arguments."""

import binascii
import re
from datetime import datetime

from barid_protocols.mime.words import encode_words
from barid_protocols.sieve.actions import Vacation
from barid_protocols.sieve.headers import HeaderView

_DAYS = ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")
_MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")
_MESSAGE_ID = re.compile(r"<[^<>\s\x00-\x1f\x7f]{1,250}>", re.ASCII)
_CONTROLS = re.compile(r"[\x00-\x1f\x7f\x85\u2028\u2029]+")
_LINE_END = re.compile(r"\r\n|\r|\n")
_MIME_FIELD = re.compile(r"(?:content-[!-9;-~]+)[ \t]*:[^\r\n]*(?:\r\n[ \t][^\r\n]*)*", re.IGNORECASE)
_DISPLAY = re.compile(r"([^<]*)(<[^<>]*>)\s*")
_MAX_REFERENCES = 20  # first and latest; threads longer than that need no more (RFC 5322 sets no limit)
_MAX_SUBJECT = 500  # characters; what a subject holds beyond is no subject


def build_reply(
    vacation: Vacation,
    headers: HeaderView,
    *,
    recipient: str,
    default_sender: str,
    date: datetime,
    message_id: str,
) -> bytes:
    """The reply as a whole message with CRLF, to be sent under the null reverse-path to `recipient`.

    `headers` are those of the message answered; `recipient` its envelope sender; `default_sender` the address used
    unless the script gave :from; `date` must be aware; `message_id` is with its angle brackets.
    """
    fields = [
        f"From: {_mailbox(vacation.sender or default_sender)}",
        f"To: {_clean(recipient)}",
        f"Subject: {encode_words(_subject(vacation, headers)).decode()}",
        f"Date: {_date(date)}",
        f"Message-ID: {_clean(message_id)}",
        *_threading(headers),
        "Auto-Submitted: auto-replied (vacation)",
        "X-Auto-Response-Suppress: All",
        "MIME-Version: 1.0",
    ]
    content, body = _mime_entity(vacation.reason) if vacation.mime else _text_entity(vacation.reason)
    return "\r\n".join([*fields, *content, "", ""]).encode("utf-8", "replace") + body


def _subject(vacation: Vacation, headers: HeaderView) -> str:
    if vacation.subject is not None:
        return _clean(vacation.subject)[:_MAX_SUBJECT]
    original = headers.header_values("subject")
    if not original:
        return "Automated reply"
    return f"Auto: {_clean(original[0])}"[:_MAX_SUBJECT]  # RFC 5230 §4.7 proposes this mark


def _threading(headers: HeaderView) -> list[str]:
    answered = _ids(headers, "message-id")[:1]
    if not answered:
        return []
    earlier = _ids(headers, "references")
    if not earlier:
        # RFC 5322 §3.6.4: In-Reply-To stands in, if it names exactly one message.
        parent = _ids(headers, "in-reply-to")
        earlier = parent if len(parent) == 1 else []
    if len(earlier) >= _MAX_REFERENCES:
        earlier = earlier[:1] + earlier[2 - _MAX_REFERENCES :]
    references = "\r\n ".join([i for i in earlier if i not in answered] + answered)
    return [f"In-Reply-To: {answered[0]}", f"References: {references}"]


def _ids(headers: HeaderView, name: str) -> list[str]:
    return [match for value in headers.header_values(name) for match in _MESSAGE_ID.findall(value)]


def _mailbox(text: str) -> str:
    match = _DISPLAY.fullmatch(_clean(text))
    if match is None:
        return _clean(text)
    name, address = match[1].strip(), match[2]
    if name and not name.isascii():
        name = encode_words(name.strip('"')).decode()
    return f"{name} {address}" if name else address


def _clean(text: str) -> str:
    return _CONTROLS.sub(" ", text).strip()


def _date(date: datetime) -> str:
    # By hand: strftime follows the process's locale.
    offset = date.strftime("%z")[:5]
    day, month = _DAYS[date.weekday()], _MONTHS[date.month - 1]
    return f"{day}, {date.day:02} {month} {date.year:04} {date:%H:%M:%S} {offset}"


def _text_entity(reason: str) -> tuple[list[str], bytes]:
    body = _LINE_END.sub("\r\n", reason)
    if not body.endswith("\r\n"):
        body += "\r\n"
    octets = body.encode("utf-8", "replace")
    if octets.isascii() and b"\0" not in octets and max(map(len, octets.split(b"\r\n"))) <= 900:
        return ["Content-Type: text/plain; charset=utf-8", "Content-Transfer-Encoding: 7bit"], octets
    encoded = binascii.b2a_base64(octets, newline=False)
    lines = [encoded[start : start + 76] for start in range(0, len(encoded), 76)]
    return (
        ["Content-Type: text/plain; charset=utf-8", "Content-Transfer-Encoding: base64"],
        b"\r\n".join(lines) + b"\r\n",
    )


def _mime_entity(reason: str) -> tuple[list[str], bytes]:
    """The entity's own Content-* fields and its body; any other field would be a way to forge the reply's headers."""
    text = _LINE_END.sub("\r\n", reason)
    head, separator, body = text.partition("\r\n\r\n")
    if not separator and not head.lower().startswith("content-"):
        return _text_entity(reason)
    content = [
        match[0] for match in _MIME_FIELD.finditer(head) if match.start() == 0 or head[match.start() - 1] == "\n"
    ]
    return content, body.encode("utf-8", "replace")
