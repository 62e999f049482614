"""`barid status`: who answers, and what each says of itself."""

from .command import Session, alone


def status(session: Session) -> None:
    """Who answers, and what each says of itself."""
    found = session.client.get("/v1/status")
    if session.as_json:
        session.json(found)
        return
    rows = [
        (
            service["name"],
            service["state"],
            f"{service['milliseconds']} ms" if service["milliseconds"] else "",
            service["detail"] or ", ".join(service.get("checks", {})),
        )
        for service in found["services"]
    ]
    session.table(("service", "state", "answered in", "checked"), rows, "")


app = alone(status)
