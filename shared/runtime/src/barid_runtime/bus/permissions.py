"""Who may say what on the bus: one user per service, with the subjects that its job needs and no more.

Replies to requests are allowed to whoever got the request (`allow_responses`), so answering needs no line here.
"""

from dataclasses import dataclass

from barid_contracts import mail

_STREAM = mail.ACCEPTED_STREAM


# Whoever comes first makes the stream: those who say and those who hear.
_MAKE_STREAM = tuple(f"$JS.API.STREAM.{what}.{_STREAM}" for what in ("CREATE", "INFO", "UPDATE"))
_PRODUCE = "mail.v1.accepted.>"

CONSUMERS = ("mda", "relay")
"""Durable consumers of the stream, each named as the service whose replicas share it."""


def _consume(durable: str) -> tuple[str, ...]:
    return (
        f"$JS.API.CONSUMER.CREATE.{_STREAM}.{durable}.>",
        f"$JS.API.CONSUMER.INFO.{_STREAM}.{durable}",
        f"$JS.API.CONSUMER.MSG.NEXT.{_STREAM}.{durable}",
        f"$JS.ACK.{_STREAM}.{durable}.>",
    )


_ROLL_CALL = "mail.v1.roll_call"
"""Heard by every replica, asked by operators' API."""


def _status(service: str) -> str:
    """Where a service is asked how it is. Those that serve all below their name have it by that."""
    return f"mail.v1.{service}.status"


OPERATOR = "barid"
"""The user that may do everything."""


@dataclass(frozen=True, slots=True)
class Permissions:
    publish: tuple[str, ...]
    subscribe: tuple[str, ...]


_ASK_DIRECTORY = ("mail.v1.directory.authenticate", "mail.v1.directory.resolve", "mail.v1.directory.account")

PERMISSIONS: dict[str, Permissions] = {
    "directory": Permissions(
        # It asks itself, as everybody does, when it sets up the first domains and accounts.
        publish=("mail.v1.directory.>",),
        subscribe=("mail.v1.directory.>", _ROLL_CALL),
    ),
    "smtp_ingress": Permissions(
        publish=(*_ASK_DIRECTORY, "mail.v1.mailstore.over_quota", "mail.v1.rates.*", _PRODUCE, *_MAKE_STREAM),
        subscribe=(
            _status("smtp_ingress"),
            _ROLL_CALL,
            "mail.v1.directory.changed",
            "mail.v1.quota",
            "mail.v1.rates.*",
        ),
    ),
    "mda": Permissions(
        publish=(
            *_ASK_DIRECTORY,
            "mail.v1.mailstore.settle",
            "mail.v1.mailstore.attempt",
            "mail.v1.mailstore.missing",
            "mail.v1.mailstore.mailbox.status",
            "mail.v1.mailstore.sieve.active",
            *_MAKE_STREAM,
            *_consume("mda"),
        ),
        subscribe=(_status("mda"), _ROLL_CALL, "mail.v1.directory.changed"),
    ),
    "mailstore": Permissions(
        publish=(
            *_ASK_DIRECTORY,
            "mail.v1.changed.*",
            "mail.v1.quota",
            "mail.v1.relay.missing",
            "mail.v1.relay.references",
            _PRODUCE,
            *_MAKE_STREAM,
        ),
        subscribe=("mail.v1.mailstore.>", _ROLL_CALL, "mail.v1.directory.changed"),
    ),
    "relay": Permissions(
        publish=(*_ASK_DIRECTORY, "mail.v1.captured", _PRODUCE, *_MAKE_STREAM, *_consume("relay")),
        subscribe=("mail.v1.relay.>", _ROLL_CALL, "mail.v1.directory.changed"),
    ),
    "mss": Permissions(
        publish=(*_ASK_DIRECTORY, "mail.v1.mailstore.>"),
        subscribe=(_status("mss"), _ROLL_CALL, "mail.v1.changed.*", "mail.v1.directory.changed", "mail.v1.quota"),
    ),
    "admin": Permissions(
        publish=(
            "mail.v1.directory.>",
            "mail.v1.mailstore.>",
            "mail.v1.relay.>",
            *map(_status, ("mda", "smtp_ingress", "mss", "admin")),
            _ROLL_CALL,
            # Looks at what waits; takes none of it.
            f"$JS.API.STREAM.INFO.{_STREAM}",
            *(f"$JS.API.CONSUMER.INFO.{_STREAM}.{durable}" for durable in CONSUMERS),
        ),
        subscribe=(
            _status("admin"),
            _ROLL_CALL,
            "mail.v1.changed.*",
            "mail.v1.captured",
            "mail.v1.directory.changed",
            "mail.v1.quota",
        ),
    ),
    # One connection for a process that holds many services; also for people with a NATS client at hand.
    OPERATOR: Permissions(publish=(">",), subscribe=(">",)),
}


def inbox_of(user: str) -> str:
    """The part of the inbox space that only this user may listen to: replies are not for others' eyes."""
    return f"_INBOX.{user}.>"
