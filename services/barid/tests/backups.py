"""What a mailbox holds, as a client sees it; and backups made and put back without the command."""

import asyncio
import hashlib
import imaplib
import re
from collections import Counter
from dataclasses import dataclass
from pathlib import Path

from barid.backup.layout import Backup, choose
from barid.backup.places import by_settings
from barid.backup.restoring import Restored, restore
from barid.backup.saving import back_up
from barid_testing.mail_system import Account, MailSystem

_FLAGS = re.compile(rb"FLAGS \(([^)]*)\)")


@dataclass(frozen=True)
class Seen:
    """mails: SHA-256 of the whole and flags (without \\Recent), each as often as it is there."""

    uidvalidity: int
    uids: list[int]
    mails: Counter[tuple[str, frozenset[bytes]]]
    subjects: Counter[str]


def look(system: MailSystem, account: Account, mailbox: str = "INBOX") -> Seen:
    with imaplib.IMAP4(system.imap.host, system.imap.port, timeout=60) as client:
        client.login(account.login, account.password)
        status, _ = client.select(f'"{mailbox}"', readonly=True)
        assert status == "OK", mailbox
        uidvalidity = int(client.response("UIDVALIDITY")[1][0] or 0)
        found: list[object] = []
        if client.untagged_responses["EXISTS"] != [b"0"]:
            # NO, if a body is not there.
            status, found = client.fetch("1:*", "(UID FLAGS BODY.PEEK[])")
            assert status == "OK", found
        mails: Counter[tuple[str, frozenset[bytes]]] = Counter()
        subjects: Counter[str] = Counter()
        uids: list[int] = []
        for part in found:
            if isinstance(part, tuple):
                flags = _FLAGS.search(part[0])
                uid = re.search(rb"UID (\d+)", part[0])
                assert flags is not None and uid is not None
                uids.append(int(uid[1]))
                mails[hashlib.sha256(part[1]).hexdigest(), frozenset(flags[1].split()) - {b"\\Recent"}] += 1
                subject = re.search(rb"^Subject: (.*?)\r$", part[1], re.MULTILINE)
                assert subject is not None
                subjects[subject[1].decode()] += 1
        return Seen(uidvalidity, uids, mails, subjects)


def save(data: Path, root: Path, *, journal: bool = True) -> Backup:
    return asyncio.run(back_up(by_settings(data), root, journal=journal))


def put_back(root: Path, data: Path, *, keep_journal: bool = False) -> Restored:
    return asyncio.run(restore(choose(root), by_settings(data), keep_journal=keep_journal))
