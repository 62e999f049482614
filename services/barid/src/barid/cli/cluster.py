"""`barid cluster`: every replica of every service, and what they stand on and hold."""

from typing import Any

from .command import Session, command, group
from .output import local_time, size

app = group("Every replica of every service, and what they stand on and hold.")

EXIT_DEGRADED = 1


@command(app, "status")
def status(session: Session) -> None:
    """Show replicas, leases, the bus, databases and object stores. Takes two seconds at most, whatever is dead; the
    exit code is 1 if something is."""
    found = session.client.get("/v1/cluster")
    if session.as_json:
        session.json(found)
    else:
        _show(session, found)
    if found["state"] != "up":
        import typer

        raise typer.Exit(EXIT_DEGRADED)


def _show(session: Session, found: dict[str, Any]) -> None:
    rows = [
        (
            each["service"],
            each["name"],
            each["version"],
            local_time(each["since"]).partition(".")[0],
            each["state"],
            each["bus_server"],
            each["detail"],
        )
        for each in found["replicas"]
    ]
    rows += [(service, "", "", "", "silent", "", "nobody answers") for service in found["silent"]]
    columns = ("service", "replica", "version", "since", "state", "bus server", "what is wrong")
    session.table(columns, sorted(rows), "no replica answers")
    session.say("")
    _show_bus(session, found["bus"])
    session.say("")
    leases = [
        (
            each["service"],
            each["what"] if each["count"] == 1 else f"{each['what']} ({each['count']})",
            each["replica"] or f"{each['holder']} (does not answer)",
            local_time(each["until"]),
            "" if each["epoch"] is None else each["epoch"],
        )
        for each in found["leases"]
    ]
    session.table(("lease of", "what", "held by", "until", "epoch"), leases, "no leases: nothing is shared by replicas")
    session.say("")
    databases = [
        (
            each["service"],
            each["replica"],
            each["place"],
            each["problem"] or f"{each['milliseconds']:.1f} ms",
            {True: "primary", False: "only reads", None: ""}[each["primary"]],
            "" if each["connections"] is None else f"{each['connections']} of {each['connections_most']}",
            "" if each["oldest_transaction_seconds"] is None else f"{each['oldest_transaction_seconds']:.1f} s",
        )
        for each in found["databases"]
    ]
    columns = ("database of", "replica", "where", "answers", "is", "connections", "oldest transaction")
    session.table(columns, databases, "no database is told of")
    if found["objects"]:
        session.say("")
        objects = [
            (
                each["service"],
                each["replica"],
                each["place"],
                each["problem"] or f"{each['milliseconds']:.1f} ms",
                "" if each["last_put"] is None else local_time(each["last_put"]),
                "" if each["last_put"] is None else f"{each['last_put_milliseconds']} ms",
                each["retries"],
            )
            for each in found["objects"]
        ]
        columns = ("objects of", "replica", "where", "answers", "last PUT", "took", "retries")
        session.table(columns, objects, "")


def _show_bus(session: Session, bus: dict[str, Any]) -> None:
    servers = [
        (each["name"], each["state"] if not each["behind"] else f"{each['state']} ({each['behind']})")
        for each in bus["servers"]
    ]
    problem = bus["problem"] or "no server is known"
    session.table(("bus server", f"stream {bus['stream']}"), servers, f"bus: {problem}")
    if not bus["problem"]:
        session.say(f"{bus['messages']} messages wait there, {size(bus['bytes'])}")
    consumers = [
        (each["name"], each["leader"], each["waiting"], each["in_hand"], each["redelivered"], each["problem"])
        for each in bus["consumers"]
    ]
    columns = ("consumer", "leader", "waiting", "in hand", "redelivered", "what is wrong")
    session.table(columns, consumers, "no consumers")
