"""A mailstore that is killed again and again while clients upload and copy: an OK is there once, a NO not at all."""

import asyncio
import os
import re
import signal
import sys
from collections import Counter

from barid_contracts.store import MAILBOX_STATUS, MailboxName
from barid_runtime.bus.port import BusError
from barid_runtime.bus.typed import call

from .house import House, Raw, letter

KILLS = 3
PATIENCE = 40.0
"""Seconds for an answer: more than the server takes to say that nobody knows."""


async def start_mailstore(house: House) -> asyncio.subprocess.Process:
    environment = {**os.environ, "BARID_DATA": str(house.data), "BARID_BUS_URL": house.nats_url}
    child = await asyncio.create_subprocess_exec(sys.executable, "-m", "barid_mailstore", env=environment)
    async with asyncio.timeout(30):
        while True:
            try:
                await call(house.bus, MAILBOX_STATUS, MailboxName(account=house.accounts["bob"], name="INBOX"))
                return child
            except BusError:
                await asyncio.sleep(0.02)


class Client:
    """Asks for one thing after the other, and keeps what it was told of each: OK, NO, or nothing."""

    def __init__(self, house: House, mailbox: str | None = None) -> None:
        self._house = house
        self._mailbox = mailbox
        self._raw: Raw | None = None
        self.told: dict[int, str] = {}

    async def ask(self, number: int, command: bytes) -> None:
        try:
            if self._raw is None:
                self._raw = await self._house.imap(mailbox=self._mailbox)
        except AssertionError:
            await asyncio.sleep(0.05)  # SELECT while the mailstore is away
            return
        tag = b"n%d" % number
        self._raw.send(tag + b" " + command + b"\r\n")
        try:
            _, end = await self._raw.answer(tag, within=PATIENCE)
            self.told[number] = end[:2].decode()
            if self.told[number] == "NO":
                await asyncio.sleep(0.02)
        except (AssertionError, ConnectionError):
            self.told[number] = "unknown"
            self._raw = None


async def test_an_ok_is_there_once_and_a_no_not_at_all(house: House) -> None:
    first = await house.imap(mailbox="INBOX")
    for _ in range(2):
        await first.append(letter())
    await house.stop_mailstore()
    child = await start_mailstore(house)
    going = True
    uploads = [Client(house) for _ in range(3)]
    copies = Client(house, "INBOX")

    async def upload(client: Client, start: int) -> None:
        number = start
        while going:
            message = letter(f"no{number:06}")
            await client.ask(number, b"APPEND Sent {%d+}\r\n" % len(message) + message)
            number += 1

    async def copy() -> None:
        number = 0
        while going:
            await copies.ask(number, b"COPY 1:2 Archive")
            number += 1

    works = [asyncio.ensure_future(upload(client, 100_000 * k)) for k, client in enumerate(uploads)]
    works.append(asyncio.ensure_future(copy()))
    try:
        for kill in range(KILLS):
            await asyncio.sleep(0.5 + 0.13 * kill)
            child.send_signal(signal.SIGKILL)
            await child.wait()
            child = await start_mailstore(house)
        await asyncio.sleep(0.5)
        going = False
        await asyncio.gather(*works)
        reader = await house.imap(mailbox="Sent")
        rows = await reader.ok("FETCH 1:* BODY.PEEK[HEADER.FIELDS (SUBJECT)]", within=30)
        there = Counter(int(match[1]) for row in rows if (match := re.search(rb"no(\d{6})", row)))
        told = {number: said for client in uploads for number, said in client.told.items()}
        assert [number for number, said in told.items() if said == "OK" and there[number] != 1] == []
        assert [number for number, said in told.items() if said == "NO" and there[number]] == []
        assert [number for number, times in there.items() if times > 1] == []
        said = Counter(copies.told.values())
        (status,) = await reader.ok("STATUS Archive (MESSAGES)")
        messages = int(status.rpartition(b" ")[2].rstrip(b")"))
        assert 2 * said["OK"] <= messages <= 2 * (said["OK"] + said["unknown"])
        assert said["OK"] > KILLS
        assert list(told.values()).count("OK") > KILLS
    finally:
        going = False
        child.send_signal(signal.SIGTERM)
        await child.wait()
        await asyncio.gather(*works, return_exceptions=True)
