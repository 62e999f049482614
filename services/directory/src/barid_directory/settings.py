"""What an operator may decide about the directory."""

from pathlib import Path

from barid_runtime.settings import ServiceSettings


class Settings(ServiceSettings):
    """postmaster: who reads what is sent to `postmaster` where nobody has that address; empty: the domain's first
    account. hashing_threads: passwords hashed at once, each taking 19 MiB and a core for some 20 ms."""

    postmaster: str = ""
    hashing_threads: int = 2

    @property
    def database(self) -> Path:
        return self.data / "directory.db"
