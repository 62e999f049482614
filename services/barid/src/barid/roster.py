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
    services. purpose: for the command's help."""

    purpose: str
    leaves: int
    weight: int
    listeners: dict[str, Listener] = field(default_factory=dict)


SERVICES: dict[str, Entry] = {
    "directory": Entry("domains, accounts, aliases: who there is, who may log in", leaves=3, weight=5),
    "mailstore": Entry("mailboxes, flags, ledger: the index of all mail", leaves=2, weight=100),
    "mda": Entry("delivery: Sieve, filing", leaves=1, weight=80),
    "relay": Entry("mail for other domains: queue, retries, bounces", leaves=1, weight=40),
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
    ),
    "admin": Entry("the REST API", leaves=0, weight=1, listeners={"admin": Listener("admin_port", 80)}),
}

BUS = "nats-server"
"""The bus among the names of processes."""


def module_of(service: str) -> str:
    """Where `build` and `main` are."""
    return f"barid_{service}.__main__"


def settings_module_of(service: str) -> str:
    """Where `Settings` is."""
    return f"barid_{service}.settings"
