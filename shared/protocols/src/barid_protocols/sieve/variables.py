"""Names and values of variables (RFC 5229 §3 and §6)."""

import re

from barid_protocols.sieve.errors import SieveRuntimeError, shown
from barid_protocols.sieve.limits import MAX_VARIABLE_LENGTH, MAX_VARIABLES
from barid_protocols.sieve.machine import Run
from barid_protocols.sieve.scope import Scope

_NAME = re.compile(r"[a-z_][a-z0-9_]*", re.IGNORECASE | re.ASCII)


def variable_name(scope: Scope, name: str, position: int) -> str:
    """The key of a variable that may be set: match variables and namespaces may not."""
    if not _NAME.fullmatch(name):
        raise scope.error(position, f"{shown(name)} is no name of a variable")
    return name.lower()


def store(run: Run, name: str, value: str, line: int) -> None:
    """Sets a variable within the limits of one run."""
    if name not in run.variables and len(run.variables) >= MAX_VARIABLES:
        raise SieveRuntimeError(f"more than {MAX_VARIABLES} variables", line)
    run.variables[name] = value[:MAX_VARIABLE_LENGTH]
