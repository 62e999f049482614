"""What an operator may decide about delivery."""

from typing import ClassVar

from pydantic import Field

from barid_runtime.settings import ServiceSettings


class Settings(ServiceSettings):
    section: ClassVar[str] = "mda"

    create_details: bool = Field(
        default=False,
        description="mail to user+detail@… makes the mailbox `detail` if there is none, instead of going to INBOX; with"
        " it strangers make mailboxes",
    )
    batches: int = Field(default=4, ge=1, le=64, description="batches settled at once")
    gather_ms: float = Field(
        default=3.0, ge=0, le=1000, description="under load, milliseconds that mail comes together before it is taken"
    )
