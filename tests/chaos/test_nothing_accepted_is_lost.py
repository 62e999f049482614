"""Processes die while mail comes in. Whatever got its 250 stands in its mailbox once: not lost, not doubled."""

import random
import shutil
import time

from barid_testing.mail_system import Account, MailSystem

from .load import Load, check

VICTIMS = ("smtp_ingress", "mda", "mailstore", "directory", "mss", "relay", "admin", "nats-server", "forkserver")

BETWEEN = 150
"""Messages accepted between two kills: every process is in the middle of something."""


def test_each_process_is_killed_in_turn(system: MailSystem, accounts: list[Account], round_number: int) -> None:
    load = Load(system, accounts).start()
    order = random.Random(round_number).sample(VICTIMS, len(VICTIMS))
    for name in order:
        load.until(more=BETWEEN)
        system.wait_restarted(name, system.kill(name))
    load.until(more=BETWEEN)
    load.stop()
    assert check(system, accounts, load) >= BETWEEN * len(VICTIMS)


def test_all_are_killed_at_one_instant(system: MailSystem, accounts: list[Account], round_number: int) -> None:
    load = Load(system, accounts).start()
    load.until(more=BETWEEN * 2)
    time.sleep(random.Random(round_number).random() * 0.2)
    system.kill_all()
    load.stop()
    system.start()
    check(system, accounts, load)


def test_a_bus_wiped_while_stopped_is_made_good(system: MailSystem, accounts: list[Account], round_number: int) -> None:
    """What stood only on the bus is found owed in the journal, and published again."""
    load = Load(system, accounts).start()
    load.until(more=BETWEEN * 2)
    system.kill_all()
    load.stop()
    shutil.rmtree(system.data / "nats")
    system.start()
    check(system, accounts, load)


def test_a_kill_at_the_start_and_at_the_end(system: MailSystem, accounts: list[Account], round_number: int) -> None:
    """Killed while it recovers from being killed, and again when it is asked to end."""
    load = Load(system, accounts).start()
    load.until(more=BETWEEN)
    system.kill_all()
    load.stop()
    for _ in range(2):
        system.start()
        system.kill_all()
    system.start()
    check(system, accounts, load)
    system.stop()
    system.start()
    check(system, accounts, load)
