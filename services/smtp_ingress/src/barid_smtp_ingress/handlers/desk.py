"""What all conversations share."""

from dataclasses import dataclass

from barid_runtime.clock import Clock
from barid_runtime.journal.port import JournalWriter

from ..policy.limits import Connections
from ..settings import Settings
from .accounts import Accounts
from .quota import QuotaState
from .recipients import Recipients
from .throttle import Throttle


@dataclass(frozen=True, slots=True)
class Desk:
    settings: Settings
    clock: Clock
    journal: JournalWriter
    recipients: Recipients
    accounts: Accounts
    quota: QuotaState
    connections: Connections
    throttle: Throttle
