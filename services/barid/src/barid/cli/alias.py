"""`barid alias`: addresses that lead to others."""

from typing import Annotated

import typer

from ..client import segment
from .command import Cascade, Session, command, group

app = group("Addresses that lead to others.")

Address = Annotated[str, typer.Argument(metavar="ADDRESS")]


@command(app, "list")
def list_aliases(
    session: Session, domain: Annotated[str | None, typer.Option(help="only of this domain")] = None
) -> None:
    """List them."""
    aliases = list(session.client.pages("/v1/aliases", {"domain": domain}))
    if session.as_json:
        session.json(aliases)
    else:
        rows = [(alias["address"], ", ".join(alias["targets"])) for alias in aliases]
        session.table(("alias", "leads to"), rows, "no aliases: `barid alias set ADDRESS TARGET…` makes one")


@command(app, "show")
def show(session: Session, address: Address) -> None:
    """Show one."""
    alias = session.client.get(f"/v1/aliases/{segment(address)}")
    session.say("\n".join(alias["targets"]), alias)


@command(app, "set")
def set_alias(
    session: Session,
    address: Address,
    targets: Annotated[list[str], typer.Argument(metavar="TARGET…", help="addresses, here or elsewhere")],
) -> None:
    """Make one, or lead it elsewhere."""
    alias = session.client.put(f"/v1/aliases/{segment(address)}", {"targets": targets})
    session.say(f"{alias['address']} leads to {', '.join(alias['targets'])}", alias)


@command(app, "remove")
def remove(
    session: Session,
    address: Address,
    cascade: Cascade = False,
) -> None:
    """Delete one."""
    session.client.delete(f"/v1/aliases/{segment(address)}", cascade=cascade)
    session.say(f"{address} is deleted")
