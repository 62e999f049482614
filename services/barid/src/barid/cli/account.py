"""`barid account`: those who log in."""

import sys
from typing import Annotated

import typer

from ..client import ApiError, segment
from .command import EXIT_REFUSED, EXIT_USAGE, Cascade, Session, command, fail, group
from .output import parse_size, size

app = group("Those who log in.")

Address = Annotated[str, typer.Argument(metavar="ADDRESS")]
Quota = Annotated[str, typer.Option(help="bytes, or 500M, 2G; 0 is without limit")]
PasswordStdin = Annotated[bool, typer.Option("--password-stdin", help="read the password from standard input")]


def _bytes(text: str) -> int:
    try:
        return parse_size(text)
    except ValueError as error:
        fail(str(error), EXIT_USAGE)


def _path(address: str) -> str:
    return f"/v1/accounts/{segment(address)}"


def _quota(count: int) -> str:
    return size(count) if count else "no limit"


@command(app, "list")
def list_accounts(
    session: Session, domain: Annotated[str | None, typer.Option(help="only of this domain")] = None
) -> None:
    """List them."""
    accounts = list(session.client.pages("/v1/accounts", {"domain": domain}))
    if session.as_json:
        session.json(accounts)
        return
    rows = [
        (account["address"], account["enabled"], _quota(account["quota"]), ", ".join(account["addresses"][1:]))
        for account in accounts
    ]
    session.table(("account", "enabled", "quota", "also"), rows, "no accounts: `barid account add ADDRESS` makes one")


@command(app, "add")
def add(
    session: Session,
    address: Address,
    password: Annotated[str | None, typer.Option(help="left out: one is made and shown")] = None,
    password_stdin: PasswordStdin = False,
    quota: Quota = "0",
) -> None:
    """Create an account; its domain must be ours."""
    if password_stdin:
        password = sys.stdin.readline().rstrip("\r\n")
    account = session.client.post("/v1/accounts", {"address": address, "password": password, "quota": _bytes(quota)})
    made = f"; password: {account['password']}" if account["password"] else ""
    session.say(f"{account['address']} can log in{made}", account)


@command(app, "show")
def show(session: Session, address: Address) -> None:
    """Show one, with what it holds."""
    account = session.client.get(_path(address))
    usage = session.client.get(f"{_path(address)}/usage")
    if session.as_json:
        session.json(account | {"usage": usage})
        return
    session.say(
        f"{account['address']}  ({'enabled' if account['enabled'] else 'disabled'}, id {account['id']})\n"
        f"addresses: {', '.join(account['addresses'])}\n"
        f"holds {usage['messages']} messages, {size(usage['used'])}; quota: {_quota(account['quota'])}\n"
    )
    rows = [(box["name"], box["messages"], box["unseen"], size(box["size"])) for box in usage["mailboxes"]]
    session.table(("mailbox", "messages", "unseen", "size"), rows, "")


@command(app, "password")
def password(
    session: Session,
    address: Address,
    new: Annotated[str | None, typer.Option("--password", help="left out: asked for")] = None,
    password_stdin: PasswordStdin = False,
) -> None:
    """Set the password."""
    if password_stdin:
        new = sys.stdin.readline().rstrip("\r\n")
    elif new is None:
        if not sys.stdin.isatty():
            fail("give --password, or pipe it in with --password-stdin", EXIT_USAGE)
        new = typer.prompt("New password", hide_input=True, confirmation_prompt=True)
    session.client.put(f"{_path(address)}/password", {"password": new})
    session.say(f"{address} has a new password")


@command(app, "passwd", key_needed=False)
def passwd(
    session: Session,
    address: Address,
    password_stdin: Annotated[
        bool, typer.Option("--password-stdin", help="read the present and the new one from standard input, a line each")
    ] = False,
) -> None:
    """Change your own password: asks for the present one, needs no API key."""
    if password_stdin:
        present, new = (sys.stdin.readline().rstrip("\r\n") for _ in range(2))
    elif sys.stdin.isatty():
        present = typer.prompt("Present password", hide_input=True)
        new = typer.prompt("New password", hide_input=True, confirmation_prompt=True)
    else:
        fail("pipe both in with --password-stdin", EXIT_USAGE)
    try:
        session.client.post("/v1/password", {"login": address, "password": present, "new_password": new})
    except ApiError as error:
        if error.name != "forbidden" or session.as_json:
            raise
        fail(str(error), EXIT_REFUSED)  # a key, which the usual hint names, would not help
    session.say(f"{address} has a new password")


@command(app, "quota")
def quota(
    session: Session, address: Address, limit: Annotated[str, typer.Argument(metavar="SIZE", help="500M, 2G; 0: none")]
) -> None:
    """Set the quota."""
    account = session.client.patch(_path(address), {"quota": _bytes(limit)})
    session.say(f"{account['address']}: {_quota(account['quota'])}", account)


@command(app, "enable")
def enable(session: Session, address: Address) -> None:
    """Let it log in again."""
    account = session.client.patch(_path(address), {"enabled": True})
    session.say(f"{account['address']} can log in", account)


@command(app, "disable")
def disable(session: Session, address: Address) -> None:
    """Refuse its log-ins; its mail is kept, and new mail comes in."""
    account = session.client.patch(_path(address), {"enabled": False})
    session.say(f"{account['address']} can no longer log in", account)


@command(app, "remove")
def remove(
    session: Session,
    address: Address,
    yes: Annotated[bool, typer.Option("--yes", "-y", help="don't ask")] = False,
    cascade: Cascade = False,
) -> None:
    """Delete it for ever."""
    if not yes:
        if not sys.stdin.isatty():
            fail("it can't be undone: add --yes", EXIT_USAGE)
        typer.confirm(f"Delete {address} for ever?", abort=True)
    session.client.delete(_path(address), cascade=cascade)
    session.say(f"{address} is deleted")
