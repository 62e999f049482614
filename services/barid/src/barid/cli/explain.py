"""`barid explain`: where an address leads, and why."""

from typing import Annotated

import typer

from ..client import segment
from .command import Session, alone


def explain(session: Session, address: Annotated[str, typer.Argument(metavar="ADDRESS")]) -> None:
    """Where an address leads, and by which rules."""
    found = session.client.get(f"/v1/explain/{segment(address)}")
    session.say("\n".join(found["steps"]), found)


app = alone(explain)
