"""Which mechanisms there are. A new one is a file beside this and a line in a table."""

from collections.abc import Callable, Mapping
from types import MappingProxyType

from barid_protocols.sasl.exchange import ClientMechanism, Credentials, ServerMechanism
from barid_protocols.sasl.login import LoginClient, LoginServer
from barid_protocols.sasl.plain import PlainClient, PlainServer

SERVER_MECHANISMS: Mapping[str, Callable[[], ServerMechanism]] = MappingProxyType(
    {"PLAIN": PlainServer, "LOGIN": LoginServer}
)

CLIENT_MECHANISMS: Mapping[str, Callable[[Credentials], ClientMechanism]] = MappingProxyType(
    {"PLAIN": PlainClient, "LOGIN": LoginClient}
)
"""In the order in which a client should prefer them."""


def server_mechanism(name: str) -> ServerMechanism:
    """A fresh exchange. Names are compared without regard to case; raises KeyError for an unknown one."""
    return SERVER_MECHANISMS[name.upper()]()


def client_mechanism(name: str, credentials: Credentials) -> ClientMechanism:
    """A fresh exchange. Raises KeyError for an unknown name, ``SaslError`` for credentials that it cannot carry."""
    return CLIENT_MECHANISMS[name.upper()](credentials)
