"""A report as a message: multipart/report (RFC 6522) of a text, the status fields (RFC 3464) and the original.

Everything that comes from outside (addresses, replies of other hosts) is written as one line of printable ASCII, so
nothing can be injected. Addresses with other characters take the ``utf-8`` type in its 7-bit form (RFC 6533 §3).
The reverse path of a notification is null; that is for the host, which sends it.
"""

import re
from collections.abc import Iterable

from barid_protocols.dsn.report import Action, Recipient, Report

MAX_VALUE = 900
"""Characters of one field value: a line has 998 octets at most (RFC 5322 §2.1.1)."""

_BOUNDARY = re.compile(r"[A-Za-z0-9'()+_,./:=?-]{1,70}")  # RFC 2046 §5.1.1, without the space

_SUBJECTS = {
    Action.FAILED: "Undelivered mail returned to sender",
    Action.DELAYED: "Your mail is delayed",
    Action.DELIVERED: "Your mail was delivered",
    Action.RELAYED: "Your mail was passed on",
    Action.EXPANDED: "Your mail was delivered",
}

_OPENINGS = {
    Action.FAILED: "Your message could not be delivered to the recipients below. No further attempt will be made.",
    Action.DELAYED: "Your message has not been delivered to the recipients below yet. It is being tried again; "
    "you need not send it again.",
    Action.DELIVERED: "Your message was delivered to the recipients below, as you asked to be told.",
    Action.RELAYED: "Your message was passed on for the recipients below to a system that sends no such notices. "
    "You may hear no more of it.",
    Action.EXPANDED: "Your message was delivered to the list or alias below, and passed on to its members.",
}

_GRAVITY = (Action.FAILED, Action.DELAYED, Action.RELAYED, Action.EXPANDED, Action.DELIVERED)


def build_dsn(
    report: Report,
    *,
    sender: str,
    recipient: str,
    date: str,
    message_id: str,
    boundary: str,
    original_header: bytes,
    original: bytes | None = None,
) -> bytes:
    """The notification, CRLF throughout.

    ``sender`` is the address for From (``MAILER-DAEMON@…``), ``recipient`` the original's reverse path. With
    ``original`` the whole message is returned (RET=FULL), else ``original_header`` alone. Raises ValueError if
    ``report`` has no recipients, or if ``boundary`` is no boundary or stands in what is returned.
    """
    if not report.recipients:
        raise ValueError("a report needs a recipient")
    returned = original_header if original is None else original
    if not _BOUNDARY.fullmatch(boundary) or b"--" + boundary.encode() in returned:
        raise ValueError("unfit boundary")
    worst = next(action for action in _GRAVITY if any(item.action is action for item in report.recipients))
    delimiter = b"--" + boundary.encode()
    head = [
        f"From: Mail Delivery System <{_header_address(sender)}>",
        f"To: <{_header_address(recipient)}>",
        f"Subject: {_SUBJECTS[worst]}",
        f"Date: {_clean(date)}",
        f"Message-ID: {_clean(message_id)}",
        "Auto-Submitted: auto-replied",
        "MIME-Version: 1.0",
        f'Content-Type: multipart/report; report-type=delivery-status;\r\n boundary="{boundary}"',
        f"Content-Transfer-Encoding: {_encoding(returned)}",
    ]
    parts = (
        "\r\n".join(head).encode(),
        b"",
        delimiter,
        b"Content-Type: text/plain; charset=us-ascii",
        b"Content-Description: Notification",
        b"",
        _explanation(report, worst, whole=original is not None).encode(),
        delimiter,
        b"Content-Type: message/delivery-status",
        b"Content-Description: Delivery report",
        b"",
        _status_fields(report).encode(),
        delimiter,
        *_returned(original_header, original),
        delimiter + b"--",
        b"",
    )
    return b"\r\n".join(parts)


def _returned(header: bytes, original: bytes | None) -> Iterable[bytes]:
    content = original if original is not None else header.rstrip(b"\r\n") + b"\r\n"
    ascii_header = header.isascii()
    if original is not None:
        kind = b"message/rfc822" if ascii_header else b"message/global"
    else:
        kind = b"text/rfc822-headers" if ascii_header else b"message/global-headers"
    yield b"Content-Type: " + kind
    yield b"Content-Description: Undelivered message"
    yield b"Content-Transfer-Encoding: " + _encoding(content).encode()
    yield b""
    yield content


def _encoding(content: bytes) -> str:
    return "7bit" if content.isascii() else "8bit"


def _explanation(report: Report, worst: Action, *, whole: bool) -> str:
    lines = [f"This is the mail system at {_clean(report.reporting_mta)}.", "", *_wrapped(_OPENINGS[worst]), ""]
    for item in report.recipients:
        lines.append(f"  <{_clean(item.address)}>")
        if item.action is not worst:
            lines.append(f"    {item.action.value}")
        if item.diagnostic:
            host = f"{_clean(item.remote_mta)} said: " if item.remote_mta else ""
            lines += [f"    {line}" for line in _wrapped(host + _clean(item.diagnostic))]
        elif item.reason:
            lines += [f"    {line}" for line in _wrapped(_clean(item.reason))]
        if item.will_retry_until:
            lines.append(f"    It will be tried until {_clean(item.will_retry_until)}.")
        lines.append("")
    lines.append("Your message is attached." if whole else "The header of your message is attached.")
    lines.append("")
    return "\r\n".join(lines)


def _status_fields(report: Report) -> str:
    lines = [
        *_field("Original-Envelope-Id", report.envelope_id),
        *_field("Reporting-MTA", f"dns; {report.reporting_mta}"),
        *_field("Received-From-MTA", report.received_from and f"dns; {report.received_from}"),
        *_field("Arrival-Date", report.arrival_date),
    ]
    for item in report.recipients:
        lines += ["", *_recipient_fields(item)]
    return "\r\n".join([*lines, ""])


def _recipient_fields(item: Recipient) -> list[str]:
    original = None
    if item.original:
        kind, _, address = item.original.rpartition(";")
        original = _typed_address(address.strip(), kind.strip() or "rfc822")
    return [
        *_field("Original-Recipient", original),
        *_field("Final-Recipient", _typed_address(item.address, "rfc822")),
        *_field("Action", item.action.value),
        *_field("Status", item.status),
        *_field("Remote-MTA", item.remote_mta and f"dns; {item.remote_mta}"),
        *_field("Diagnostic-Code", item.diagnostic and f"smtp; {item.diagnostic}"),
        *_field("Last-Attempt-Date", item.last_attempt),
        *_field("Will-Retry-Until", item.will_retry_until),
    ]


def _field(name: str, value: str | None) -> list[str]:
    """Folded at white space; no field if there is no value."""
    if not value:
        return []
    words = _wrapped(f"{name}: {_clean(value)}")
    return [words[0], *(f" {line}" for line in words[1:])]


def _typed_address(address: str, kind: str) -> str:
    if address.isascii():
        return f"{kind}; {address}"
    # utf-8-addr-xtext (RFC 6533 §3): \x{HEX} for what 7 bits cannot say, and for its own escape and separators.
    encoded = "".join(
        char if "!" <= char <= "~" and char not in "\\+=" else f"\\x{{{ord(char):X}}}" for char in address
    )
    return f"utf-8; {encoded}"


def _clean(text: str) -> str:
    """One line of printable ASCII, bounded."""
    return "".join(char if " " <= char <= "~" else "?" if char not in "\r\n\t" else " " for char in text[:MAX_VALUE])


def _header_address(address: str) -> str:
    """An address within angle brackets. Others than ASCII stay as they are: such mail goes out by SMTPUTF8 only."""
    return "".join(char for char in address[:MAX_VALUE] if char.isprintable() and char not in "<>\r\n")


def _wrapped(text: str, width: int = 76) -> list[str]:
    """At spaces; words longer than a line stand alone."""
    lines: list[str] = []
    current = ""
    for word in text.split(" "):
        if current and len(current) + 1 + len(word) > width:
            lines.append(current)
            current = word
        else:
            current = f"{current} {word}" if current else word
    if current.strip():
        lines.append(current)
    return [line for line in lines if line.strip()] or [""]
