"""The settings of whoever opens a journal or its bodies. Mixed into the settings of a service."""

import re
from urllib.parse import urlsplit

from pydantic import Field, FilePath, SecretStr, ValidationInfo, field_validator

from ..objects import place
from ..settings import ServiceSettings
from .door import JournalPlace

_BUCKET = re.compile(r"[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]")
_LEAST_KEY = 3


class JournalSettings(ServiceSettings):
    """Packs and bodies: in `data`, or, where `s3_url` is set, in a bucket."""

    s3_url: str = Field(default="", description="https://host[:port] of the S3 store; empty: journal in `data`")
    s3_bucket: str = Field(default="", validate_default=True, description="bucket of packs and bodies")
    s3_access_key: str = Field(default="", validate_default=True, description="name of our key at the S3 store")
    s3_secret_key: SecretStr = Field(default=SecretStr(""), validate_default=True, description="secret of that key")
    s3_ca: FilePath | None = Field(
        default=None, description="PEM of the authorities that vouch for the S3 store, instead of the system's"
    )
    s3_region: str = Field(default="us-east-1", min_length=1, description="region of the bucket, as its store calls it")
    s3_window: float = Field(default=place.WINDOW, ge=0, le=10, description="seconds that mail is gathered for one PUT")
    s3_pack_bytes: int = Field(
        default=place.PACK_BYTES, ge=64 * 1024, le=64 * 1024 * 1024, description="bytes that make a PUT go at once"
    )
    s3_keep_seconds: float = Field(
        default=place.KEEP,
        ge=0,
        le=place.KEEP_MOST,
        description="seconds that a local copy of what was PUT is kept; 0 keeps none",
    )
    s3_put_seconds: float = Field(
        default=place.PUT_SECONDS, ge=1, le=540, description="seconds that a PUT is tried before its mail is refused"
    )
    s3_put_margin: float = Field(
        default=place.PUT_MARGIN,
        ge=1,
        le=3600,
        description="seconds after that before others look at what it brought: longer than clocks differ",
    )
    s3_puts: int = Field(default=place.PUTS, ge=1, le=64, description="PUTs of this process under way at once")
    s3_cache: int = Field(default=place.CACHE, ge=0, description="bytes of bodies read lately, kept in memory")

    @field_validator("s3_url")
    @classmethod
    def _is_an_endpoint(cls, value: str) -> str:
        if not value:
            return value
        parts = urlsplit(value)
        if parts.scheme not in ("http", "https") or not parts.hostname or parts.username or parts.query:
            raise ValueError("it must be http:// or https://, a host and perhaps a port, without user and password")
        if parts.path not in ("", "/"):
            raise ValueError("it must end with the host or port: the bucket is a setting of its own")
        try:
            parts.port  # noqa: B018 - it raises where it is no number
        except ValueError:
            raise ValueError("its port must be a number up to 65535") from None
        return value.rstrip("/")

    @field_validator("s3_ca")
    @classmethod
    def _is_of_use(cls, value: FilePath | None, info: ValidationInfo) -> FilePath | None:
        if value is not None and not info.data.get("s3_url", "https:").startswith("https:"):
            raise ValueError("it is of no use where BARID_S3_URL is not https://")
        return value

    @field_validator("s3_bucket")
    @classmethod
    def _is_a_bucket(cls, value: str, info: ValidationInfo) -> str:
        if info.data.get("s3_url") and not _BUCKET.fullmatch(value):
            raise ValueError("with BARID_S3_URL it must name a bucket: 3 to 63 of a-z, 0-9, . and -")
        return value

    @field_validator("s3_access_key")
    @classmethod
    def _has_a_key(cls, value: str, info: ValidationInfo) -> str:
        if info.data.get("s3_url") and len(value) < _LEAST_KEY:
            raise ValueError("with BARID_S3_URL it must name a key")
        return value

    @field_validator("s3_secret_key")
    @classmethod
    def _has_a_secret(cls, value: SecretStr, info: ValidationInfo) -> SecretStr:
        if info.data.get("s3_url") and not value.get_secret_value():
            raise ValueError("with BARID_S3_URL there must be one, best as a file of BARID_SECRETS_DIR")
        return value

    @property
    def journal_place(self) -> JournalPlace:
        """Where packs and bodies stand."""
        bucket = None
        if self.s3_url:
            bucket = place.S3Place(
                self.s3_url,
                self.s3_bucket,
                self.s3_access_key,
                self.s3_secret_key.get_secret_value(),
                self.s3_region,
                self.s3_window,
                self.s3_pack_bytes,
                self.s3_keep_seconds,
                self.s3_put_seconds,
                self.s3_puts,
                self.s3_cache,
                self.s3_put_margin,
                ca=self.s3_ca,
            )
        return JournalPlace(self.data / "journal", bucket)
