"""What an operator may decide about the directory."""

from typing import ClassVar

from pydantic import Field

from barid_runtime.settings import DatabaseSettings

MOST_FAILURES = 20
"""People mistype thrice; programs with an old password try each minute."""


class Settings(DatabaseSettings):
    """postmaster: who reads what is sent to `postmaster` where nobody has that address; empty: the domain's first
    account. hashing_threads: passwords hashed at once, each taking 19 MiB and a core for some 20 ms."""

    section: ClassVar[str] = "directory"

    postmaster: str = ""
    hashing_threads: int = Field(default=2, ge=1, le=64)
    max_failed_logins: int = Field(
        default=MOST_FAILURES, ge=1, le=10_000, description="per network within ten minutes, before it must wait"
    )
