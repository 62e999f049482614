"""The whole store on one SQLite file."""

from barid_runtime.clock import Clock
from barid_runtime.database.port import Database

from ...ports.store import Store
from .accounts import SqliteAccounts
from .copying import SqliteCopying
from .held import SqliteHeld
from .index import Index
from .ledger import SqliteLedger
from .mailboxes import SqliteMailboxes
from .messages import SqliteMessages
from .outbox import SqliteOutbox
from .quotas import SqliteQuotas
from .references import SqliteBodies
from .retention import SqliteRetention
from .scripts import SqliteScripts
from .settling import SqliteSettling
from .views import SqliteViews


def sqlite_store(database: Database, clock: Clock) -> tuple[Store, SqliteOutbox]:
    index = Index(database, clock)
    store = Store(
        settling=SqliteSettling(index),
        mailboxes=SqliteMailboxes(index),
        messages=SqliteMessages(index),
        copying=SqliteCopying(index),
        views=SqliteViews(index),
        ledger=SqliteLedger(index),
        held=SqliteHeld(index),
        scripts=SqliteScripts(index),
        quotas=SqliteQuotas(index),
        bodies=SqliteBodies(index),
        accounts=SqliteAccounts(index),
        retention=SqliteRetention(index),
    )
    return store, SqliteOutbox(index)
