"""`barid queue`: mail for other domains that waits."""

from typing import Annotated

import typer

from .command import Session, command, group
from .output import local_time
from .selection import All, Keys, act

app = group("Mail for other domains that waits.")

LISTING = "/v1/queue"


@command(app, "list")
def list_queue(
    session: Session, domain: Annotated[str | None, typer.Option(help="only for this domain")] = None
) -> None:
    """List it."""
    items = list(session.client.pages(LISTING, {"domain": domain}))
    if session.as_json:
        session.json(items)
        return
    rows = [
        (
            f"{item['mail_id']}/{item['n']}",
            item["state"],
            item["address"],
            f"<{item['reverse_path']}>",
            item["attempts"],
            local_time(item["due"]),
            item["last_error"],
        )
        for item in items
    ]
    columns = ("mail/recipient", "state", "to", "from", "tries", "next", "last error")
    session.table(columns, rows, "nothing waits")


@command(app, "retry")
def retry(session: Session, keys: Keys = None, everything: All = False) -> None:
    """Try now."""
    act(session, LISTING, "retry", keys, everything, "will be tried now")


@command(app, "hold")
def hold(session: Session, keys: Keys = None, everything: All = False) -> None:
    """Try no more until released."""
    act(session, LISTING, "hold", keys, everything, "held")


@command(app, "release")
def release(session: Session, keys: Keys = None, everything: All = False) -> None:
    """Try again what is held."""
    act(session, LISTING, "release", keys, everything, "released")


@command(app, "bounce")
def bounce(session: Session, keys: Keys = None, everything: All = False) -> None:
    """Give up and tell the sender."""
    act(session, LISTING, "bounce", keys, everything, "given back to the sender")


@command(app, "drop")
def drop(session: Session, keys: Keys = None, everything: All = False) -> None:
    """Give up and tell nobody: it was sent already, or nobody wants it."""
    act(session, LISTING, "drop", keys, everything, "dropped")
