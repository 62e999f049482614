"""`/v1/cluster`: what replicas say of themselves becomes one answer, also when some are silent."""

import time
from typing import Any

from barid_admin.policy.muster import all_leases, silent, state_of, wrong_with
from barid_contracts.mail import ACCEPTED_STREAM
from barid_contracts.status import ROLL_CALL, DatabaseState, Findings, Lease, ObjectsState, Replica
from barid_runtime.bus.port import Stream
from barid_runtime.bus.typed import answer_each

from .test_admin_alone import Alone, alone

__all__ = ["alone"]


def a_replica(service: str, pid: int = 1, **more: Any) -> Replica:
    return Replica(**{"service": service, "host": "h", "pid": pid, "version": "1", "since": 0, "checks": {}, **more})


def member(holder: str, until: int) -> Lease:
    return Lease(what="member", holder=holder, until=until)


def test_a_lease_is_told_once_and_by_its_holders_name() -> None:
    known = [member("A", 5), member("B", 7), member("GONE", 9)]
    older = [member("A", 4)]
    replicas = [
        a_replica("relay", 1, findings=Findings(holder="A", leases=known)),
        a_replica("relay", 2, findings=Findings(holder="B", leases=older)),
        a_replica("mailstore", 3, findings=Findings(holder="A", leases=[])),
    ]
    told = [(service, lease.holder, lease.until, name) for service, lease, name in all_leases(replicas)]
    assert told == [("relay", "A", 5, "h/1"), ("relay", "B", 7, "h/2"), ("relay", "GONE", 9, "")]


def test_what_is_wrong_with_a_replica() -> None:
    dead = Findings(database=DatabaseState(place="x", problem="gone"), objects=ObjectsState(place="y", problem="slow"))
    sick = a_replica("relay", checks={"bus": "ok", "journal": "full"}, findings=dead)
    assert wrong_with(sick) == "journal: full; database: gone; objects: slow"
    assert state_of(sick) == "degraded"
    assert state_of(a_replica("mda", checks={"bus": "ok"})) == "up"
    assert state_of(a_replica("mda", checks={"listeners": "closed"}, draining=True)) == "draining"


def test_services_without_a_replica() -> None:
    assert silent(("mda", "mss", "relay"), [a_replica("mss"), a_replica("mss", 2)]) == ["mda", "relay"]


async def test_a_bus_with_nobody_on_it(alone: Alone) -> None:
    began = time.monotonic()
    told = (await alone.ask("GET", "/v1/cluster")).json
    assert time.monotonic() - began < 5
    assert told["state"] == "degraded"
    assert told["replicas"] == told["leases"] == told["databases"] == told["objects"] == []
    assert told["silent"] == ["directory", "mailstore", "mda", "relay", "smtp_ingress", "mss", "admin"]
    assert told["bus"]["connected"] is True
    assert told["bus"]["problem"] == "stream not found"


async def test_replicas_leases_and_the_bus(alone: Alone) -> None:
    async def relay(_: Any) -> Replica:
        findings = Findings(
            holder="A",
            leases=[Lease(what="recipients", holder="A", until=1_700_000_000_123, epoch=3, count=12)],
            database=DatabaseState(place="db:5432/barid", microseconds=1500, connections=4, connections_most=9,
                                   oldest_transaction_ms=2500, primary=True),
            objects=ObjectsState(place="http://s3/b", problem="no answer within 1 s", retries=2),
        )  # fmt: skip
        return a_replica("relay", 42, checks={"bus": "ok"}, bus_server="nats-0", findings=findings)

    async def broken(_: Any) -> Replica:
        raise RuntimeError("a bug")

    await alone.bus.ensure_stream(Stream(ACCEPTED_STREAM, ("mail.v1.accepted.>",)))
    consumer = await alone.bus.consumer(
        ACCEPTED_STREAM, durable="relay", subject="mail.v1.accepted.remote", ack_wait=0.3
    )
    for number in range(3):
        await alone.bus.publish_durable("mail.v1.accepted.remote", b"x", message_id=str(number))
    await consumer.fetch(1, 1)
    for handler in (relay, broken):
        await answer_each(alone.bus, ROLL_CALL, handler)
    told = (await alone.ask("GET", "/v1/cluster")).json
    (replica,) = told["replicas"]
    assert (replica["name"], replica["state"]) == ("h/42", "degraded")
    assert replica["detail"] == "objects: no answer within 1 s"
    (lease,) = told["leases"]
    assert lease == {
        "service": "relay",
        "what": "recipients",
        "holder": "A",
        "replica": "h/42",
        "until": "2023-11-14T22:13:20.123000Z",
        "epoch": 3,
        "count": 12,
    }
    assert told["databases"][0]["oldest_transaction_seconds"] == 2.5
    assert told["databases"][0]["milliseconds"] == 1.5
    assert told["objects"][0]["retries"] == 2
    bus = told["bus"]
    assert (bus["problem"], bus["messages"]) == ("", 3)
    assert [each["state"] for each in bus["servers"]] == ["alone"]
    mda, relays = bus["consumers"]
    assert (mda["name"], mda["problem"]) == ("mda", "consumer not found")
    assert relays["in_hand"] + relays["waiting"] == 3


async def test_the_bus_is_away(alone: Alone) -> None:
    await alone.nats.stop()
    told = (await alone.ask("GET", "/v1/cluster")).json
    assert (told["state"], told["replicas"], told["bus"]["connected"]) == ("degraded", [], False)
    assert told["bus"]["problem"] == "the bus is away"
