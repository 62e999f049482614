"""`barid trace`: what became of a mail."""

import re
from typing import Annotated

import typer

from .command import Session, alone
from .output import local_time

_MAIL_ID = re.compile(r"[0-9A-HJKMNP-TV-Z]{26}", re.IGNORECASE)


def trace(
    session: Session,
    mail: Annotated[str, typer.Argument(metavar="ID", help="our id of the mail, or its Message-ID")],
) -> None:
    """What became of a mail: one timeline of all its recipients, attempts and notices."""
    ours = _MAIL_ID.fullmatch(mail) is not None
    query = {"mail_id": mail.upper()} if ours else {"message_id": mail}
    timeline = session.client.get("/v1/trace", query)
    if session.as_json:
        session.json(timeline)
        return
    several = len(timeline["mail_ids"]) > 1
    rows = [
        (
            local_time(step["at"]),
            *((step["mail_id"],) if several else ()),
            step["what"],
            step["address"],
            step["detail"],
        )
        for step in timeline["steps"]
    ]
    session.table(("at", *(("mail",) if several else ()), "what", "address", "detail"), rows, "")
    for service in timeline["missing"]:
        typer.echo(f"barid: {service} did not answer: its steps are missing", err=True)
    for child in timeline["more"]:
        typer.echo(f"barid: also made {child}: `barid trace {child}`", err=True)


app = alone(trace)
