"""`barid captured`: mail for other domains that was kept instead of sent."""

import sys
from typing import Annotated

import typer

from ..client import segment
from .command import Session, command, group
from .output import local_time, size

app = group("Mail for other domains that was kept instead of sent.")


@command(app, "list")
def list_captured(
    session: Session,
    to: Annotated[str | None, typer.Option(help="only to this address")] = None,
    subject: Annotated[str | None, typer.Option(help="part of the subject")] = None,
) -> None:
    """List it."""
    items = list(session.client.pages("/v1/captured", {"address": to, "subject": subject}))
    if session.as_json:
        session.json(items)
        return
    rows = [
        (
            item["mail_id"],
            local_time(item["at"]),
            f"<{item['reverse_path']}>",
            item["address"],
            item["subject"],
            size(item["size"]),
        )
        for item in items
    ]
    session.table(("mail", "at", "from", "to", "subject", "size"), rows, "nothing was captured")


@command(app, "show")
def show(session: Session, mail_id: Annotated[str, typer.Argument(metavar="MAIL_ID")]) -> None:
    """Print the whole message: to a file or a pipe byte for byte, on a terminal without what could confuse it."""
    content = session.client.raw(f"/v1/captured/{segment(mail_id.upper())}/raw")
    if sys.stdout.isatty():
        session.say(content.decode("utf-8", "replace"))
        return
    sys.stdout.flush()
    sys.stdout.buffer.write(content)
    sys.stdout.flush()


@command(app, "clear")
def clear(session: Session) -> None:
    """Forget all of it."""
    answer = session.client.delete("/v1/captured")
    session.say(f"{answer['changed']} forgotten", answer)
