"""`barid wait`: wait for a mail. For scripts and test suites."""

from typing import Annotated

import typer

from ..terminal import printable_line
from .command import EXIT_USAGE, Session, alone, fail

WITHIN_MOST = 300.0
"""Seconds; the API's limit."""


def wait(
    session: Session,
    to: Annotated[str, typer.Argument(metavar="ADDRESS", help="the recipient, here or (captured) elsewhere")],
    subject: Annotated[str | None, typer.Option(help="part of the subject")] = None,
    sender: Annotated[str | None, typer.Option("--from", help="part of the sender's address")] = None,
    message_id: Annotated[str | None, typer.Option(help="part of the Message-ID")] = None,
    after: Annotated[str | None, typer.Option(help="a mail id, a time, or seconds since 1970: only later mail")] = None,
    within: Annotated[float, typer.Option(help="seconds")] = 30.0,
) -> None:
    """Wait for a mail, and say where it is. Exit code 1 if it doesn't come in time."""
    if not 0 <= within <= WITHIN_MOST:
        fail(f"--within is 0 to {WITHIN_MOST:g} seconds", EXIT_USAGE)
    query = {
        "to": to,
        "subject": subject,
        "from": sender,
        "message_id": message_id,
        "after": after,
        "within": within,
    }
    arrival = session.client.get("/v1/wait", query, wait=within)
    place = f"{arrival['address']} in {arrival['mailbox']}" if arrival["where"] == "mailbox" else "captured"
    session.say(f"{arrival['mail_id']}  {place}  {printable_line(arrival['subject'])}", arrival)


app = alone(wait)
