"""What views, summaries and changes of a mailbox of 10,000 messages cost, without the bus.

Run: python services/mailstore/bench/reading_price.py
"""

import json
import tempfile
import time
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import settle_price
import uvloop

from barid_contracts.settle import SettleRequest
from barid_contracts.store import FindRequest, ViewRequest
from barid_mailstore.adapters.tables.store import table_store
from barid_runtime.clock import SystemClock
from barid_runtime.database.migrations import migrate
from barid_runtime.database.sqlite import open_database

ROWS = 10_000


async def best(name: str, work: Callable[[], Awaitable[Any]], times: int = 5) -> Any:
    prices, result = [], None
    for _ in range(times):
        begun = time.perf_counter()
        result = await work()
        prices.append(time.perf_counter() - begun)
    print(f"{name}: {min(prices) * 1e3:.2f} ms")  # noqa: T201
    return result


async def main() -> None:
    settle_price.ACCOUNTS, settle_price.MESSAGES = 1, ROWS
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "mailstore.db"
        await migrate(path, "barid_mailstore.adapters.migrations")
        database = open_database(path)
        store, _ = table_store(database, SystemClock())
        for payload in settle_price.requests(100, 1):
            await store.settling.settle(SettleRequest.model_validate_json(payload))
        account = f"account{0:022d}"
        box = await store.mailboxes.status(account, "INBOX")
        assert box is not None
        everything = list(range(1, ROWS + 1))

        async def view() -> bytes:
            return (await store.views.view(ViewRequest(account=account, mailbox=box.id))).model_dump_json().encode()

        async def status() -> bytes:
            info = await store.mailboxes.status(account, "INBOX")
            assert info is not None
            return info.model_dump_json().encode()

        def summaries(*fields: str) -> Callable[[], Awaitable[int]]:
            async def ask() -> int:
                wanted, replies = everything, 0
                while wanted:
                    reply = await store.views.summaries(account, box.id, wanted, list(fields))
                    wanted, replies = json.loads(reply[reply.rindex(b'"more":') + 7 : -1]), replies + 1
                return replies

            return ask

        await best("STATUS", status)
        await best(f"VIEW of {ROWS}", view)
        for fields in (("size", "date"), ("size", "envelope"), ("envelope", "structure", "headers", "body")):
            await best(f"SUMMARIES of {ROWS}: {', '.join(fields)}", summaries(*fields), 3)
        await best(
            "FIND by subject", lambda: store.views.find(FindRequest(account=account, subject="nothing like it")), 2
        )
        flip = iter(["add", "remove"] * 3)
        await best("STORE of all", lambda: store.messages.store(account, box.id, None, next(flip), ["\\Seen"], None), 4)
        await best("STORE of one", lambda: store.messages.store(account, box.id, [50], next(flip), ["\\Seen"], None), 2)
        await best("COPY of all", lambda: store.copying.copy(account, box.id, everything, "Archive", move=False), 2)
        await best("EXPUNGE of all", lambda: store.messages.expunge(account, box.id, None, only_deleted=False), 1)
        await best("sweep", store.bodies.sweep, 2)
        await database.close()


if __name__ == "__main__":
    uvloop.run(main())
