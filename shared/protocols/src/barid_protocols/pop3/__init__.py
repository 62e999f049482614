"""The POP3 server core (RFC 1939, 2449, 2595, 3206, 5034), sans-IO: ``connection.ServerConnection`` is its door."""

from barid_protocols.pop3.connection import ServerConnection
from barid_protocols.pop3.errors import LocalProtocolError, Refused
from barid_protocols.pop3.events import Login, Maildrop, MessageStarted, Retrieve, StartTls, Top, Update
from barid_protocols.pop3.responses import ResponseCode
from barid_protocols.pop3.session import ServerProfile
from barid_protocols.pop3.states import State

__all__ = [
    "LocalProtocolError",
    "Login",
    "Maildrop",
    "MessageStarted",
    "Refused",
    "ResponseCode",
    "Retrieve",
    "ServerConnection",
    "ServerProfile",
    "StartTls",
    "State",
    "Top",
    "Update",
]
