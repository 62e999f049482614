"""Peers that hold a connection for minutes: each is told, at its time, and cut off. It takes these minutes."""

import contextlib
import time

import pytest

from barid_testing.mail_system import Account, MailSystem

from .conftest import LogLines
from .wire import Smtp, Wire

COMMAND = 300
"""Seconds that RFC 5321 §4.5.3.2 asks for. A message must have a pace, and a stranger have logged in, sooner than that.
"""

SWEEP = 30
"""Seconds of grace on a busy machine."""


@pytest.mark.slow
def test_slow_peers_of_all_doors(besieged: MailSystem, victim: Account, log_lines: LogLines) -> None:
    with contextlib.ExitStack() as stack:
        silent = stack.enter_context(Smtp(besieged.smtp))
        dribbling = stack.enter_context(Smtp(besieged.smtp))
        messages = [stack.enter_context(Smtp(besieged.smtp)).begin(victim.address) for _ in range(20)]
        strangers = [stack.enter_context(Wire(endpoint)) for endpoint in (besieged.imap, besieged.pop3)]
        encrypted = [stack.enter_context(Wire(endpoint)) for endpoint in (besieged.submissions, besieged.imaps)]
        began = time.monotonic()
        while time.monotonic() - began < COMMAND + SWEEP:
            for client in (dribbling, *messages, strangers[0]):
                with contextlib.suppress(OSError):
                    client.send(b"x")
            time.sleep(5)
        assert silent.reply() == (421, "4.4.2 Timed out, closing")
        assert dribbling.reply() == (421, "4.4.2 Timed out, closing")
        assert all(client.reply() == (421, "4.4.2 Timed out, closing") for client in messages)
        assert b"* BYE " in strangers[0].read_to_end()
        assert b"-ERR " in strangers[1].read_to_end()
        for client in encrypted:
            assert client.is_closed()
    assert len([line for line in log_lines.of("cut off") if line["reason"] == "too slow"]) == 22
    assert len([line for line in log_lines.of("cut off") if "log-in" in line["reason"]]) == 2
