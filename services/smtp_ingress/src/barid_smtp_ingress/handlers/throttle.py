"""How much mail one account, or one network, may hand in within an hour, whichever replica it comes to.

Counted at DATA: all recipients are known then, and no octet of the message has been sent in vain. What is refused is
not counted; what is taken there and fails later is, although its sender comes again.
"""

from barid_protocols.smtp import Reply
from barid_runtime.rates.shared import SharedRates

from ..policy import replies
from ..settings import Settings


class Throttle:
    def __init__(self, rates: SharedRates, settings: Settings) -> None:
        self._rates = rates
        self._messages = settings.max_messages_per_hour
        self._recipients = settings.max_recipients_per_hour
        self._of_network = settings.max_messages_per_network_per_hour

    def submission(self, account: str, recipients: int) -> Reply | None:
        """None if it may go on."""
        wants: list[tuple[str, int, int]] = []
        if self._messages:
            wants.append((f"messages/{account}", 1, self._messages))
        if self._recipients:
            if recipients > self._recipients:
                return replies.NEVER_SO_MANY
            wants.append((f"recipients/{account}", recipients, self._recipients))
        if wants and self._rates.take(wants) is not None:
            return replies.ACCOUNT_SENDS_TOO_MUCH
        return None

    def incoming(self, network: str) -> Reply | None:
        """From another system."""
        if self._of_network and self._rates.take([(f"network/{network}", 1, self._of_network)]) is not None:
            return replies.NETWORK_SENDS_TOO_MUCH
        return None
