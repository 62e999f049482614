"""Whether a service is there and well: each answers for itself; and the roll call, which every replica answers."""

from pydantic import Field

from .base import Empty, Event, Message, Operation


class ServiceStatus(Message):
    """checks: what its readiness depends on, name → `ok` or what is wrong; safe to show."""

    checks: dict[str, str]


def status_of(service: str) -> Operation[Empty, ServiceStatus]:
    """Answered by one of the service's processes."""
    return Operation(f"mail.v1.{service}.status", Empty, ServiceStatus)


DIRECTORY_STATUS = status_of("directory")
MAILSTORE_STATUS = status_of("mailstore")
MDA_STATUS = status_of("mda")
RELAY_STATUS = status_of("relay")
SMTP_INGRESS_STATUS = status_of("smtp_ingress")
MSS_STATUS = status_of("mss")
ADMIN_STATUS = status_of("admin")


class Lease(Message):
    """Something that one replica alone does for a while. what: `member` (its place among those who share the work), a
    duty's name, or `recipients` (rows in its hands; count says how many, until when the first of them is free again).
    holder: see Findings. until: ms since the epoch, by the clock of who keeps the lease. epoch: the highest that was
    given with it; none where a lease has no epoch."""

    what: str
    holder: str
    until: int
    epoch: int | None = None
    count: int = 1


class DatabaseState(Message):
    """place: a file, or host, port and database; never a password. problem: why it can't be asked, empty if it can.
    microseconds: of its answer. primary: whether it takes writes. connections: of all clients; connections_most: that
    it takes. oldest_transaction_ms: age of the longest that runs, of those that our user may see."""

    place: str
    problem: str = ""
    microseconds: int | None = None
    primary: bool | None = None
    connections: int | None = None
    connections_most: int | None = None
    oldest_transaction_ms: int | None = None


class ObjectsState(Message):
    """place: URL and bucket. problem: why it can't be asked, empty if it can. microseconds: of its answer. last_put: ms
    since the epoch when the last PUT of this replica succeeded, none if there was none yet; last_put_ms: how long it
    took. retries: PUTs that were tried again since the start."""

    place: str
    problem: str = ""
    microseconds: int | None = None
    last_put: int | None = None
    last_put_ms: int | None = None
    retries: int = 0


class Findings(Message):
    """What a replica stands on and holds. holder: its name in leases, empty if it takes none. leases: all that it knows
    of, others' too."""

    holder: str = ""
    leases: list[Lease] = Field(default_factory=list)
    database: DatabaseState | None = None
    objects: ObjectsState | None = None


class Replica(Message):
    """One service in one process. since: ms since the epoch. draining: it ends. bus_server: which of the bus's servers
    it is connected to."""

    service: str
    host: str
    pid: int
    version: str
    since: int
    draining: bool = False
    checks: dict[str, str]
    bus_server: str = ""
    findings: Findings = Findings()


ROLL_CALL = Event("mail.v1.roll_call", Empty)
"""Heard by every replica of every service, which replies with a Replica."""
