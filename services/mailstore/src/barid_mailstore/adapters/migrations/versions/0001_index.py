"""The index, the ledger, the outbox, scripts.

`message` has no index by MODSEQ: it would cost 12 µs a row (a leaf page more of every mailbox in a batch), and the
only question that it answers, what changed since, is asked when an event was missed. `body` by pack and `message` by
body grow at their right edge and cost under 1 µs. There is no count of references to a body: the index by body is the
truth, and can't drift.

`state` is the one owner's of a file: its epoch, and the next number of a body. Replicas on PostgreSQL have an epoch in
each account's row instead, and a sequence for bodies. There, rows that deliveries change again and again (accounts,
mailboxes) leave room in their pages, so that a new version of a row needs no new entry in an index; and keys are
compared by bytes, whatever the language of the database.
"""

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None

BigId = sa.BigInteger().with_variant(sa.Integer, "sqlite")
Big = sa.BigInteger
Key = sa.Text().with_variant(sa.Text(collation="C"), "postgresql")


def upgrade() -> None:
    if op.get_context().dialect.name == "postgresql":
        op.execute("CREATE SEQUENCE body_numbers")
    op.create_table(
        "state",
        sa.Column("id", sa.Integer, primary_key=True),
        sa.Column("epoch", Big, nullable=False),
        sa.Column("next_body", Big, nullable=False),
    )
    op.create_table(
        "account",
        sa.Column("id", BigId, primary_key=True),
        sa.Column("uuid", Key, nullable=False, unique=True),
        sa.Column("quota", Big),
        sa.Column("uidvalidity", Big, nullable=False, server_default=sa.text("0")),
        sa.Column("epoch", Big, nullable=False, server_default=sa.text("0")),
        postgresql_with={"fillfactor": 70},
    )
    op.create_table(
        "mailbox",
        sa.Column("id", BigId, primary_key=True),
        sa.Column("account", Big, nullable=False),
        sa.Column("name", Key, nullable=False),
        sa.Column("uidvalidity", Big, nullable=False),
        sa.Column("uidnext", Big, nullable=False),
        sa.Column("modseq", Big, nullable=False),
        sa.Column("messages", Big, nullable=False),
        sa.Column("unseen", Big, nullable=False),
        sa.Column("deleted", Big, nullable=False),
        sa.Column("size", Big, nullable=False),
        sa.Column("special_use", sa.Text, nullable=False),
        sa.Column("selectable", sa.Boolean, nullable=False),
        sa.Column("keywords", sa.Text, nullable=False),
        sa.UniqueConstraint("account", "name"),
        postgresql_with={"fillfactor": 70},
        sqlite_autoincrement=True,  # sessions know mailboxes by id: none may come back as another
    )
    op.create_table(
        "retired",
        sa.Column("account", Big, primary_key=True),
        sa.Column("name", Key, primary_key=True),
        sa.Column("uidvalidity", Big, nullable=False),
        sqlite_with_rowid=False,
    )
    op.create_table(
        "subscription",
        sa.Column("account", Big, primary_key=True),
        sa.Column("name", Key, primary_key=True),
        sqlite_with_rowid=False,
    )
    op.create_table(
        "pack",
        sa.Column("id", BigId, primary_key=True),
        sa.Column("name", Key, nullable=False, unique=True),
    )
    op.create_table(
        "body",
        sa.Column("id", BigId, primary_key=True, autoincrement=False),
        sa.Column("mail_id", Key, nullable=False),
        sa.Column("pack", Big, nullable=False),
        sa.Column("offset", Big, nullable=False),
        sa.Column("head", Big, nullable=False),
        sa.Column("size", Big, nullable=False),
        sa.Column("message_id", sa.Text, nullable=False),
        sa.Column("reverse_path", sa.Text, nullable=False),
        sa.Column("subject", sa.Text, nullable=False),
        sa.Column("trace", sa.Text, nullable=False),
        sa.Column("headers_cut", sa.Boolean, nullable=False),
        sa.Column("parts", sa.Text, nullable=False),
        sa.Column("structure", sa.Text, nullable=False),
        sa.Column("envelope", sa.Text, nullable=False),
        sa.Column("headers", sa.Text, nullable=False),
    )
    op.create_index("body_pack", "body", ["pack"])
    op.create_table(
        "message",
        sa.Column("mailbox", Big, primary_key=True),
        sa.Column("uid", Big, primary_key=True),
        sa.Column("body", Big, nullable=False),
        sa.Column("flags", Big, nullable=False),
        sa.Column("modseq", Big, nullable=False),
        sa.Column("internaldate", Big, nullable=False),
        sa.Column("size", Big, nullable=False),
        sa.Column("prefix", sa.Text, nullable=False),
        sqlite_with_rowid=False,
    )
    op.create_index("message_body", "message", ["body"])
    op.create_table(
        "tombstone",
        sa.Column("mailbox", Big, primary_key=True),
        sa.Column("uid", Big, primary_key=True),
        sa.Column("modseq", Big, nullable=False),
        sqlite_with_rowid=False,
    )
    # A queue, so that who adds to it never waits for who empties it: a body may stand in it more than once.
    op.create_table("doomed", sa.Column("id", BigId, primary_key=True), sa.Column("body", Big, nullable=False))
    op.create_table(
        "ledger",
        sa.Column("mail_id", Key, primary_key=True),
        sa.Column("n", sa.Integer, primary_key=True),
        sa.Column("account", Big),
        sa.Column("outcome", sa.Text, nullable=False),
        sa.Column("at", Big, nullable=False),
        sa.Column("body", Big),
        sa.Column("address", sa.Text, nullable=False),
        sa.Column("reverse_path", sa.Text),
        sa.Column("message_id", sa.Text),
        sa.Column("detail", sa.Text),
        sqlite_with_rowid=False,
    )
    op.create_table(
        "attempt",
        sa.Column("mail_id", Key, primary_key=True),
        sa.Column("n", sa.Integer, primary_key=True),
        sa.Column("count", sa.Integer, nullable=False),
        sa.Column("at", Big, nullable=False),
        sa.Column("error", sa.Text, nullable=False),
        sqlite_with_rowid=False,
    )
    op.create_table(
        "held",
        sa.Column("mail_id", Key, primary_key=True),
        sa.Column("n", sa.Integer, primary_key=True),
        sa.Column("account", sa.Text, nullable=False),
        sa.Column("reason", sa.Text, nullable=False),
        sa.Column("at", Big, nullable=False),
        sa.Column("attempts", sa.Integer, nullable=False),
        sa.Column("released", Big),
        sa.Column("pack", sa.Text, nullable=False),
        sa.Column("accepted", sa.Text, nullable=False),
    )
    op.create_table(
        "outbox",
        sa.Column("mail_id", Key, primary_key=True),
        sa.Column("parent", sa.Text, nullable=False),
        sa.Column("kind", sa.Text, nullable=False),
        sa.Column("reverse_path", sa.Text, nullable=False),
        sa.Column("recipients", sa.Text, nullable=False),
        sa.Column("prefix", sa.Text, nullable=False),
        sa.Column("content", sa.LargeBinary),
        sa.Column("pack", sa.Text),
        sa.Column("offset", Big),
        sa.Column("head", Big),
        sa.Column("size", Big),
        sa.Column("at", Big, nullable=False),
        sa.Column("given_up", sa.Text),
        sa.Column("claimed", Big, nullable=False, server_default=sa.text("0")),
    )
    op.create_table(
        "duty",
        sa.Column("name", sa.Text, primary_key=True),
        sa.Column("holder", sa.Text, nullable=False),
        sa.Column("until", Big, nullable=False),
    )
    op.create_table(
        "vacation",
        sa.Column("account", Big, primary_key=True),
        sa.Column("handle", Key, primary_key=True),
        sa.Column("sender", Key, primary_key=True),
        sa.Column("until", Big, nullable=False),
        sqlite_with_rowid=False,
    )
    op.create_table(
        "script",
        sa.Column("account", Big, primary_key=True),
        sa.Column("name", Key, primary_key=True),
        sa.Column("text", sa.Text, nullable=False),
        sa.Column("etag", sa.Text, nullable=False),
        sa.Column("active", sa.Boolean, nullable=False),
        sqlite_with_rowid=False,
    )
