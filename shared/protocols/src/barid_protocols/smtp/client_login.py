"""A log-in, the client's side (RFC 4954): PLAIN, or LOGIN where that is all there is."""

from barid_protocols.sasl import ClientMechanism, Credentials, SaslError, client_mechanism, decode_base64, encode_base64
from barid_protocols.smtp.client_replies import Capabilities
from barid_protocols.smtp.errors import LocalError
from barid_protocols.smtp.options import MAX_COMMAND_LINE
from barid_protocols.smtp.replies import Reply


class Login:
    """``line`` begins the exchange. Raises LocalError if neither mechanism is offered, or credentials can't be sent."""

    __slots__ = ("_mechanism", "line")

    def __init__(self, capabilities: Capabilities, login: str, password: str) -> None:
        name = next((name for name in ("PLAIN", "LOGIN") if name in capabilities.mechanisms), None)
        if name is None:
            raise LocalError("server offers neither PLAIN nor LOGIN")
        credentials = Credentials("", login, password)
        self.line = f"AUTH {name}"
        try:
            self._mechanism: ClientMechanism = client_mechanism(name, credentials)
            initial = self._mechanism.initial()
            if initial is not None:
                line = f"{self.line} {encode_base64(initial).decode('ascii') or '='}"
                if len(line) + 2 <= MAX_COMMAND_LINE:
                    self.line = line
                else:
                    # RFC 4954 §4: an initial response that makes the line too long is sent after a challenge instead,
                    # by an exchange that has not given it away yet.
                    self._mechanism = client_mechanism(name, credentials)
        except SaslError as error:
            raise LocalError(error.text) from None

    def respond(self, challenge: Reply) -> bytes:
        """The line that answers a 334."""
        try:
            response = self._mechanism.step(decode_base64(challenge.lines[0].strip().encode("ascii", "replace")))
        except SaslError:
            # Cancel; the server's 501 is then the outcome.
            return b"*\r\n"
        return encode_base64(response) + b"\r\n"
