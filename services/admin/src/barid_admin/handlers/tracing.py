"""`/v1/trace`: what became of a mail; `/v1/status`: who answers."""

import asyncio
import time
from datetime import datetime
from typing import Annotated, Literal

from fastapi import APIRouter, Query
from pydantic import BaseModel

from barid_contracts.base import Empty
from barid_contracts.directory import RESOLVE, ResolveRequest
from barid_contracts.settle import MAILSTORE_MISSING, RELAY_MISSING, MissingRequest
from barid_contracts.status import ServiceStatus as ServiceAnswer
from barid_contracts.status import status_of
from barid_contracts.trace import MAILSTORE_TRACE, RELAY_TRACE, TraceRequest, TraceStep
from barid_runtime.bus.port import BusError, BusUnavailable, NoResponders, OperationFailed

from ..policy.timeline import CHILDREN_MOST, bracketed, children, merge
from .desk import Desk
from .problems import Refusal
from .shapes import MailId, moment, says_no

OWNERS = {"mailstore": MAILSTORE_TRACE, "relay": RELAY_TRACE}

ASKED = ("directory", "mailstore", "mda", "relay", "smtp_ingress", "mss", "admin")
"""For their status, in this order."""

PROBE_TIMEOUT = 1.0
"""Seconds: who takes longer is not well."""


class Step(BaseModel):
    """n: the obligation (one recipient of the mail). what: accepted, filed, redirected, discarded, held, bounced,
    relayed, captured, attempt, child, waiting (still owed, and what it waits for: a state, as of now). mail_id of a
    `child` is the child's, whose own steps follow, and parent the mail that made it; an `accepted` names its parent,
    too, if it is a child itself."""

    at: datetime
    mail_id: str
    what: str
    n: int | None
    address: str
    detail: str
    parent: str | None


class Timeline(BaseModel):
    """steps: causes before what they led to, else by time; of the mail and of all that came of it (redirects, vacation
    replies, notices). `at` is by the clock of who tells it. missing: services that did not answer, whose
    steps are not here. more: children were left out, ask for them by their mail_id."""

    mail_ids: list[str]
    steps: list[Step]
    missing: list[str]
    more: list[str]


class ServiceStatus(BaseModel):
    """state: `up` (it answers, and all its checks say `ok`), `degraded` (it answers, and something is wrong), `down`
    (it is silent). milliseconds: of its answer. checks: what it says of itself, name → `ok` or what is wrong."""

    name: str
    state: Literal["up", "degraded", "down"]
    detail: str = ""
    milliseconds: float | None = None
    checks: dict[str, str] = {}


class Status(BaseModel):
    """state: `up` when all are. services: the bus, then each service, by one of its processes; each single process is
    seen by its health port."""

    state: Literal["up", "degraded"]
    services: list[ServiceStatus]


def routes(desk: Desk) -> APIRouter:
    router = APIRouter(prefix="/v1")

    async def steps_of(request: TraceRequest, missing: dict[str, BusError]) -> list[TraceStep]:
        async def ask(owner: str) -> list[TraceStep]:
            try:
                return (await desk.ask(OWNERS[owner], request)).steps
            except BusError as error:
                missing[owner] = error
                return []

        return [step for steps in await asyncio.gather(*map(ask, OWNERS)) for step in steps]

    @router.get("/trace", tags=["trace"], responses=says_no("not-found"))
    async def trace(
        mail_id: Annotated[MailId | None, Query(description="our id of the mail")] = None,
        message_id: Annotated[str | None, Query(min_length=1, max_length=998, description="the Message-ID")] = None,
    ) -> Timeline:
        """One timeline of a mail: accepted, rules, filed or attempts, notices"""
        if (mail_id is None) == (message_id is None):
            raise Refusal("invalid", "give mail_id or message_id, one of them")
        missing: dict[str, BusError] = {}
        called = None if message_id is None else bracketed(message_id)
        steps = await steps_of(TraceRequest(mail_id=mail_id, message_id=called), missing)
        if not steps and missing:
            raise next(iter(missing.values()))
        if not steps:
            raise Refusal(
                "not-found",
                "no such mail has come in, or it has been forgotten; by its Message-ID a mail on its way is found among"
                " the latest only, by our id always"
                if mail_id is None
                else "no such mail has come in, or it has been forgotten",
            )
        seen = {step.mail_id for step in steps if step.what != "child"}
        waiting = [child for child in children(steps) if child not in seen]
        while waiting and len(seen) <= CHILDREN_MOST:
            generation = waiting[:CHILDREN_MOST]
            waiting = waiting[CHILDREN_MOST:]
            seen.update(generation)
            born = await asyncio.gather(*[steps_of(TraceRequest(mail_id=child), missing) for child in generation])
            fresh = [step for each in born for step in each]
            steps += fresh
            waiting += [child for child in children(fresh) if child not in seen and child not in waiting]
        merged = merge(steps)
        return Timeline(
            mail_ids=list(dict.fromkeys(step.mail_id for step in merged)),
            steps=[Step(**step.model_dump(exclude={"at"}), at=moment(step.at)) for step in merged],
            missing=sorted(missing),
            more=waiting,
        )

    async def probe(name: str) -> ServiceStatus:
        """What it says of itself; who keeps something is also made to look into it."""
        began = time.perf_counter()
        said = ServiceAnswer(checks={})
        try:
            said = await desk.ask(status_of(name), Empty(), timeout=PROBE_TIMEOUT)
            if name == "directory":
                await desk.ask(RESOLVE, ResolveRequest(addresses=[]), timeout=PROBE_TIMEOUT)
            elif name in ("mailstore", "relay"):
                missing = MAILSTORE_MISSING if name == "mailstore" else RELAY_MISSING
                await desk.ask(missing, MissingRequest(keys=[]), timeout=PROBE_TIMEOUT)
        except OperationFailed as error:
            return ServiceStatus(name=name, state="degraded", detail=str(error), checks=said.checks)
        except BusUnavailable:
            return ServiceStatus(name=name, state="down", detail="the bus is away")
        except NoResponders:
            return ServiceStatus(name=name, state="down", detail="silent: nobody is there")
        except BusError:
            return ServiceStatus(name=name, state="down", detail=f"silent: no answer within {PROBE_TIMEOUT:g} s")
        wrong = "; ".join(f"{check}: {word}" for check, word in said.checks.items() if word != "ok")
        return ServiceStatus(
            name=name,
            state="degraded" if wrong else "up",
            detail=wrong,
            milliseconds=round((time.perf_counter() - began) * 1000, 2),
            checks=said.checks,
        )

    @router.get("/status", tags=["status"], responses=says_no())
    async def status() -> Status:
        """Who answers, and what each says of itself"""
        services = await asyncio.gather(*map(probe, ASKED))
        bus = ServiceStatus(name="bus", state="up" if desk.bus.connected else "down")
        everybody = [bus, *services]
        return Status(
            state="up" if all(service.state == "up" for service in everybody) else "degraded", services=everybody
        )

    return router
