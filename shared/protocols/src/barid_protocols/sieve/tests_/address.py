"""address (RFC 5228 §5.1), with :user and :detail (RFC 5233)."""

from barid_protocols.sieve.address_parts import ADDRESS_TAGS, address_part
from barid_protocols.sieve.errors import shown
from barid_protocols.sieve.machine import Run, Test
from barid_protocols.sieve.matching import MATCH_TAGS, matcher
from barid_protocols.sieve.nodes import TestNode
from barid_protocols.sieve.scope import Scope, TestSpec
from barid_protocols.sieve.signature import Kind, Signature, bind
from barid_protocols.sieve.templates import expand

_SIGNATURE = Signature((Kind.STRINGS, Kind.STRINGS), tags=MATCH_TAGS | ADDRESS_TAGS)

_ADDRESS_HEADERS = frozenset(
    {"from", "to", "cc", "bcc", "sender", "reply-to"}
    | {"resent-from", "resent-to", "resent-cc", "resent-bcc", "resent-sender", "resent-reply-to"}
    | {"return-path", "delivered-to", "x-original-to", "envelope-to", "apparently-to", "errors-to"}
    | {"disposition-notification-to", "return-receipt-to", "mail-followup-to", "mail-reply-to", "x-forwarded-to"}
)
"""§5.1: the test must be restricted to headers that hold addresses."""


def _compile(scope: Scope, node: TestNode) -> Test:
    bound = bind(scope, node, _SIGNATURE)
    names = []
    for item in bound.strings(0):
        text = scope.text(item)
        if isinstance(text, str):
            text = text.lower()
            if text not in _ADDRESS_HEADERS:
                raise scope.error(item.position, f"header {shown(item.value)} holds no addresses")
        names.append(text)
    parts = address_part(scope, bound)
    match = matcher(scope, bound, bound.strings(1))

    def test_address(run: Run) -> bool:
        message = run.message
        for text in names:
            name = text if isinstance(text, str) else expand(run, text).lower()
            if isinstance(text, str) or name in _ADDRESS_HEADERS:
                addresses = message.addresses(name)
                if addresses and match(run, parts(addresses)):
                    return True
        return False

    return test_address


ADDRESS = TestSpec("address", _compile)
