"""What an operator may decide about the admin API."""

from pathlib import Path
from typing import Annotated, ClassVar

from pydantic import Field, SecretStr, StringConstraints, model_validator

from barid_runtime.journal.settings import JournalSettings

KeyHash = Annotated[str, StringConstraints(pattern=r"^[0-9a-fA-F]{64}$")]
"""Hex SHA-256 of an API key: `printf %s KEY | sha256sum`."""


class Settings(JournalSettings):
    """Keys: one in clear from a secret (`admin_api_key`), or any number by their SHA-256, so that the settings hold
    nothing that opens a door. A reader's key may only look."""

    section: ClassVar[str] = "admin"

    admin_port: int = Field(default=8080, ge=0, le=65535, description="port of the REST API; 0 takes any")
    admin_preload: bool = Field(
        default=False, description="load the web framework (0.4 s, 14 MB) at the start, not at the first connection"
    )
    admin_api_key: SecretStr = Field(default=SecretStr(""), description="a key that may do everything")
    admin_key_hashes: tuple[KeyHash, ...] = Field(default=(), description="SHA-256 of keys that may do everything")
    admin_reader_hashes: tuple[KeyHash, ...] = Field(default=(), description="SHA-256 of keys that may only look")

    @model_validator(mode="after")
    def _there_is_a_key(self) -> "Settings":
        if not (self.admin_api_key.get_secret_value() or self.admin_key_hashes or self.admin_reader_hashes):
            raise ValueError("no API key: set BARID_ADMIN_API_KEY, or put it into a secret file admin_api_key")
        return self

    @property
    def journal(self) -> Path:
        return self.data / "journal"
