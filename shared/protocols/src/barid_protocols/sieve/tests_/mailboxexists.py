"""mailboxexists (RFC 5490 §3.1): asks the host for each mailbox until one is missing."""

from barid_protocols.sieve.machine import Run, Test
from barid_protocols.sieve.nodes import TestNode
from barid_protocols.sieve.questions import AskMailboxExists
from barid_protocols.sieve.scope import Scope, TestSpec
from barid_protocols.sieve.signature import Kind, Signature, bind
from barid_protocols.sieve.templates import expand_all

_SIGNATURE = Signature((Kind.STRINGS,))


def _compile(scope: Scope, node: TestNode) -> Test:
    texts = scope.texts(bind(scope, node, _SIGNATURE).strings(0))

    def test_mailboxexists(run: Run) -> bool:
        return all(run.ask(AskMailboxExists(name)) for name in expand_all(run, texts))

    return test_mailboxexists


MAILBOXEXISTS = TestSpec("mailboxexists", _compile, "mailbox")
