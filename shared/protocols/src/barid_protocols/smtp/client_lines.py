"""Commands with somebody's names in them, checked before they are sent, so that no caller can inject a command."""

import re
from collections.abc import Sequence

from barid_protocols.smtp.client_replies import Capabilities
from barid_protocols.smtp.errors import LocalError

_HELLO_NAME = re.compile(r"[A-Za-z0-9._:\[\]-]{1,255}")
# No white space, control characters or angle brackets outside a quoted local part; quoted ones may hold what
# RFC 5321 §4.1.2 lets them. The address itself is the business of whoever made it.
_UNSAFE = r'\x00-\x20\x7F-\x9F<>"\\\uD800-\uDFFF'
_PATH = re.compile(rf'(?:"(?:[^\x00-\x1f"\\\x7f-\x9f\uD800-\uDFFF]|\\[ -~])*+"@)?+[^{_UNSAFE}]++')


def hello_line(verb: str, name: str) -> str:
    """Raises LocalError for a name that is none."""
    if not _HELLO_NAME.fullmatch(name):
        raise LocalError("no name for EHLO")
    return f"{verb} {name}"


def envelope_lines(
    capabilities: Capabilities,
    reverse_path: str,
    recipients: Sequence[str],
    *,
    size: int | None,
    eight_bit: bool,
    smtputf8: bool,
) -> tuple[bytes, list[bytes]]:
    """MAIL, and RCPT for each, with the parameters that the server knows. Raises LocalError for an address that could
    not be sent safely, for none at all, and for a need of SMTPUTF8 that is not offered."""
    if not recipients:
        raise LocalError("no recipients")
    for path in (reverse_path, *recipients):
        if not _PATH.fullmatch(path) and (path or path is not reverse_path):
            raise LocalError("address cannot be sent")
        smtputf8 = smtputf8 or not path.isascii()
    if smtputf8 and "SMTPUTF8" not in capabilities:
        raise LocalError("server does not offer SMTPUTF8")
    parameters = ""
    if size is not None and capabilities.size:
        parameters += f" SIZE={size}"
    if eight_bit and "8BITMIME" in capabilities:
        parameters += " BODY=8BITMIME"
    if smtputf8:
        parameters += " SMTPUTF8"
    return (
        f"MAIL FROM:<{reverse_path}>{parameters}\r\n".encode(),
        [f"RCPT TO:<{path}>\r\n".encode() for path in recipients],
    )
