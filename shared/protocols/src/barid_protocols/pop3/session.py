"""What one session knows; commands act on it and nothing else."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from barid_protocols.pop3.errors import Refused
from barid_protocols.pop3.events import Event, Maildrop
from barid_protocols.pop3.states import State
from barid_protocols.sasl import ServerMechanism


@dataclass(frozen=True, slots=True)
class ServerProfile:
    """What one listener offers; the same for all of its connections."""

    tls_active: bool = False
    tls_available: bool = True
    plaintext_allowed: bool = False
    """USER, PASS and AUTH without TLS, for loopback only."""
    mechanisms: tuple[str, ...] = ("PLAIN",)
    implementation: str = "Barid"
    greeting: str = "Barid is ready"


@dataclass(slots=True)
class Session:
    profile: ServerProfile
    tls: bool
    state: State = State.AUTHORIZATION
    name: str = ""
    exchange: ServerMechanism | None = None
    sizes: Sequence[int] = ()
    unique_ids: Sequence[str] = ()
    deleted: set[int] = field(default_factory=set)

    @property
    def may_log_in(self) -> bool:
        return self.tls or self.profile.plaintext_allowed

    def open(self, maildrop: Maildrop) -> None:
        self.state = State.TRANSACTION
        self.sizes = maildrop.sizes
        self.unique_ids = maildrop.unique_ids

    def number(self, argument: bytes) -> int:
        """A message that is there. Raises ``Refused``."""
        number = parse_number(argument)
        if not 1 <= number <= len(self.sizes):
            raise Refused("no such message")
        if number in self.deleted:
            raise Refused("message is deleted")
        return number

    def present(self) -> list[int]:
        """The numbers of the messages that are not deleted."""
        if not self.deleted:
            return list(range(1, len(self.sizes) + 1))
        return [number for number in range(1, len(self.sizes) + 1) if number not in self.deleted]


MAX_DIGITS = 10
"""Of a number: more than there are messages, less than would cost time to convert."""


def parse_number(argument: bytes) -> int:
    if not argument.isdigit() or len(argument) > MAX_DIGITS:
        raise Refused("a number is wanted")
    return int(argument)


def no_argument(argument: bytes) -> None:
    if argument:
        raise Refused("no argument is wanted")


@dataclass(frozen=True, slots=True)
class Command:
    """``run`` parses the argument, checks, acts, and gives the reply or the question to the host."""

    verb: bytes
    run: Callable[[Session, bytes], bytes | Event]
