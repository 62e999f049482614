"""What an operator may decide about delivery."""

from typing import ClassVar

from pydantic import Field

from barid_runtime.settings import ServiceSettings


class Settings(ServiceSettings):
    """create_details: mail to `user+detail@…` makes the mailbox `detail` if there is none, instead of going to INBOX;
    off, because then strangers make mailboxes. batches: settled at once. gather_ms: under load only, how long messages
    are let come together before they are taken."""

    section: ClassVar[str] = "mda"

    create_details: bool = False
    batches: int = Field(default=4, ge=1, le=64)
    gather_ms: float = Field(default=3.0, ge=0, le=1000)
