"""What a listener is: its profile and limits. Frozen, shared by all connections of the listener."""

from dataclasses import dataclass
from enum import Enum


class Profile(Enum):
    MX = "mx"  # port 25, from other systems
    SUBMISSION = "submission"  # port 587, RFC 6409, STARTTLS
    SUBMISSIONS = "submissions"  # port 465, RFC 8314, TLS from the first octet
    LMTP = "lmtp"  # RFC 2033


class BareLineEnds(Enum):
    """What to do with CR or LF that stand alone in a message. Neither ever ends one (SMTP smuggling)."""

    REFUSE = "refuse"  # swallow to the true end, then 554 5.6.0
    NORMALISE = "normalise"  # each becomes CR LF, as RFC 6409 §8 lets a submission server mend


MAX_COMMAND_LINE = 512
"""Octets with CR LF, RFC 5321 §4.5.3.1.4; extensions that lengthen a command say so in the command's file."""

MAX_BUFFERED = 1 << 20
"""Octets kept while the host has not yet answered. A host that pauses reading while a question is open never gets near:
one more read of 64–256 KiB may follow the pause. A peer that does get here is cut off with 421."""

MOST_OWED = 1 << 16
"""Octets of replies between two Flush: forty thousand commands fit into one read, and who sends them may not read."""

MAX_SKIPPED = 1 << 16
"""Octets of one over-long line that are thrown away before the connection is closed."""

MAX_BATCH = 100
"""Pipelined recipients in one event, so that the host's one look-up for them has a bounded size."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ServerOptions:
    """Use ``mx``, ``submission``, ``submissions`` or ``lmtp``, and ``dataclasses.replace`` to depart from them.

    ``max_size`` is in octets as they are stored (dots unstuffed, line ends mended), and what SIZE announces.
    """

    profile: Profile
    hostname: str
    software: str = "Barid"
    max_size: int = 50 * 1024 * 1024
    # RFC 5321 §4.5.3.1.8 asks for 100 at least; a bigger transaction is split by the client after our 452.
    max_recipients: int = 1000
    # Protocol errors without an accepted message between them; a scanner makes this many in one packet.
    max_errors: int = 10
    max_failed_logins: int = 3
    starttls: bool = False
    requires_tls: bool = False
    requires_auth: bool = False
    mechanisms: tuple[str, ...] = ()
    allow_plaintext_auth: bool = False
    bare_line_ends: BareLineEnds = BareLineEnds.REFUSE

    def __post_init__(self) -> None:
        if not self.hostname.isascii() or not self.hostname.isprintable() or " " in self.hostname or not self.hostname:
            raise ValueError(f"no host name: {self.hostname!r}")

    @property
    def lmtp(self) -> bool:
        return self.profile is Profile.LMTP


def mx(hostname: str, *, starttls: bool) -> ServerOptions:
    return ServerOptions(profile=Profile.MX, hostname=hostname, starttls=starttls)


def submission(hostname: str, *, starttls: bool = True) -> ServerOptions:
    """MAIL needs a log-in, which needs TLS unless ``allow_plaintext_auth``."""
    return ServerOptions(
        profile=Profile.SUBMISSION,
        hostname=hostname,
        starttls=starttls,
        requires_auth=True,
        mechanisms=("PLAIN", "LOGIN"),
        bare_line_ends=BareLineEnds.NORMALISE,
    )


def submissions(hostname: str) -> ServerOptions:
    """As ``submission``; the connection is opened with ``tls=True``."""
    return ServerOptions(
        profile=Profile.SUBMISSIONS,
        hostname=hostname,
        requires_auth=True,
        mechanisms=("PLAIN", "LOGIN"),
        bare_line_ends=BareLineEnds.NORMALISE,
    )


def lmtp(hostname: str, *, starttls: bool = False) -> ServerOptions:
    return ServerOptions(profile=Profile.LMTP, hostname=hostname, starttls=starttls)
