"""What an operator may decide about mail for other domains."""

import re
from ipaddress import ip_address
from typing import ClassVar, Literal

from pydantic import Field, FilePath, SecretStr, field_validator, model_validator

from barid_runtime.journal.settings import JournalSettings
from barid_runtime.networks import Network
from barid_runtime.settings import DatabaseSettings

_NAME = re.compile(r"[A-Za-z0-9._-]{1,255}|\[[A-Za-z0-9.:]{1,60}\]")


class Settings(DatabaseSettings, JournalSettings):
    section: ClassVar[str] = "relay"

    outbound: Literal["direct", "smarthost", "capture"] = Field(
        default="capture", description="where mail for other domains goes; capture keeps it here and dials nobody"
    )
    routes: dict[str, str] = Field(
        default={}, description="domain to host:port, dialled in every mode: whoever names a route has been told to"
    )
    smarthost: str = Field(default="", description="host:port that takes all mail for other domains")
    smarthost_login: str = Field(default="", description="our name there")
    smarthost_password: SecretStr = Field(default=SecretStr(""), description="password of that name")
    smarthost_tls: Literal["auto", "none", "opportunistic", "required", "implicit"] = Field(
        default="auto",
        description="auto: required if there is a log-in and the host isn't this machine, else opportunistic; required"
        " and implicit verify the certificate",
    )
    smarthost_allow_plaintext: bool = Field(default=False, description="permit the log-in without TLS")
    smarthost_authorities: FilePath | None = Field(
        default=None, description="PEM file to trust instead of the system's"
    )

    dns_nameservers: list[str] = Field(default=[], description="address or address:port; none: the system's")
    dns_zone_file: FilePath | None = Field(
        default=None, description="a master file (RFC 1035 §5) that answers instead of the DNS, for tests"
    )
    dial_networks: tuple[Network, ...] = Field(
        default=(),
        description="private or otherwise special networks in which hosts are dialled that only the DNS names",
    )
    own_hosts: tuple[str, ...] = Field(
        default=(),
        description="names and addresses, besides hostname and its addresses, by which the world reaches our own MX",
    )
    mx_port: int = Field(default=25, ge=1, le=65535, description="port of MX hosts; another one for tests")

    connections: int = Field(
        default=50, ge=1, le=2000, description="connections of this process to other hosts at a time"
    )
    connections_per_destination: int = Field(
        default=5, ge=1, le=100, description="connections to one destination at a time, of all relays together"
    )
    retry_first: float = Field(default=900.0, gt=0, description="seconds to the second attempt; doubles after each")
    retry_most: float = Field(default=4 * 3600.0, gt=0, description="most seconds between two attempts")
    expire_after: float = Field(default=5 * 86400.0, gt=0, description="seconds until deferred mail is given back")
    warn_after: float = Field(default=0.0, ge=0, description="seconds until the sender hears of a delay; 0: never")
    retention_seconds: float = Field(default=3600.0, gt=0, description="seconds between two looks at what to forget")
    ledger_days: float = Field(
        default=30.0,
        ge=8,
        description="days that outcomes are kept for traces; at least a day more than the bus keeps an event",
    )
    captured_days: float = Field(default=30.0, ge=0, description="days that captured mail is kept; 0: for ever")
    captured_most: int = Field(default=100_000, ge=1, description="captured copies kept; beyond it the oldest go")
    captured_most_size: int = Field(default=1 << 30, ge=1, description="their bytes; beyond it the oldest go")
    lease_seconds: float = Field(default=120.0, ge=1, description="how long leased rows are ours without a renewal")

    @field_validator("routes")
    @classmethod
    def _routes_are_hosts(cls, routes: dict[str, str]) -> dict[str, str]:
        for target in routes.values():
            host_and_port(target)
        return routes

    @field_validator("dns_nameservers")
    @classmethod
    def _name_servers_are_addresses(cls, servers: list[str]) -> list[str]:
        for each in servers:
            ip_address(host_and_port(each, 53)[0])
        return servers

    @field_validator("smarthost")
    @classmethod
    def _smarthost_is_a_host(cls, smarthost: str) -> str:
        if smarthost:
            host_and_port(smarthost)
        return smarthost

    @model_validator(mode="after")
    def _a_smarthost_is_named(self) -> "Settings":
        if self.outbound == "smarthost" and not self.smarthost:
            raise ValueError("outbound is smarthost, but no smarthost is set")
        return self

    @model_validator(mode="after")
    def _our_name_can_be_said(self) -> "Settings":
        """Also the machine's own name, which nobody has looked at."""
        if not _NAME.fullmatch(self.hostname):
            raise ValueError(f"hostname {self.hostname!r} can't be said in EHLO: set BARID_HOSTNAME to a domain name")
        return self


def host_and_port(text: str, default: int | None = None) -> tuple[str, int]:
    """`host:port`, `[v6]:port`. Raises ValueError."""
    host, colon, port = text.rpartition(":")
    if (not colon or (host.count(":") and not host.endswith("]"))) and default is not None:
        return text.strip("[]"), default
    if not host or not port.isdecimal() or not port.isascii() or not 0 < int(port) < 65536:
        raise ValueError(f"{text!r} is no host:port")
    return host.strip("[]"), int(port)
