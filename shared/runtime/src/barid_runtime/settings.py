"""Settings of a service: environment, secrets folder, file; in that order of weight.

- `BARID_<FIELD>` in the environment.
- `BARID_SECRETS_DIR`: a folder with one file per secret, named as the field (`bus_password`), as container
  platforms mount them.
- `BARID_SETTINGS_FILE`: TOML. Top-level keys are for every service, a table named as the service for it alone.

Nothing is read at import: `load(SettingsOfMyService)` reads, once, at the start.
"""

import json
import os
import re
import socket
import sys
import tomllib
from pathlib import Path
from typing import Any, ClassVar, Literal, Self, TypeVar, get_origin
from urllib.parse import parse_qs, quote, urlencode, urlsplit

from pydantic import Field, FilePath, SecretStr, ValidationError, ValidationInfo, field_validator, model_validator
from pydantic.fields import FieldInfo
from pydantic_settings import BaseSettings, PydanticBaseSettingsSource, SettingsConfigDict

from .bus.access import Access
from .database.door import Place
from .database.port import READERS

PREFIX = "BARID_"
SECRET_MOST = 64 * 1024
"""Bytes of one secret file: a key with its chain fits."""

_NAME = re.compile(r"[A-Za-z0-9._-]{1,255}|\[[A-Za-z0-9.:]{1,60}\]")
"""What may stand in a greeting (RFC 5321 §4.1.3), not more strictly than names of machines are."""

_HOST = re.compile(r"[A-Za-z0-9.:%_-]{1,255}")
_SCHEMA = re.compile(r"[a-z_][a-z0-9_]{0,62}")

EXIT_SETTINGS = 78
"""EX_CONFIG of sysexits(3): a supervisor need not try again."""


class SettingsError(Exception):
    """The settings are wrong. Its text has one line per fault, each saying what to do."""


class ServiceSettings(BaseSettings):
    """What every service has. A service subclasses it and sets `section` to its name."""

    model_config = SettingsConfigDict(
        env_prefix=PREFIX,
        env_nested_delimiter="__",
        extra="ignore",
        frozen=True,
        enable_decoding=False,  # lists and tables are read below, from whatever source
        allow_inf_nan=False,  # of seconds: nobody can wait so long, and what is compared with nan is never late
    )

    section: ClassVar[str] = ""
    """The service's table in the settings file."""

    data: Path = Field(description="folder of journal, databases, certificates and secrets")
    bus_url: str = Field(
        default="nats://127.0.0.1:4222",
        description="NATS servers, comma-separated, each nats://host:port, or tls:// to insist on TLS",
    )
    bus_user: str = Field(default="", description="our name at the bus, if it asks for one")
    bus_password: SecretStr = Field(default=SecretStr(""), description="password of that name")
    bus_ca: FilePath | None = Field(
        default=None, description="PEM of the authorities that vouch for the bus; with it TLS is insisted on"
    )
    bus_certificate: FilePath | None = Field(
        default=None, description="PEM of our certificate, if the bus asks for one"
    )
    bus_key: FilePath | None = Field(default=None, description="PEM of its key")
    bus_replicas: int = Field(default=1, description="servers that keep each stream: 1, or 3 or 5 of a cluster")
    hostname: str = Field(default_factory=socket.gethostname, description="our name in greetings and Received")
    host: str = Field(default="127.0.0.1", description="address that listeners bind to")
    health_port: int | None = Field(default=None, ge=0, le=65535, description="0 takes any; none: no health server")
    drain_seconds: float = Field(default=20.0, ge=0, description="most seconds that a stop may take")
    otlp_endpoint: str = Field(
        default="", description="http://host:4318 of an OTLP receiver that is sent traces; empty: none are made"
    )
    trace_ratio: float = Field(default=1.0, ge=0, le=1, description="part of all mails that is traced, if any is")
    log_level: Literal["debug", "info", "warning", "error"] = Field(default="info", description="least that is logged")
    log_format: Literal["json", "console"] = Field(default="json", description="console is for people")

    @field_validator("*", mode="before")
    @classmethod
    def _lists_may_be_json(cls, value: Any, info: ValidationInfo) -> Any:
        """As in the environment, so in a secret file and where a command gives a setting as text."""
        if isinstance(value, str) and value[:1] in ("[", "{"):
            field = cls.model_fields[info.field_name or ""]
            if get_origin(field.annotation) in (tuple, list, set, frozenset, dict):
                try:
                    return json.loads(value)
                except ValueError:
                    pass
        return value

    @field_validator("bus_url")
    @classmethod
    def _names_servers(cls, value: str) -> str:
        for server in value.split(","):
            address = urlsplit(server.strip())
            if address.scheme not in ("nats", "tls") or not address.hostname or address.path.strip("/"):
                raise ValueError("each server is written nats://host:port or tls://host:port")
            if not is_port(address.netloc.rpartition("@")[2]):
                raise ValueError("a port must be a number up to 65535")
            if address.username is not None:
                raise ValueError("the log-in doesn't belong here: set BARID_BUS_USER and BARID_BUS_PASSWORD")
        return value

    @field_validator("otlp_endpoint")
    @classmethod
    def _is_a_receiver(cls, value: str) -> str:
        parts = urlsplit(value)
        if value and (parts.scheme not in ("http", "https") or not parts.hostname or parts.username or parts.query):
            raise ValueError("it must be http:// or https://, a host and perhaps a port and a path")
        return value

    @field_validator("hostname")
    @classmethod
    def _can_be_said(cls, value: str) -> str:
        if not _NAME.fullmatch(value):
            raise ValueError("it must be a domain name, or an address in [brackets]")
        return value

    @field_validator("host")
    @classmethod
    def _can_be_bound(cls, value: str) -> str:
        if not _HOST.fullmatch(value):
            raise ValueError("it must be one address, as 0.0.0.0 or ::1, or one name")
        return value

    @field_validator("bus_replicas")
    @classmethod
    def _has_a_majority(cls, value: int) -> int:
        if value not in (1, 3, 5):
            raise ValueError("it must be 1, 3 or 5")
        return value

    @model_validator(mode="after")
    def _certificate_has_its_key(self) -> Self:
        if (self.bus_certificate is None) != (self.bus_key is None):
            raise ValueError("bus_certificate and bus_key go together: set both or neither")
        return self

    @property
    def bus(self) -> Access:
        return Access(
            self.bus_url,
            self.bus_user,
            self.bus_password.get_secret_value(),
            self.bus_ca,
            self.bus_certificate,
            self.bus_key,
            self.bus_replicas,
        )

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,
        file_secret_settings: PydanticBaseSettingsSource,
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        return init_settings, env_settings, _SecretsFolder(settings_cls), _SettingsFile(settings_cls)


class DatabaseSettings(ServiceSettings):
    """Of a service that has tables: in a file of its own, or in its schema of the cluster's PostgreSQL."""

    database_url: SecretStr = Field(
        default=SecretStr(""), description="postgresql://user:password@host:port/database; empty: a file in `data`"
    )
    database_ca: FilePath | None = Field(
        default=None,
        description="PEM of the authorities that vouch for PostgreSQL; with it TLS is insisted on",
    )
    database_schema: str = Field(default="", description="schema of our tables; empty: named as the service")
    database_readers: int = Field(default=READERS, ge=1, le=100, description="connections of each process that read")

    @field_validator("database_schema")
    @classmethod
    def _is_a_name(cls, value: str) -> str:
        if value and not _SCHEMA.fullmatch(value):
            raise ValueError("it must begin with a letter or _ and have at most 63 of a-z, 0-9 and _")
        return value

    @field_validator("database_url")
    @classmethod
    def _is_a_url(cls, value: SecretStr) -> SecretStr:
        if (url := value.get_secret_value()) and not url.startswith(("postgresql://", "postgres://")):
            raise ValueError("it must begin with postgresql://")
        if not all(is_port(server) for server in urlsplit(url).netloc.rpartition("@")[2].split(",")):
            raise ValueError(
                "a port must be a number up to 65535 (in a password, write / as %2F, ? as %3F, # as %23 and @ as %40)"
            )
        _check_tls(parse_qs(urlsplit(url).query))
        return value

    @model_validator(mode="after")
    def _says_once_whom_to_trust(self) -> Self:
        if self.database_ca is not None:
            if not (url := self.database_url.get_secret_value()):
                raise ValueError("database_ca is of no use without database_url: set it, too, or remove database_ca")
            if parse_qs(urlsplit(url).query).keys() & {"sslmode", "sslrootcert"}:
                raise ValueError("database_ca says how TLS is used: remove sslmode and sslrootcert from database_url")
        return self

    @property
    def place(self) -> Place:
        return Place(
            self.data / f"{self.section}.db",
            self._trusting(self.database_url.get_secret_value()),
            self.database_schema or self.section,
            self.database_readers,
        )

    def _trusting(self, url: str) -> str:
        """The driver takes it as a part of the URL, so whoever has that needs no second thing."""
        if self.database_ca is None:
            return url
        trust = urlencode({"sslmode": "verify-full", "sslrootcert": str(self.database_ca.absolute())}, quote_via=quote)
        return f"{url}{'&' if urlsplit(url).query else '?'}{trust}"


def _check_tls(query: dict[str, list[str]]) -> None:
    """The driver would look for authorities in a home folder, and take any certificate if there are none."""
    mode, authorities = query.get("sslmode", [""])[-1], query.get("sslrootcert", [""])[-1]
    if mode in ("require", "verify-ca", "verify-full") and not authorities:
        raise ValueError(f"sslmode={mode} needs to know whom to trust: remove it, and set BARID_DATABASE_CA")
    if authorities and not Path(authorities).is_file():
        raise ValueError(f"sslrootcert: {authorities} is no file")


def is_port(server: str) -> bool:
    """Whether what stands behind `host:` is one, if anything does. Python's own words for a wrong one repeat it, and
    with an odd password in a URL it is part of that."""
    _, colon, port = server.rpartition("]")[2].partition(":")
    return not colon or (port.isascii() and port.isdecimal() and 0 < int(port) < 1 << 16)


class _Prepared(PydanticBaseSettingsSource):
    """A source that has all its values at once."""

    def get_field_value(self, field: FieldInfo, field_name: str) -> tuple[Any, str, bool]:
        return None, field_name, False


class _SecretsFolder(_Prepared):
    def __call__(self) -> dict[str, Any]:
        folder = os.environ.get(f"{PREFIX}SECRETS_DIR")
        if not folder:
            return {}
        if not Path(folder).is_dir():
            raise SettingsError(f"{PREFIX}SECRETS_DIR: {folder} is no folder; make it or unset the variable")
        values: dict[str, Any] = {}
        for name in self.settings_cls.model_fields:
            for path in (Path(folder, name), Path(folder, f"{PREFIX}{name}".lower())):
                if path.is_file():
                    with open(path, "rb") as file:
                        values[name] = file.read(SECRET_MOST).decode().rstrip("\r\n")
                    break
        return values


class _SettingsFile(_Prepared):
    def __call__(self) -> dict[str, Any]:
        name = os.environ.get(f"{PREFIX}SETTINGS_FILE")
        if not name:
            return {}
        try:
            with open(name, "rb") as file:
                content = tomllib.load(file)
        except OSError as error:
            raise SettingsError(
                f"{PREFIX}SETTINGS_FILE: {name}: {error.strerror}; correct the path or unset the variable"
            ) from None
        except tomllib.TOMLDecodeError as error:
            raise SettingsError(f"{name} is not TOML: {error}") from None
        fields = self.settings_cls.model_fields
        section = getattr(self.settings_cls, "section", "")
        own = content.get(section, {}) if section else {}
        if not isinstance(own, dict):
            raise SettingsError(f"{name}: [{section}] must be a table")
        if unknown := sorted(own.keys() - fields.keys()):
            raise SettingsError(f"{name}: [{section}] has no setting {', '.join(unknown)}; remove or rename it")
        return {key: value for key, value in content.items() if key in fields} | own


Settings = TypeVar("Settings", bound=ServiceSettings)


def load(settings_type: type[Settings], **given: Any) -> Settings:
    """Read the settings; `given` outweighs all sources. Raises SettingsError."""
    try:
        return settings_type(**given)
    except ValidationError as error:
        # One line a setting: what may be of two kinds, as a network of IPv4 or IPv6, is refused twice.
        faults: dict[str, list[str]] = {}
        for fault in error.errors():
            said = "" if fault["type"] == "missing" else fault["msg"].removeprefix("Value error, ")
            faults.setdefault(str(fault["loc"][0]) if fault["loc"] else "", []).append(said)
        raise SettingsError("\n".join(_line(settings_type, *each) for each in faults.items())) from None


def _line(settings_type: type[ServiceSettings], name: str, said: list[str]) -> str:
    """Of a setting, without its value: it may be a secret. name: empty for faults of several settings together, whose
    words name them. said: nothing for what is missing."""
    words = "; ".join(dict.fromkeys(said))
    if not name:
        return words
    variable = PREFIX + name.upper()
    where = f"set {variable}, or `{name}` in the settings file"
    field = settings_type.model_fields.get(name)
    purpose = f" ({field.description})" if field is not None and field.description else ""
    return f"{variable} is wrong{purpose}: {words}; {where}" if words else f"{variable} is missing{purpose}: {where}"


def load_or_exit(settings_type: type[Settings], **given: Any) -> Settings:
    """For `main`: print what is wrong and exit with EX_CONFIG."""
    try:
        return load(settings_type, **given)
    except SettingsError as error:
        print(error, file=sys.stderr)  # noqa: T201 - logs are not set up before the settings are known
        raise SystemExit(EXIT_SETTINGS) from None
