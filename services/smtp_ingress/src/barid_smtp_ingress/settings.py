"""What an operator may decide about the doors that mail comes in by."""

from pathlib import Path
from typing import ClassVar

from pydantic import Field, FilePath, model_validator

from barid_runtime.journal.settings import JournalSettings
from barid_runtime.networks import LOOPBACK, Network

MOST_HOPS = 100
"""Delivery runs no script for what has more Received fields, so a door that took more would only hide a loop. RFC 5321
§6.3 asks for 100 at least."""


MOST_MESSAGES = 10_000
MOST_RECIPIENTS = 50_000
"""Of an account within an hour: three messages a second are no person's and few programs', and a password that was
stolen is worth less."""


class Settings(JournalSettings):
    """Ports: None closes a door, 0 takes any port."""

    section: ClassVar[str] = "smtp_ingress"

    smtp_port: int | None = Field(default=25, ge=0, le=65535, description="mail from other systems")
    submission_port: int | None = Field(default=587, ge=0, le=65535, description="users' mail, STARTTLS")
    submissions_port: int | None = Field(default=465, ge=0, le=65535, description="users' mail, TLS at once")
    lmtp_port: int | None = Field(default=24, ge=0, le=65535, description="mail from a neighbour that queues")

    tls_certificate: FilePath | None = Field(
        default=None, description="PEM with its chain; none: <data>/tls, self-signed"
    )
    tls_key: FilePath | None = Field(default=None, description="PEM of its key")
    allow_plaintext: bool = Field(default=False, description="AUTH without TLS, for clients on loopback only")
    relay_networks: tuple[Network, ...] = Field(default=(), description="who may send anywhere without a log-in")

    max_size: int = Field(default=50 * 1024 * 1024, ge=64 * 1024, description="octets of a message")
    max_recipients: int = Field(default=1000, ge=100, description="of a transaction; RFC 5321 asks for 100 at least")
    max_hops: int = Field(
        default=MOST_HOPS,
        ge=10,
        le=MOST_HOPS,
        description="Received, or Delivered-To, fields beyond which a mail goes in circles ",
    )
    max_connections: int = Field(default=1000, ge=1, description="of all doors together")
    max_connections_per_network: int = Field(default=100, ge=1, description="of them, from one network")
    unlimited_networks: tuple[Network, ...] = Field(
        default=LOOPBACK,
        description="not counted per network: behind them stand many users (a gateway, a web client on this machine)",
    )
    max_messages_per_hour: int = Field(default=MOST_MESSAGES, ge=0, description="of an account; 0: no limit")
    max_recipients_per_hour: int = Field(default=MOST_RECIPIENTS, ge=0, description="of an account; 0: no limit")
    max_messages_per_network_per_hour: int = Field(
        default=0, ge=0, description="from other systems, by IPv4 address or IPv6 /64; 0: no limit"
    )
    known_recipients: int = Field(default=50_000, ge=0, description="kept for when the directory is away; 600 B each")

    @model_validator(mode="after")
    def _a_certificate_has_its_key(self) -> "Settings":
        if (self.tls_certificate is None) != (self.tls_key is None):
            raise ValueError("tls_certificate and tls_key go together: set both or neither")
        return self

    @property
    def journal(self) -> Path:
        return self.data / "journal"

    @property
    def known_file(self) -> Path:
        return self.data / "smtp_ingress" / "known-recipients.jsonl"
