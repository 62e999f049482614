"""The whole store, on the tables of one place."""

from barid_runtime.clock import Clock
from barid_runtime.database.door import Place, open_at
from barid_runtime.database.port import Database
from barid_runtime.ids import new_id

from ...ports.store import Store
from .accounts import TableAccounts
from .copying import TableCopying
from .duties import TableDuties
from .held import TableHeld
from .index import Index
from .ledger import TableLedger
from .mailboxes import TableMailboxes
from .messages import TableMessages
from .outbox import TableOutbox
from .owned import OwnedIndex
from .quotas import TableQuotas
from .references import TableBodies
from .retention import TableRetention
from .scripts import TableScripts
from .settling import TableSettling
from .shared import SharedIndex
from .views import TableViews

MIGRATIONS = "barid_mailstore.adapters.migrations"


async def open_store(place: Place, clock: Clock) -> tuple[Store, TableOutbox, Database]:
    """Its schema brought up to date. Close the database in the end. Raises DatabaseError."""
    database = await open_at(place, MIGRATIONS)
    return *table_store(database, clock, shared=bool(place.url)), database


def table_store(database: Database, clock: Clock, *, shared: bool = False) -> tuple[Store, TableOutbox]:
    """shared: by replicas, on PostgreSQL; else the database has one owner."""
    index: Index = SharedIndex(database, clock) if shared else OwnedIndex(database, clock)
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
        duties=TableDuties(index, new_id(), shared=shared),
    )
    return store, TableOutbox(index, claiming=shared)
