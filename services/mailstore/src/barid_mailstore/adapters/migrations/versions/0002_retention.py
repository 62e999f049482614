"""What may be forgotten, and when.

An account remembers when the directory lost it, not only that it did. A tombstone has its time, and a mailbox the
MODSEQ up to which tombstones may be missing. Messages of a mailbox that was removed are deleted later, a few at a time:
its number waits in `grave`. A pack that was closed says so here as well as by its marker: rows of the ledger go on the
word that it is never scanned again, and a folder copied without its empty files must not bring deleted mail back.
"""

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None

BigId = sa.BigInteger().with_variant(sa.Integer, "sqlite")
Big = sa.BigInteger
Key = sa.Text().with_variant(sa.Text(collation="C"), "postgresql")


def upgrade() -> None:
    op.add_column("account", sa.Column("gone_at", Big))
    op.add_column("mailbox", sa.Column("forgotten", Big, nullable=False, server_default=sa.text("0")))
    op.add_column("tombstone", sa.Column("at", Big, nullable=False, server_default=sa.text("0")))
    op.create_table("grave", sa.Column("mailbox", BigId, primary_key=True, autoincrement=False))
    op.create_table("closed", sa.Column("name", Key, primary_key=True), sqlite_with_rowid=False)
