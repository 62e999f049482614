"""What an operator may decide about the doors that mail is read by."""

from pathlib import Path
from typing import ClassVar

from pydantic import Field, FilePath, model_validator

from barid_runtime.journal.settings import JournalSettings
from barid_runtime.networks import LOOPBACK, Network


class Settings(JournalSettings):
    """Ports: None closes a door, 0 takes any port."""

    section: ClassVar[str] = "mss"

    imap_port: int | None = Field(default=143, ge=0, le=65535, description="IMAP, STARTTLS")
    imaps_port: int | None = Field(default=993, ge=0, le=65535, description="IMAP, TLS at once")
    pop3_port: int | None = Field(default=110, ge=0, le=65535, description="POP3, STLS")
    pop3s_port: int | None = Field(default=995, ge=0, le=65535, description="POP3, TLS at once")

    tls_certificate: FilePath | None = Field(
        default=None, description="PEM with its chain; none: <data>/tls, self-signed"
    )
    tls_key: FilePath | None = Field(default=None, description="PEM of its key")
    allow_plaintext: bool = Field(default=False, description="log-in without TLS, for clients on loopback only")

    max_append: int = Field(default=50 * 1024 * 1024, ge=64 * 1024, description="octets of an uploaded message")
    max_reading_connections: int = Field(default=20_000, ge=1, description="of IMAP and POP3 together")
    max_reading_connections_per_network: int = Field(default=200, ge=1, description="of them, from one network")
    max_sessions_per_account: int = Field(default=100, ge=1, description="a client opens one a folder, some users many")
    unlimited_networks: tuple[Network, ...] = Field(
        default=LOOPBACK,
        description="not counted per network: behind them stand many users (a gateway, a web client on this machine)",
    )
    summary_cache: int = Field(default=16 * 1024 * 1024, ge=0, description="octets of envelopes and headers kept")
    view_cache: int = Field(default=200_000, ge=0, description="messages of unselected mailboxes kept, 16 octets each")

    @model_validator(mode="after")
    def _a_certificate_has_its_key(self) -> "Settings":
        if (self.tls_certificate is None) != (self.tls_key is None):
            raise ValueError("tls_certificate and tls_key go together: set both or neither")
        return self

    @property
    def journal(self) -> Path:
        return self.data / "journal"
