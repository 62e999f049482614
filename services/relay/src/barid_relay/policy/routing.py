"""Where mail for a domain goes: a route that was named, else what the mode says.

A *destination* is what workers gather rows by, as text in the queue: a domain (its MX hosts), or one of the forms
below, which no domain can have.
"""

from dataclasses import dataclass
from ipaddress import ip_address

from barid_runtime.networks import parse_ip

from ..ports.hosts import Hop, Login, Tls
from ..settings import Settings, host_and_port
from .reach import Reach

CAPTURE = "=capture"
SMARTHOST = "=smarthost"
_ROUTE = "=route "


@dataclass(frozen=True, slots=True)
class ByMx:
    domain: str


@dataclass(frozen=True, slots=True)
class Fixed:
    hop: Hop


@dataclass(frozen=True, slots=True)
class Keep:
    """Dial nobody."""


Way = ByMx | Fixed | Keep


class Routing:
    """The operator's decisions, made once."""

    def __init__(self, settings: Settings) -> None:
        self._routes = {domain.lower().rstrip("."): target for domain, target in settings.routes.items()}
        self._mode = settings.outbound
        self.smarthost = _smarthost(settings) if settings.smarthost else None
        names = [settings.hostname, *settings.own_hosts]
        self._own_names = frozenset(name.lower().rstrip(".") for name in names if parse_ip(name) is None)
        self.own_addresses = [name for name in names if parse_ip(name) is not None]
        """Ours by the operator's word."""
        self.hostname = settings.hostname
        self.reach = Reach(settings.dial_networks)
        self.port = settings.mx_port

    def destination(self, domain: str) -> str:
        """For a canonical domain (lower case, A-labels)."""
        if domain in self._routes:
            return _ROUTE + self._routes[domain]
        if self._mode == "capture":
            return CAPTURE
        if self._mode == "smarthost":
            return SMARTHOST
        return domain

    def way(self, destination: str) -> Way:
        if destination == CAPTURE:
            return Keep()
        if destination == SMARTHOST:
            return Fixed(self.smarthost) if self.smarthost else Keep()
        if destination.startswith(_ROUTE):
            host, port = host_and_port(destination.removeprefix(_ROUTE))
            return Fixed(Hop(host, host, port))
        return ByMx(destination)

    def is_own(self, host: str) -> bool:
        """Whether it is a name of ours."""
        return host.lower().rstrip(".") in self._own_names


def _smarthost(settings: Settings) -> Hop:
    host, port = host_and_port(settings.smarthost)
    login = None
    loopback = _is_loopback(host)
    if settings.smarthost_login:
        login = Login(
            settings.smarthost_login,
            settings.smarthost_password.get_secret_value(),
            plaintext=settings.smarthost_allow_plaintext or loopback,
        )
    if settings.smarthost_tls != "auto":
        tls = {"none": Tls.NEVER, "opportunistic": Tls.MAY, "required": Tls.MUST, "implicit": Tls.IMPLICIT}[
            settings.smarthost_tls
        ]
    elif login is not None and not login.plaintext:
        # A password goes only to whom the certificate names.
        tls = Tls.MUST
    else:
        tls = Tls.MAY
    return Hop(host, host, port, tls, login)


def _is_loopback(host: str) -> bool:
    if host == "localhost":
        return True
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return False
