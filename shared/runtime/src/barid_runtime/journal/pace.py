"""When the publisher's next message may go: at once while it is quiet, at a pace under load."""

BUSY = 8
"""Mails in one message that tell of load: their senders are many, so none of them waits to see its own mail filed. One
or two sessions that send as fast as they can make batches of 1 to 3, and never wait."""

GATHER = 0.025
"""Seconds from a message under load to the next. Each message costs nats-server, the MDA and the mailstore 0.1 to
0.2 ms of CPU whatever it carries (wake-ups, a transaction, a sync): with 20 sessions it carried 12 mails; 25 ms of the
1,000 to 1,400 a second that there were make twice that and more, and took a quarter off the CPU behind the ingress. A
mail is seen that much later, under load only."""

ENOUGH = 100
"""Mails that go without waiting: what more would save is below 1 µs a mail."""


class Pace:
    def __init__(self, gather: float = GATHER) -> None:
        self._gather = gather
        self._next = 0.0

    def sent(self, now: float, mails: int) -> None:
        """A message went with so many. now: of a clock in seconds that never goes back."""
        self._next = now + self._gather if mails >= BUSY else 0.0

    def wait(self, now: float, mails: int) -> float:
        """Seconds until a message with so many may go."""
        return max(0.0, self._next - now) if mails < ENOUGH else 0.0
