"""Settings of the mailstore."""

from typing import ClassVar

from pydantic import Field

from barid_runtime.journal.settings import JournalSettings
from barid_runtime.settings import DatabaseSettings


class Settings(DatabaseSettings, JournalSettings):
    section: ClassVar[str] = "mailstore"

    reconcile_seconds: float = Field(default=30.0, gt=0, description="seconds between two looks at what is owed")
    reconcile_grace: float = Field(
        default=30.0, ge=0, description="seconds that a mail may be under way before it is published again"
    )
    reconcile_grace_at_start: float = Field(default=5.0, ge=0, description="the same at the first look after a start")
    delete_grace: float = Field(
        default=3600.0, ge=0, description="seconds that a pack which nothing refers to is kept: longer than any APPEND"
    )
    retention_seconds: float = Field(default=3600.0, gt=0, description="seconds between two looks at what to forget")
    ledger_days: float = Field(
        default=30.0,
        ge=8,
        description="days that outcomes are kept for traces; at least a day more than the bus keeps an event",
    )
    tombstone_days: float = Field(
        default=30.0, ge=0, description="days after which a client reads a mailbox anew instead of what was expunged"
    )
    account_grace_days: float = Field(
        default=7.0, ge=0, description="days that the mail of an account is kept which the directory does not know"
    )
