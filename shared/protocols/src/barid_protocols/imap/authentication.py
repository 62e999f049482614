"""One AUTHENTICATE exchange (RFC 3501 §6.2.2): base64 lines around a SASL mechanism, nothing of IMAP's commands."""

from __future__ import annotations

from barid_protocols.imap import responses
from barid_protocols.imap.errors import SyntaxProblem, UserError
from barid_protocols.sasl import (
    Challenge,
    Credentials,
    SaslCancelled,
    SaslError,
    decode_response,
    encode_base64,
    server_mechanism,
)


class SaslExchange:
    """Each step gives the line to send (``+ …``) or the credentials; SyntaxProblem and UserError end the exchange."""

    def __init__(self, mechanism: str, offered: tuple[str, ...]) -> None:
        if mechanism not in offered:
            raise UserError("Mechanism is not offered")
        try:
            self._mechanism = server_mechanism(mechanism)
        except KeyError:
            raise UserError("Mechanism is not offered") from None

    def start(self, initial: bytes | None) -> bytes | Credentials:
        return self._step(initial)

    def answer(self, line: bytes) -> bytes | Credentials:
        try:
            response = decode_response(line)
        except SaslCancelled:
            raise SyntaxProblem("Authentication cancelled") from None  # RFC 3501 §6.2.2: BAD
        except SaslError:
            raise SyntaxProblem("Invalid base64") from None
        return self._step(response)

    def _step(self, response: bytes | None) -> bytes | Credentials:
        try:
            outcome = self._mechanism.step(response)
        except SaslError as error:
            raise SyntaxProblem("Authentication exchange failed") from error
        if isinstance(outcome, Challenge):
            return responses.challenge(encode_base64(outcome.data))
        return outcome
