"""Replies (RFC 5321 §4.2) with enhanced status codes (RFC 2034, RFC 3463), and the table of those the core gives.

A reply's text is always safe to send: what is not printable ASCII becomes ``?``, so neither a line end nor a control
character that came from a peer can leave inside one.
"""

from collections.abc import Iterable

MAX_REPLY_LINE = 512
"""RFC 5321 §4.5.3.1.5, line end included. Longer text is folded into further lines."""

_ZERO = ord("0")
_ROOM = MAX_REPLY_LINE - len("250-5.7.123 \r\n")


class Reply:
    """Code, enhanced code ("" for none) and lines of text. Immutable by convention; equal by value.

    Raises ValueError for a code outside 200–599 or an enhanced code of another class: both are bugs of the host.
    """

    __slots__ = ("code", "encoded", "enhanced", "lines")

    def __init__(self, code: int, enhanced: str = "", text: str | Iterable[str] = "") -> None:
        if not 200 <= code <= 599:
            raise ValueError(f"no reply code: {code}")
        if enhanced and ord(enhanced[0]) != _ZERO + code // 100:
            raise ValueError(f"{enhanced} does not fit {code}")
        self.code = code
        self.enhanced = enhanced
        self.lines: tuple[str, ...] = (text,) if isinstance(text, str) else tuple(text) or ("",)
        # The octets as they go out; made at once, so that a standard reply costs nothing when it is sent.
        self.encoded = self._encode()

    @property
    def positive(self) -> bool:
        return self.code < 400

    @property
    def transient(self) -> bool:
        return 400 <= self.code < 500

    @property
    def permanent(self) -> bool:
        return self.code >= 500

    @property
    def text(self) -> str:
        return "\n".join(self.lines)

    def _encode(self) -> bytes:
        prefix = f"{self.enhanced} " if self.enhanced else ""
        if len(self.lines) == 1:
            line = self.lines[0]
            if line.isascii() and line.isprintable() and len(line) <= _ROOM:
                return f"{self.code} {prefix}{line}\r\n".encode("ascii")
        lines = [piece for line in self.lines for piece in _fold(_safe(line))]
        last = len(lines) - 1
        return "".join(
            f"{self.code}{' ' if number == last else '-'}{prefix}{line}\r\n" for number, line in enumerate(lines)
        ).encode("ascii")

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Reply):
            return NotImplemented
        return (self.code, self.enhanced, self.lines) == (other.code, other.enhanced, other.lines)

    def __hash__(self) -> int:
        return hash((self.code, self.enhanced, self.lines))

    def __repr__(self) -> str:
        return f"Reply({self.code}, {self.enhanced!r}, {self.text!r})"

    def __str__(self) -> str:
        return " ".join(part for part in (str(self.code), self.enhanced, " / ".join(self.lines)) if part)


def _safe(line: str) -> str:
    if line.isascii() and line.isprintable():
        return line
    return "".join(character if " " <= character <= "~" else "?" for character in line)


def _fold(line: str) -> list[str]:
    if len(line) <= _ROOM:
        return [line]
    return [line[start : start + _ROOM] for start in range(0, len(line), _ROOM)]


# Positive, and what asks for more.
CLOSING = Reply(221, "2.0.0", "Bye")
TLS_READY = Reply(220, "2.0.0", "Ready to start TLS")
AUTH_SUCCEEDED = Reply(235, "2.7.0", "Authentication succeeded")
OK = Reply(250, "2.0.0", "OK")
SENDER_OK = Reply(250, "2.1.0", "Sender OK")
RECIPIENT_OK = Reply(250, "2.1.5", "Recipient OK")
RESET_OK = Reply(250, "2.0.0", "Forgotten")
MESSAGE_ACCEPTED = Reply(250, "2.0.0", "Message accepted")
CANNOT_VERIFY = Reply(252, "2.0.0", "Will not say, but will take mail for it and try")
SEND_DATA = Reply(354, "", "End with a lone dot")

# Transient. 421 always closes.
CLOSING_DOWN = Reply(421, "4.3.2", "Service is shutting down, try again later")
TOO_SLOW = Reply(421, "4.4.2", "Timed out, closing")
TOO_MANY_ERRORS = Reply(421, "4.7.0", "Too many errors, closing")
TOO_MANY_LOGINS = Reply(421, "4.7.0", "Too many failed log-ins, closing")
TOO_MUCH_INPUT = Reply(421, "4.7.0", "Too much input before our reply, closing")
NOT_SMTP = Reply(421, "4.7.0", "This is SMTP, closing")
TRY_LATER = Reply(451, "4.3.0", "Local trouble, try again later")
STORAGE_FULL = Reply(452, "4.3.1", "Insufficient storage, try again later")
TOO_MANY_RECIPIENTS = Reply(452, "4.5.3", "Too many recipients in one transaction")
AUTH_UNAVAILABLE = Reply(454, "4.7.0", "Authentication is not available now")

# Permanent.
LINE_TOO_LONG = Reply(500, "5.5.2", "Line too long")
BAD_LINE_END = Reply(500, "5.5.2", "Lines must end in CR LF")
UNKNOWN_COMMAND = Reply(500, "5.5.2", "Command not recognized")
AUTH_LINE_TOO_LONG = Reply(500, "5.5.6", "Authentication exchange line is too long")
BAD_HELLO = Reply(501, "5.5.4", "Give a domain name or an address literal")
BAD_ARGUMENT = Reply(501, "5.5.4", "Syntax error in arguments")
NO_ARGUMENT_ALLOWED = Reply(501, "5.5.4", "This command takes no argument")
BAD_PARAMETER = Reply(501, "5.5.4", "Syntax error in parameters")
NOT_BASE64 = Reply(501, "5.5.2", "Cannot decode response")
AUTH_CANCELLED = Reply(501, "5.7.0", "Authentication cancelled")
NOT_IMPLEMENTED = Reply(502, "5.5.1", "Command not implemented here")
UNKNOWN_MECHANISM = Reply(504, "5.5.4", "Unknown authentication mechanism")
ALREADY_AUTHENTICATED = Reply(503, "5.5.1", "Already authenticated")
TLS_ALREADY = Reply(503, "5.5.1", "TLS is already active")
TLS_REQUIRED = Reply(530, "5.7.0", "Issue STARTTLS first")
AUTH_REQUIRED = Reply(530, "5.7.0", "Authentication required")
AUTH_FAILED = Reply(535, "5.7.8", "Authentication credentials invalid")
AUTH_NEEDS_TLS = Reply(538, "5.7.11", "Encryption required for authentication")
MESSAGE_TOO_BIG = Reply(552, "5.3.4", "Message is larger than this server takes")
NEEDS_SMTPUTF8 = Reply(553, "5.6.7", "Address needs SMTPUTF8")
NO_SUCH_USER = Reply(550, "5.1.1", "No such user here")
RELAY_DENIED = Reply(550, "5.7.1", "Relaying denied")
REFUSED = Reply(554, "5.7.1", "No service for you here")
BARE_LINE_END = Reply(554, "5.6.0", "Message holds a bare CR or LF, see RFC 5321 section 2.3.8")
HOLDS_NUL = Reply(554, "5.6.0", "Message holds a NUL octet")
UNKNOWN_PARAMETER = Reply(555, "5.5.4", "Parameter not recognized or not offered")
