"""`barid domain`: the domains that are ours."""

from typing import Annotated

import typer

from ..client import segment
from .command import Session, command, group

app = group("The domains that are ours.")

Name = Annotated[str, typer.Argument(metavar="DOMAIN")]


@command(app, "list")
def list_domains(session: Session) -> None:
    """List them."""
    domains = list(session.client.pages("/v1/domains"))
    if session.as_json:
        session.json(domains)
    else:
        rows = [(domain["name"], domain["catch_all"]) for domain in domains]
        session.table(("domain", "catch-all"), rows, "no domains: `barid domain add DOMAIN` makes one")


@command(app, "add")
def add(
    session: Session,
    name: Name,
    catch_all: Annotated[str | None, typer.Option(help="address that gets what nobody else here gets")] = None,
) -> None:
    """Make a domain ours, or change its catch-all (left out: none)."""
    domain = session.client.put(f"/v1/domains/{segment(name)}", {"catch_all": catch_all})
    extra = f"; {domain['catch_all']} gets what nobody else gets" if domain["catch_all"] else ""
    session.say(f"{domain['name']} is ours{extra}", domain)


@command(app, "remove")
def remove(session: Session, name: Name) -> None:
    """Give it up; refused while it has accounts or aliases."""
    session.client.delete(f"/v1/domains/{segment(name)}")
    session.say(f"{name} is no longer ours")
