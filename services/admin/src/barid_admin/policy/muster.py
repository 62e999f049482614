"""What the answers to a roll call come to: pure decisions."""

from collections.abc import Collection, Iterable, Sequence

from barid_contracts.status import Lease, Replica

Named = dict[tuple[str, str], str]
"""(service, holder) → the replica's name."""


def name_of(replica: Replica) -> str:
    """What it is called here: where it runs, and as what process."""
    return f"{replica.host}/{replica.pid}"


def wrong_with(replica: Replica) -> str:
    """In words; empty if nothing is."""
    found = [f"{check}: {word}" for check, word in replica.checks.items() if word != "ok"]
    for part, state in (("database", replica.findings.database), ("objects", replica.findings.objects)):
        if state is not None and state.problem:
            found.append(f"{part}: {state.problem}")
    return "; ".join(dict.fromkeys(found))


def state_of(replica: Replica) -> str:
    """`up`, `degraded` or `draining`: one that ends says of itself that it takes no more, which is no fault."""
    if replica.draining:
        return "draining"
    return "degraded" if wrong_with(replica) else "up"


def silent(services: Collection[str], replicas: Iterable[Replica]) -> list[str]:
    """Services of which nobody answered."""
    there = {replica.service for replica in replicas}
    return [service for service in services if service not in there]


def all_leases(replicas: Sequence[Replica]) -> list[tuple[str, Lease, str]]:
    """(service, lease, its holder's name), each once, however many know of it. The name is empty for who doesn't
    answer: it was killed or stopped, and its lease runs out."""
    names: Named = {(each.service, each.findings.holder): name_of(each) for each in replicas if each.findings.holder}
    found: dict[tuple[str, str, str], tuple[str, Lease, str]] = {}
    for replica in replicas:
        for lease in replica.findings.leases:
            key = replica.service, lease.what, lease.holder
            known = found.get(key)
            if known is None or known[1].until < lease.until:
                found[key] = replica.service, lease, names.get((replica.service, lease.holder), "")
    return [found[key] for key in sorted(found)]
