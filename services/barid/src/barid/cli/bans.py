"""`barid bans`: networks that wait because too many log-ins from them have failed."""

from typing import Annotated

import typer

from ..client import segment
from .command import Session, command, group
from .output import local_time

app = group("Networks that wait because too many log-ins from them have failed.")

Network = Annotated[str, typer.Argument(metavar="NETWORK", help="an address or a prefix, as the list names it")]


@command(app, "list")
def list_bans(session: Session) -> None:
    """List them, the longest first."""
    items = session.client.get("/v1/bans")["items"]
    if session.as_json:
        session.json(items)
        return
    rows = [(item["network"], item["login"] or "all", item["count"], local_time(item["until"])) for item in items]
    session.table(("network", "login", "bans", "until"), rows, "nobody waits")


@command(app, "lift")
def lift(
    session: Session,
    network: Network,
    login: Annotated[str | None, typer.Option(help="only what is counted of this login from there")] = None,
) -> None:
    """Let one try again, within ten seconds; its failures are forgotten."""
    query = f"?login={segment(login)}" if login else ""
    session.client.delete(f"/v1/bans/{segment(network)}{query}")
    session.say(f"{login} may log in from {network} again" if login else f"{network} may log in again")
