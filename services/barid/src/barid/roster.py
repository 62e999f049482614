"""The services of this system: where each is found, what it listens on, how it takes its leave.

Read this table first; `plan.py` makes settings and processes of it.
"""

from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class Listener:
    """setting: the field of the service's settings that takes the port. standard: the port that clients expect."""

    setting: str
    standard: int


@dataclass(frozen=True, slots=True)
class Entry:
    """leaves: services end in rising order, so that those who still have work are answered. weight: µs of CPU that a
    message costs there (docs/performance.md), by which services are dealt out to fewer processes than there are
    services. purpose: for the command's help. tables: it has some; in a file they are for one process
    alone. journal: it writes packs or reads bodies. replicas: processes in the cluster size, unless told otherwise."""

    purpose: str
    leaves: int
    weight: int
    listeners: dict[str, Listener] = field(default_factory=dict)
    tables: bool = False
    journal: bool = False
    replicas: int = 2


SERVICES: dict[str, Entry] = {
    "directory": Entry("domains, accounts, aliases: who there is, who may log in", leaves=3, weight=5, tables=True),
    "mailstore": Entry(
        "mailboxes, flags, ledger: the index of all mail", leaves=2, weight=100, tables=True, journal=True
    ),
    "mda": Entry("delivery: Sieve, filing", leaves=1, weight=80),
    "relay": Entry("mail for other domains: queue, retries, bounces", leaves=1, weight=40, tables=True, journal=True),
    "smtp_ingress": Entry(
        "SMTP, submission and LMTP",
        leaves=0,
        weight=200,
        listeners={
            "smtp": Listener("smtp_port", 25),
            "submission": Listener("submission_port", 587),
            "submissions": Listener("submissions_port", 465),
            "lmtp": Listener("lmtp_port", 24),
        },
        journal=True,
    ),
    "mss": Entry(
        "IMAP and POP3",
        leaves=0,
        weight=15,
        listeners={
            "imap": Listener("imap_port", 143),
            "imaps": Listener("imaps_port", 993),
            "pop3": Listener("pop3_port", 110),
            "pop3s": Listener("pop3s_port", 995),
        },
        journal=True,
    ),
    "admin": Entry(
        "the REST API", leaves=0, weight=1, listeners={"admin": Listener("admin_port", 80)}, journal=True, replicas=1
    ),
}

BUS = "nats-server"
"""The bus among the names of processes."""


def member_name(service: str, replica: int) -> str:
    """What one of a service's processes is called among all processes: the first as the service, then `mda-2`."""
    return service if replica == 1 else f"{service}-{replica}"


def module_of(service: str) -> str:
    """Where `build` and `main` are."""
    return f"barid_{service}.__main__"


def settings_module_of(service: str) -> str:
    """Where `Settings` is."""
    return f"barid_{service}.settings"
