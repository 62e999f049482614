"""What became of the PUTs of a journal in a bucket: counted where they happen, for metrics and for operators."""

from collections.abc import Callable


def _unheard(seconds: float) -> None: ...


class Puts:
    """place: URL and bucket. All on the loop; a microsecond a PUT."""

    def __init__(self, place: str) -> None:
        self.place = place
        self.done = 0
        self.retries = 0
        """Tries that failed, and were or will be followed by another."""
        self.failures = 0
        """Given up: their mail was refused."""
        self.last_at: float | None = None
        """Epoch seconds of the last success."""
        self.last_seconds = 0.0
        """That it took, tries that failed included."""
        self.observe: Callable[[float], None] = _unheard
        """Told the seconds of each success."""

    def succeeded(self, at: float, seconds: float) -> None:
        self.done += 1
        self.last_at = at
        self.last_seconds = seconds
        self.observe(seconds)
