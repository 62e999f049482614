"""What an operator may decide about the directory."""

import re
from typing import ClassVar

from pydantic import Field, field_validator

from barid_runtime.settings import DatabaseSettings

MOST_FAILURES = 20
"""People mistype thrice; programs with an old password try each minute."""

_ADDRESS = re.compile(r"\S+@[^\s@]+")


class Settings(DatabaseSettings):
    section: ClassVar[str] = "directory"

    postmaster: str = Field(
        default="",
        description="address that gets what is sent to `postmaster` where nobody has that name; empty: the domain's"
        " first account",
    )
    hashing_threads: int = Field(
        default=2, ge=1, le=64, description="passwords hashed at once, each taking 19 MiB and a core for some 20 ms"
    )
    max_failed_logins: int = Field(
        default=MOST_FAILURES, ge=1, le=10_000, description="per network within ten minutes, before it must wait"
    )

    @field_validator("postmaster")
    @classmethod
    def _is_an_address(cls, value: str) -> str:
        # As a person errs; what is finer is for `policy.addresses`, which stands above the settings.
        if value and not _ADDRESS.fullmatch(value):
            raise ValueError("it must be an address, user@domain")
        return value
