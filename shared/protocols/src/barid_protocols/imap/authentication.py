"""One AUTHENTICATE exchange (RFC 3501 §6.2.2): base64 lines around a SASL mechanism, nothing of IMAP's commands."""

from __future__ import annotations

from barid_protocols.imap import responses
from barid_protocols.imap.commands.authenticate import Authenticate, AuthenticateStarted
from barid_protocols.imap.errors import SyntaxProblem, UserError
from barid_protocols.sasl import (
    Challenge,
    SaslCancelled,
    SaslError,
    ServerMechanism,
    decode_response,
    encode_base64,
    server_mechanism,
)


class SaslExchange:
    """The exchange of one command, started by :meth:`advance` without a line."""

    __slots__ = ("_mechanism", "_offered", "command")

    def __init__(self, command: AuthenticateStarted, offered: tuple[str, ...]) -> None:
        self.command = command
        self._offered = offered
        self._mechanism: ServerMechanism | None = None

    def advance(self, line: bytes | None) -> bytes | Authenticate:
        """The line to send (``+ …``), or the command with its credentials. SyntaxProblem and UserError end it."""
        if self._mechanism is None:
            self._mechanism = self._start()
            response = self.command.initial
        else:
            assert line is not None
            response = _response(line)
        try:
            outcome = self._mechanism.step(response)
        except SaslError as error:
            raise SyntaxProblem("Authentication exchange failed") from error
        if isinstance(outcome, Challenge):
            return responses.challenge(encode_base64(outcome.data))
        command = self.command
        return Authenticate(command.tag, command.name, command.mechanism, outcome)

    def _start(self) -> ServerMechanism:
        name = self.command.mechanism
        if name not in self._offered:
            raise UserError("Mechanism is not offered")
        try:
            return server_mechanism(name)
        except KeyError:
            raise UserError("Mechanism is not offered") from None


def _response(line: bytes) -> bytes:
    try:
        return decode_response(line)
    except SaslCancelled:
        raise SyntaxProblem("Authentication cancelled") from None  # RFC 3501 §6.2.2: BAD
    except SaslError:
        raise SyntaxProblem("Invalid base64") from None
