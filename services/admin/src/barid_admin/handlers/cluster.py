"""`/v1/cluster`: every replica, and what they stand on and hold.

All are asked at once, and each has its deadline: what is dead shows as such, and the answer comes in ANSWER_SECONDS at
any rate.
"""

import asyncio
from collections.abc import Sequence
from datetime import datetime
from typing import Literal

from fastapi import APIRouter
from pydantic import BaseModel

from barid_contracts.base import Empty
from barid_contracts.mail import ACCEPTED_STREAM
from barid_contracts.status import ROLL_CALL, DatabaseState, ObjectsState
from barid_contracts.status import Replica as Present
from barid_runtime.bus.condition import ConsumerCondition, StreamCondition, conditions
from barid_runtime.bus.permissions import CONSUMERS
from barid_runtime.bus.port import BusError
from barid_runtime.bus.typed import call_all
from barid_runtime.inspection import LOOK_SECONDS

from ..policy.muster import all_leases, name_of, silent, state_of, wrong_with
from .desk import Desk
from .shapes import moment, says_no
from .tracing import ASKED

ANSWER_SECONDS = LOOK_SECONDS + 0.5
"""A replica looks at its parts for so long, then it answers."""


class Replica(BaseModel):
    """One service in one process. name: host and process id. state: `up`, `degraded` (detail says what is wrong),
    `draining` (it ends). bus_server: the server of the bus that it is connected to."""

    service: str
    name: str
    version: str
    since: datetime
    state: Literal["up", "degraded", "draining"]
    detail: str
    checks: dict[str, str]
    bus_server: str


class Lease(BaseModel):
    """what: `member` (one of those who share the work), `recipients` (count of them are in its hands), or a duty.
    replica: its name; none: who holds it does not answer, and another takes it after `until`."""

    service: str
    what: str
    holder: str
    replica: str | None
    until: datetime
    epoch: int | None
    count: int


class BusServer(BaseModel):
    """state: `leader`, `in-sync`, `behind` or `offline` as to the stream; `alone` (no other keeps a copy)."""

    name: str
    state: Literal["leader", "in-sync", "behind", "offline", "alone"]
    behind: int = 0


class Consumer(BaseModel):
    """waiting: batches of mail that nobody has in hand. in_hand: delivered, not acknowledged; redelivered: of these."""

    name: str
    leader: str
    waiting: int
    in_hand: int
    redelivered: int
    problem: str


class BusPart(BaseModel):
    """connected: this API is. problem: of the stream, why it can't be told, or empty. messages, bytes: it holds."""

    connected: bool
    problem: str
    servers: list[BusServer]
    stream: str
    messages: int
    bytes: int
    consumers: list[Consumer]


class DatabasePart(BaseModel):
    """As one replica sees it. problem: why it can't be asked, or empty. connections: of all clients."""

    service: str
    replica: str
    place: str
    problem: str
    milliseconds: float | None
    primary: bool | None
    connections: int | None
    connections_most: int | None
    oldest_transaction_seconds: float | None


class ObjectsPart(BaseModel):
    """As one replica sees it. problem: why it can't be asked, or empty. last_put: the replica's last that succeeded."""

    service: str
    replica: str
    place: str
    problem: str
    milliseconds: float | None
    last_put: datetime | None
    last_put_milliseconds: int | None
    retries: int


class Cluster(BaseModel):
    """state: `up` when every service has a replica, each is up or draining, and the bus has its leader with all in
    sync. silent: services of which nobody answered."""

    state: Literal["up", "degraded"]
    silent: list[str]
    replicas: list[Replica]
    leases: list[Lease]
    bus: BusPart
    databases: list[DatabasePart]
    objects: list[ObjectsPart]


def routes(desk: Desk) -> APIRouter:
    router = APIRouter(prefix="/v1")

    async def roll_call() -> list[Present]:
        try:
            found = await call_all(desk.bus, ROLL_CALL, Empty(), Present, timeout=ANSWER_SECONDS)
        except BusError:
            return []
        return sorted(found, key=lambda each: (each.service, each.host, each.pid))

    @router.get("/cluster", tags=["status"], responses=says_no())
    async def cluster() -> Cluster:
        """Every replica, and what they stand on and hold"""
        present, (stream, consumers) = await asyncio.gather(
            roll_call(), conditions(desk.bus, ACCEPTED_STREAM, CONSUMERS, timeout=LOOK_SECONDS)
        )
        replicas = [_replica(each) for each in present]
        missing = silent(ASKED, present)
        bus = _bus(desk.bus.connected, desk.bus.server, stream, consumers)
        well = (
            not missing
            and not bus.problem
            and all(each.state != "degraded" for each in replicas)
            and all(each.state not in ("behind", "offline") for each in bus.servers)
            and not any(each.problem for each in bus.consumers)
        )
        return Cluster(
            state="up" if well else "degraded",
            silent=missing,
            replicas=replicas,
            leases=[
                Lease(
                    service=service,
                    what=lease.what,
                    holder=lease.holder,
                    replica=name or None,
                    until=moment(lease.until),
                    epoch=lease.epoch,
                    count=lease.count,
                )
                for service, lease, name in all_leases(present)
            ],
            bus=bus,
            databases=[_database(each, state) for each in present if (state := each.findings.database) is not None],
            objects=[_objects(each, objects) for each in present if (objects := each.findings.objects) is not None],
        )

    return router


def _replica(said: Present) -> Replica:
    return Replica.model_validate(
        {
            "service": said.service,
            "name": name_of(said),
            "version": said.version,
            "since": moment(said.since),
            "state": state_of(said),
            "detail": wrong_with(said),
            "checks": said.checks,
            "bus_server": said.bus_server,
        }
    )


def _bus(connected: bool, ours: str, stream: StreamCondition, consumers: Sequence[ConsumerCondition]) -> BusPart:
    servers = [
        BusServer(
            name=each.server,
            state="offline" if each.offline else "in-sync" if each.in_sync else "behind",
            behind=each.behind,
        )
        for each in stream.followers
    ]
    if not stream.problem and (leader := stream.leader or ours):
        servers.append(BusServer(name=leader, state="leader" if servers else "alone"))
    return BusPart(
        connected=connected,
        problem=stream.problem,
        servers=sorted(servers, key=lambda each: each.name),
        stream=stream.name,
        messages=stream.messages,
        bytes=stream.size,
        consumers=[
            Consumer(
                name=each.name,
                leader=each.leader,
                waiting=each.waiting,
                in_hand=each.in_hand,
                redelivered=each.redelivered,
                problem=each.problem,
            )
            for each in consumers
        ],
    )


def _database(said: Present, state: DatabaseState) -> DatabasePart:
    oldest = state.oldest_transaction_ms
    return DatabasePart(
        service=said.service,
        replica=name_of(said),
        place=state.place,
        problem=state.problem,
        milliseconds=_milliseconds(state.microseconds),
        primary=state.primary,
        connections=state.connections,
        connections_most=state.connections_most,
        oldest_transaction_seconds=None if oldest is None else oldest / 1000,
    )


def _objects(said: Present, state: ObjectsState) -> ObjectsPart:
    return ObjectsPart(
        service=said.service,
        replica=name_of(said),
        place=state.place,
        problem=state.problem,
        milliseconds=_milliseconds(state.microseconds),
        last_put=None if state.last_put is None else moment(state.last_put),
        last_put_milliseconds=state.last_put_ms,
        retries=state.retries,
    )


def _milliseconds(microseconds: int | None) -> float | None:
    return None if microseconds is None else microseconds / 1000
