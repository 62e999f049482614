"""The whole store on one SQLite file."""

from barid_runtime.clock import Clock
from barid_runtime.database.port import Database

from ...ports.store import Store
from .accounts import TableAccounts
from .copying import TableCopying
from .held import TableHeld
from .index import Index
from .ledger import TableLedger
from .mailboxes import TableMailboxes
from .messages import TableMessages
from .outbox import TableOutbox
from .quotas import TableQuotas
from .references import TableBodies
from .retention import TableRetention
from .scripts import TableScripts
from .settling import TableSettling
from .views import TableViews


def table_store(database: Database, clock: Clock) -> tuple[Store, TableOutbox]:
    index = Index(database, clock)
    store = Store(
        settling=TableSettling(index),
        mailboxes=TableMailboxes(index),
        messages=TableMessages(index),
        copying=TableCopying(index),
        views=TableViews(index),
        ledger=TableLedger(index),
        held=TableHeld(index),
        scripts=TableScripts(index),
        quotas=TableQuotas(index),
        bodies=TableBodies(index),
        accounts=TableAccounts(index),
        retention=TableRetention(index),
    )
    return store, TableOutbox(index)
