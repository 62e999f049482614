"""setflag, addflag, removeflag (RFC 5232 §3): on the internal variable, or with variables on a named one."""

from collections.abc import Callable

from barid_protocols.sieve.imap_flags import normal_flags
from barid_protocols.sieve.machine import Operation, Run
from barid_protocols.sieve.nodes import CommandNode
from barid_protocols.sieve.scope import CommandSpec, Scope
from barid_protocols.sieve.signature import Kind, Signature, bind
from barid_protocols.sieve.templates import expand_all
from barid_protocols.sieve.variables import store, variable_name

Flags = tuple[str, ...]

_SIGNATURE = Signature((Kind.STRING, Kind.STRINGS), optional_first=True)


def _set(old: Flags, new: Flags) -> Flags:
    return new


def _add(old: Flags, new: Flags) -> Flags:
    return normal_flags(old + new)


def _remove(old: Flags, new: Flags) -> Flags:
    gone = {flag.lower() for flag in new}
    return tuple(flag for flag in old if flag.lower() not in gone)


def _command(name: str, change: Callable[[Flags, Flags], Flags]) -> CommandSpec:
    def compile_command(scope: Scope, node: CommandNode) -> Operation:
        bound = bind(scope, node, _SIGNATURE)
        texts = scope.texts(bound.strings(-1))
        line = scope.line(node.position)
        if bound.count == 1:

            def run_internal(run: Run) -> bool:
                run.flags = change(run.flags, normal_flags(expand_all(run, texts)))
                return False

            return run_internal

        scope.need("variables", node.position, "a named variable of flags")
        variable = variable_name(scope, bound.string(0).value, bound.string(0).position)

        def run_named(run: Run) -> bool:
            old = normal_flags((run.variables.get(variable, ""),))
            store(run, variable, " ".join(change(old, normal_flags(expand_all(run, texts)))), line)
            return False

        return run_named

    return CommandSpec(name, compile_command, "imap4flags")


SETFLAG = _command("setflag", _set)
ADDFLAG = _command("addflag", _add)
REMOVEFLAG = _command("removeflag", _remove)
