"""`barid status`: who answers."""

from .command import Session, alone


def status(session: Session) -> None:
    """Who answers."""
    found = session.client.get("/v1/status")
    if session.as_json:
        session.json(found)
        return
    rows = [
        (
            service["name"],
            service["state"],
            f"{service['milliseconds']} ms" if service["milliseconds"] else "",
            service["detail"],
        )
        for service in found["services"]
    ]
    session.table(("service", "state", "answered in", ""), rows, "")


app = alone(status)
