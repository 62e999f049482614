"""`barid held`: mail that broke its handler and waits for a decision."""

from .command import Session, command, group
from .output import local_time
from .selection import All, Keys, act

app = group("Mail that broke its handler and waits for a decision.")

LISTING = "/v1/held"


@command(app, "list")
def list_held(session: Session) -> None:
    """List it."""
    items = list(session.client.pages(LISTING))
    if session.as_json:
        session.json(items)
        return
    rows = [
        (
            f"{item['mail_id']}/{item['n']}",
            item["address"] or item["account"],
            local_time(item["at"]),
            item["attempts"],
            item["reason"],
        )
        for item in items
    ]
    session.table(("mail/recipient", "account", "since", "tries", "reason"), rows, "nothing is held")


@command(app, "release")
def release(session: Session, keys: Keys = None, everything: All = False) -> None:
    """Give it to delivery again."""
    act(session, LISTING, "release", keys, everything, "given to delivery again")


@command(app, "discard")
def discard(session: Session, keys: Keys = None, everything: All = False) -> None:
    """End it."""
    act(session, LISTING, "discard", keys, everything, "discarded")
