"""An address that something names does not vanish unseen: its deletion is refused, or what names it is changed, too."""

from barid_runtime.bus.port import OperationFailed

from ..policy.ownership import naming, next_stop
from ..ports import AliasRow, DomainRow, Register

MOST_NAMED = 10
"""Aliases and domains named in a refusal."""


def take_out(register: Register, address: str, *, cascade: bool) -> bool:
    """Before an account or alias is deleted: nothing may name it after. Returns whether anything did.

    Without cascade that is refused. With it, aliases lose the target, domains the catch-all; an alias that is left
    without targets goes, and is taken out likewise.
    """
    aliases, domains = naming(register, address)
    if not aliases and not domains:
        return False
    if not cascade:
        names = [f"alias {alias.address}" for alias in aliases] + [f"catch-all of {domain.name}" for domain in domains]
        more = f" and {len(names) - MOST_NAMED} more" if len(names) > MOST_NAMED else ""
        named = ", ".join(names[:MOST_NAMED])
        raise OperationFailed("conflict", f"{address} is still named by: {named}{more}; change them first, or cascade")
    # All are found before the first is deleted: what a target means depends on what there is.
    going = [address]
    left: dict[str, list[str]] = {}
    for name in going:
        aliases, domains = naming(register, name)
        for domain in domains:
            register.put_domain(DomainRow(domain.name, None))
        for alias in aliases:
            targets = left.setdefault(alias.address, list(alias.targets))
            targets[:] = [target for target in targets if next_stop(register, target) != name]
            if not targets and alias.address not in going:
                going.append(alias.address)
    for alias_address, targets in left.items():
        if targets:
            register.put_alias(AliasRow(alias_address, tuple(targets)))
        else:
            register.delete_alias(alias_address)
    return True
