"""When all is done that a system has to do."""

import time

from barid_testing.mail_system import MailSystem

from .estate import Estate, owed, spooled, unfinished
from .sizes import Size

LOOK_SECONDS = 0.2
TELL_SECONDS = 5.0


def become_quiet(system: MailSystem, estate: Estate, size: Size) -> None:
    """Nothing is owed, nothing waits in a queue, nothing is held."""
    began = time.monotonic()
    end = began + size.quiet_within
    told = began
    while (left := owed(estate)) or (rows := unfinished(estate)):
        if time.monotonic() > told + TELL_SECONDS:
            told = time.monotonic()
            print(f"not quiet after {told - began:.0f} s: {len(left)} owed, {rows if not left else unfinished(estate)}")
        if time.monotonic() > end:
            waiting = rows if not left else {"owed": sorted(left)[:10], **unfinished(estate)}
            raise AssertionError(f"still at work after {size.quiet_within:.0f} s: {waiting}\n{system.log()}")
        time.sleep(LOOK_SECONDS)
    print(f"quiet after {time.monotonic() - began:.1f} s")


def surprises(system: MailSystem) -> list[str]:
    """What the log has of exceptions that nobody foresaw. Redelivery makes them good, so the books don't show them."""
    return [line[:2000] for line in system.log_file.read_text().splitlines() if "Traceback" in line][:5]


def leave_nothing_behind(system: MailSystem, estate: Estate, size: Size) -> None:
    """Stopped in order and started again, every pack of before is closed and no message is half on its way in."""
    system.stop()
    assert spooled(system.data) == []
    system.start()
    assert unfinished(estate) == {}
    end = time.monotonic() + size.quiet_within
    while left := estate.not_closed():
        assert time.monotonic() < end, f"not closed: {left}\n{system.log()}"
        time.sleep(LOOK_SECONDS)
