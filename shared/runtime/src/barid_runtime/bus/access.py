"""Where the bus is, who we are there, and how far it is trusted: what a service's settings say of it."""

import ssl
from dataclasses import dataclass, field
from pathlib import Path

from ..tls import TlsError, load_certificate, verified_client_context
from .port import BusUnavailable


@dataclass(frozen=True, slots=True)
class Access:
    """url: servers, comma-separated, each `nats://host:port`, or `tls://` to insist on TLS.

    user: also names our part of the inbox space, `_INBOX.<user>.>`, which the server's permissions keep for us.
    ca: PEM of the authorities to trust instead of the system's; with it, too, no log-in is sent without TLS.
    certificate, key: ours, where servers ask for one. replicas: of each stream, in a cluster.
    """

    url: str
    user: str = ""
    password: str = field(default="", repr=False)
    ca: Path | None = None
    certificate: Path | None = None
    key: Path | None = None
    replicas: int = 1

    @property
    def servers(self) -> list[str]:
        return [server.strip() for server in self.url.split(",")]

    @property
    def insists_on_tls(self) -> bool:
        return self.ca is not None or any(server.startswith("tls://") for server in self.servers)


class Trust:
    """The TLS context of a client, which follows its files: certificates are renewed while we run."""

    def __init__(self, access: Access) -> None:
        self._access = access
        self._files = [path for path in (access.ca, access.certificate, access.key) if path is not None]
        self._seen: list[int] = []
        self._context: ssl.SSLContext | None = None

    def context(self) -> ssl.SSLContext | None:
        """For the next connection; None where TLS is left to the server. Raises BusUnavailable: a file is no good.

        It blocks for three stats, and for some small files where they have changed: once a connection.
        """
        access = self._access
        if not access.insists_on_tls:
            return None
        try:
            seen = [path.stat().st_mtime_ns for path in self._files]
            if self._context is None or seen != self._seen:
                context = verified_client_context(access.ca)
                if access.certificate is not None and access.key is not None:
                    load_certificate(context, access.certificate, access.key)
                self._context, self._seen = context, seen
        except (OSError, ssl.SSLError, TlsError) as error:
            raise BusUnavailable(f"TLS of the bus: {error}") from error
        return self._context
