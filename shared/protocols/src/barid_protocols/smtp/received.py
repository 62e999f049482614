"""The Received field (RFC 5321 §4.4) and its "with" keyword (RFC 3848, RFC 6531 §4.3)."""

from datetime import UTC, datetime
from functools import lru_cache

from barid_protocols.smtp.address import Address

# Not strftime: %a and %b would follow the process's locale.
_DAYS = ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")
_MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")


@lru_cache(maxsize=8)
def format_date(second: int) -> str:
    """RFC 5322 §3.3 date-time in UTC of a POSIX time. Kept by the second: formatting costs 3 µs."""
    moment = datetime.fromtimestamp(second, UTC)
    return (
        f"{_DAYS[moment.weekday()]}, {moment.day} {_MONTHS[moment.month - 1]} {moment.year:04}"
        f" {moment.hour:02}:{moment.minute:02}:{moment.second:02} +0000"
    )


@lru_cache(maxsize=32)
def transmission_type(*, lmtp: bool, extended: bool, tls: bool, authenticated: bool, smtputf8: bool) -> str:
    """ESMTP, ESMTPS, ESMTPSA, LMTPS, UTF8SMTPSA and so on. HELO is plain SMTP, for which no suffix is registered."""
    if not extended and not lmtp:
        return "SMTP"
    if smtputf8:
        name = "UTF8LMTP" if lmtp else "UTF8SMTP"
    else:
        name = "LMTP" if lmtp else "ESMTP"
    return name + ("S" if tls else "") + ("A" if authenticated else "")


@lru_cache(maxsize=1024)
def _peer(ip: str, rdns: str) -> str:
    literal = f"[IPv6:{ip}]" if ":" in ip else f"[{ip}]"
    return f"({rdns} {literal})" if rdns else f"({literal})"


def received(
    *,
    helo: str,
    peer_ip: str,
    by: str,
    protocol: str,
    mail_id: str,
    timestamp: float,
    recipient: Address | None = None,
    rdns: str = "",
    software: str = "Barid",
) -> bytes:
    """The field, folded, with its last CR LF.

    ``helo`` as the core gave it (safe by its grammar); ``peer_ip`` without brackets; ``recipient`` only if the
    transaction has a single one, lest blind copies show (RFC 5321 §7.2). ``protocol`` from ``transmission_type``.
    """
    whom = f"\r\n\tfor <{recipient}>" if recipient is not None else ""
    return (
        f"Received: from {helo} {_peer(peer_ip, rdns)}\r\n\tby {by} ({software}) with {protocol} id {mail_id}"
        f"{whom};\r\n\t{format_date(int(timestamp))}\r\n"
    ).encode()
