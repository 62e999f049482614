"""SASL mechanisms (RFC 4422), both sides, free of any transport.

One file a mechanism. A mechanism is pulled through ``step`` until it yields ``Credentials``; the protocol around it
(SMTP, IMAP, POP3, ManageSieve) owns lines, base64 and the final reply.
"""

from barid_protocols.sasl.encoding import decode_base64, decode_initial_response, decode_response, encode_base64
from barid_protocols.sasl.errors import SaslCancelled, SaslError
from barid_protocols.sasl.exchange import Challenge, ClientMechanism, Credentials, ServerMechanism
from barid_protocols.sasl.mechanisms import CLIENT_MECHANISMS, SERVER_MECHANISMS, client_mechanism, server_mechanism

__all__ = [
    "CLIENT_MECHANISMS",
    "SERVER_MECHANISMS",
    "Challenge",
    "ClientMechanism",
    "Credentials",
    "SaslCancelled",
    "SaslError",
    "ServerMechanism",
    "client_mechanism",
    "decode_base64",
    "decode_initial_response",
    "decode_response",
    "encode_base64",
    "server_mechanism",
]
