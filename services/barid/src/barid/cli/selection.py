"""Which recipients of which mails: `MAIL_ID`, `MAIL_ID/N`, or all."""

from typing import Annotated, Any

import typer

from .command import EXIT_REFUSED, EXIT_USAGE, Session, fail

Keys = Annotated[list[str] | None, typer.Argument(metavar="[MAIL_ID[/N]]…", help="mails, or single recipients of them")]
All = Annotated[bool, typer.Option("--all", help="all that the list shows")]

AT_ONCE = 1000
"""Keys of one request; the API's limit."""


def act(session: Session, listing: str, action: str, keys: list[str] | None, everything: bool, done: str) -> None:
    """POST the action. done: the words for what happened to the number."""
    if bool(keys) == everything:
        fail("name mails, or give --all; one of them", EXIT_USAGE)
    if everything:
        answer = session.client.post(f"{listing}/{action}", {"all": True})
    else:
        chosen = _chosen(session, listing, keys or [])
        changed = 0
        for start in range(0, len(chosen), AT_ONCE):
            part = chosen[start : start + AT_ONCE]
            changed += session.client.post(f"{listing}/{action}", {"keys": part})["changed"]
        answer = {"changed": changed}
    if not everything and not answer["changed"]:
        fail(f"nothing was changed: `barid {listing.rpartition('/')[2]} list` says what waits", EXIT_REFUSED)
    session.say(f"{answer['changed']} {done}", answer)


def _chosen(session: Session, listing: str, keys: list[str]) -> list[dict[str, Any]]:
    chosen: list[dict[str, Any]] = []
    whole: set[str] = set()
    for key in keys:
        mail_id, slash, number = key.partition("/")
        if not slash:
            whole.add(mail_id.upper())
        elif number.isdecimal() and number.isascii():
            chosen.append({"mail_id": mail_id.upper(), "n": int(number)})
        else:
            fail(f"{key}: the shape is MAIL_ID or MAIL_ID/N", EXIT_USAGE)
    if whole:
        items = [item for item in session.client.pages(listing) if item["mail_id"] in whole]
        chosen += [{"mail_id": item["mail_id"], "n": item["n"]} for item in items]
        unknown = whole - {item["mail_id"] for item in items}
        if unknown:
            fail(f"{', '.join(sorted(unknown))}: not in the list", EXIT_REFUSED)
    return chosen
