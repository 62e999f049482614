"""More or fewer processes of a service while the system runs.

The highest number goes first and comes last: `mda-3`, then `mda-2`; the first is the one whose ports are named in
`running.json`, and stays. One that goes is asked to end in order, and is not started again; one that comes has the
ports that its number had before.
"""

import asyncio
from collections.abc import Callable, Container, Mapping
from typing import Any

from .crew import CrewError
from .plan import PlanError, Process, UpOptions, check_replicas, listening_ports
from .ports import LOOPBACK, Reservations
from .roster import SERVICES, member_name
from .supervisor import Supervisor

SettingsOf = Callable[[str, str, Mapping[str, int]], dict[str, Any]]
"""Member, service, ports by listener → what its settings are loaded with."""


class Scaling:
    """alone: services of which there can be only one process. listeners: member → name → port, of those who have been
    there; grows."""

    def __init__(
        self,
        options: UpOptions,
        crew: Supervisor,
        reserved: Reservations,
        listeners: dict[str, dict[str, int]],
        settings_of: SettingsOf,
        alone: Container[str],
    ) -> None:
        self._options = options
        self._crew = crew
        self._reserved = reserved
        self._listeners = listeners
        self._settings_of = settings_of
        self._alone = alone
        self._health: dict[str, int] = {}
        self._turn = asyncio.Lock()

    async def to(self, wanted: Mapping[str, int]) -> dict[str, int]:
        """How many there are then, of these. Returns when those who came are ready and those who went have ended.

        Raises PlanError before anything is done; PortError, CrewError: then some of it may be done."""
        check_replicas(wanted, "")
        for service, count in wanted.items():
            if count > 1 and service in self._alone:
                raise PlanError(f"{service}={count}: its tables are a file of one process; leave it at 1")
        async with self._turn:
            await asyncio.gather(*(self._bring(service, count) for service, count in wanted.items()))
        return {service: self._crew.replicas(service) for service in wanted}

    async def _bring(self, service: str, count: int) -> None:
        while (there := self._crew.replicas(service)) < count:
            await self._add(service, there + 1)
        while (there := self._crew.replicas(service)) > count:
            await self._crew.remove(member_name(service, there))

    async def _add(self, service: str, replica: int) -> None:
        member = member_name(service, replica)
        if member not in self._listeners:
            wanted = listening_ports(self._options, (service,), replica)
            self._listeners[member] = {
                name: self._reserved.take(name, self._options.host, port) for name, port in wanted.items()
            }
        if member not in self._health:
            # Of a process that was there from the start the supervisor knows it; one more costs nothing.
            self._health[member] = self._reserved.take(f"health of {member}", LOOPBACK)
        settings = self._settings_of(member, service, self._listeners[member])
        try:
            await self._crew.add(Process((service,), replica), self._health[member], {member: settings})
        except CrewError as error:
            raise CrewError(f"{member} was not added: {error}") from None


def services_of(order: Mapping[str, Any]) -> dict[str, int]:
    """What an order says is wanted. Raises PlanError."""
    wanted = order.get("scale")
    if not isinstance(wanted, dict) or not all(isinstance(count, int) for count in wanted.values()):
        raise PlanError('the order is {"scale": {SERVICE: N}}')
    if unknown := wanted.keys() - SERVICES.keys():
        raise PlanError(f"{min(unknown)}: there is no such service; there are {', '.join(SERVICES)}")
    return dict(wanted)
