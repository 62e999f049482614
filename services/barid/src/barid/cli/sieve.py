"""`barid sieve`: an account's filter scripts."""

import sys
from pathlib import Path
from typing import Annotated

import typer

from ..client import segment
from .command import EXIT_USAGE, Session, command, fail, group

app = group("Filter scripts (Sieve, RFC 5228) of an account.")

Account = Annotated[str, typer.Argument(metavar="ACCOUNT")]
Name = Annotated[str, typer.Argument(metavar="NAME")]

SCRIPT_MOST = 1024 * 1024
"""Characters read of a script; the API takes less, and says so."""


def _path(account: str, name: str | None = None) -> str:
    path = f"/v1/accounts/{segment(account)}/sieve"
    return path if name is None else f"{path}/{segment(name)}"


@command(app, "list")
def list_scripts(session: Session, account: Account) -> None:
    """List an account's scripts."""
    scripts = session.client.get(_path(account))["items"]
    if session.as_json:
        session.json(scripts)
    else:
        rows = [(script["name"], "active" if script["active"] else "") for script in scripts]
        session.table(("script", ""), rows, f"no scripts: `barid sieve put {account} FILE` stores one")


@command(app, "show")
def show(session: Session, account: Account, name: Name) -> None:
    """Print a script."""
    script = session.client.get(_path(account, name))
    session.say(script["text"].replace("\r\n", "\n").replace("\t", "    ").rstrip("\n"), script)


@command(app, "put")
def put(
    session: Session,
    account: Account,
    file: Annotated[str, typer.Argument(metavar="FILE", help="`-` is standard input")],
    name: Annotated[str | None, typer.Option(help="default: the file's")] = None,
    activate: Annotated[bool, typer.Option(help="make it the one that is run")] = True,
) -> None:
    """Store a script; refused if it doesn't compile."""
    if file == "-":
        text, stem = sys.stdin.read(SCRIPT_MOST), "main"
    else:
        try:
            with open(file, encoding="utf-8") as script_file:
                text = script_file.read(SCRIPT_MOST)
        except (OSError, UnicodeError) as error:
            fail(f"{file}: {getattr(error, 'strerror', None) or 'not UTF-8 text'}", EXIT_USAGE)
        stem = Path(file).stem
    script = session.client.put(_path(account, name or stem), {"text": text, "activate": activate})
    state = "is run for new mail" if script["active"] else "is stored, not active"
    session.say(f"{script['name']} {state}", script)


@command(app, "activate")
def activate(session: Session, account: Account, name: Name) -> None:
    """Choose the script that is run."""
    session.client.put(f"/v1/accounts/{segment(account)}/active-script", {"name": name})
    session.say(f"{name} is run for new mail")


@command(app, "deactivate")
def deactivate(session: Session, account: Account) -> None:
    """Run none: all mail goes to the inbox."""
    session.client.delete(f"/v1/accounts/{segment(account)}/active-script")
    session.say("no script is run")


@command(app, "remove")
def remove(session: Session, account: Account, name: Name) -> None:
    """Delete a script; refused while it is active."""
    session.client.delete(_path(account, name))
    session.say(f"{name} is deleted")
