"""fileinto (RFC 5228 §4.1), with :copy (RFC 3894), :flags (RFC 5232 §5) and :create (RFC 5490 §3.2)."""

from barid_protocols.sieve.actions import FileInto
from barid_protocols.sieve.errors import SieveRuntimeError
from barid_protocols.sieve.imap_flags import FLAGS_TAG, flags_argument
from barid_protocols.sieve.machine import Operation, Run
from barid_protocols.sieve.nodes import CommandNode
from barid_protocols.sieve.scope import CommandSpec, Scope
from barid_protocols.sieve.signature import Kind, Signature, Tag, bind
from barid_protocols.sieve.targets import checked_mailbox
from barid_protocols.sieve.templates import expand

_SIGNATURE = Signature(
    (Kind.STRING,),
    tags={"copy": Tag(capability="copy"), "flags": FLAGS_TAG, "create": Tag(capability="mailbox")},
)


def _compile(scope: Scope, node: CommandNode) -> Operation:
    bound = bind(scope, node, _SIGNATURE)
    mailbox = scope.text(bound.string(0))
    if isinstance(mailbox, str):
        try:
            checked_mailbox(mailbox)
        except ValueError as error:
            raise scope.error(bound.string(0).position, str(error)) from None
    flags = flags_argument(scope, bound)
    copy, create = bound.has("copy"), bound.has("create")
    line = scope.line(node.position)

    def run_fileinto(run: Run) -> bool:
        try:
            name = checked_mailbox(expand(run, mailbox))
        except ValueError as error:
            raise SieveRuntimeError(str(error), line) from None
        run.keep(FileInto(name, flags(run), copy, create, line))
        if not copy:
            run.keeps = False
        return False

    return run_fileinto


FILEINTO = CommandSpec("fileinto", _compile, "fileinto")
