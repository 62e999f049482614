"""The queue of record, the ledger, attempts, captured mail, the outbox, and who works on them.

`recipient_ready` gives a worker its destination's rows in the order of their due times without a sort, and only queued
rows are in it. Rows of `mail` stay as the ledger's heading; `live` says that something still needs its body.
`taken_…` and `replica` are for where several relays share the tables.
"""

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None

BigId = sa.BigInteger().with_variant(sa.Integer, "sqlite")
Big = sa.BigInteger


def upgrade() -> None:
    op.create_table(
        "mail",
        sa.Column("id", BigId, primary_key=True),
        sa.Column("mail_id", sa.Text, nullable=False, unique=True),
        sa.Column("at", Big, nullable=False),
        sa.Column("queued", Big, nullable=False),
        sa.Column("reverse_path", sa.Text, nullable=False),
        sa.Column("trace", sa.Text, nullable=False),
        sa.Column("smtputf8", sa.Boolean, nullable=False),
        sa.Column("subject", sa.Text, nullable=False),
        sa.Column("message_id", sa.Text, nullable=False),
        sa.Column("parent", sa.Text),
        sa.Column("pack", sa.Text, nullable=False),
        sa.Column("offset", Big, nullable=False),
        sa.Column("head", Big, nullable=False),
        sa.Column("size", Big, nullable=False),
        sa.Column("live", sa.Boolean, nullable=False, server_default=sa.true()),
    )
    live = sa.text("live")
    op.create_index("mail_message_id", "mail", ["message_id"])
    op.create_index("mail_live_pack", "mail", ["pack"], sqlite_where=live, postgresql_where=live)
    op.create_table(
        "recipient",
        sa.Column("mail", Big, primary_key=True),
        sa.Column("n", sa.Integer, primary_key=True),
        sa.Column("address", sa.Text, nullable=False),
        sa.Column("original", sa.Text, nullable=False),
        sa.Column("domain", sa.Text, nullable=False),
        sa.Column("destination", sa.Text, nullable=False),
        sa.Column("state", sa.Text, nullable=False),
        sa.Column("due", Big, nullable=False),
        sa.Column("attempts", sa.Integer, nullable=False, server_default=sa.text("0")),
        sa.Column("crashes", sa.Integer, nullable=False, server_default=sa.text("0")),
        sa.Column("deaths", sa.Integer, nullable=False, server_default=sa.text("0")),
        sa.Column("warned", sa.Boolean, nullable=False, server_default=sa.false()),
        sa.Column("last_error", sa.Text, nullable=False, server_default=sa.text("''")),
        sa.Column("held_at", Big, nullable=False, server_default=sa.text("0")),
        sa.Column("lease_owner", sa.Text, nullable=False, server_default=sa.text("''")),
        sa.Column("lease_until", Big, nullable=False, server_default=sa.text("0")),
        sa.Column("epoch", Big, nullable=False, server_default=sa.text("0")),
        sqlite_with_rowid=False,
    )
    queued = sa.text("state = 'queued'")
    op.create_index(
        "recipient_ready", "recipient", ["destination", "due"], sqlite_where=queued, postgresql_where=queued
    )
    op.create_index("recipient_due", "recipient", ["due"], sqlite_where=queued, postgresql_where=queued)
    op.create_table(
        "ledger",
        sa.Column("mail", Big, primary_key=True),
        sa.Column("n", sa.Integer, primary_key=True),
        sa.Column("outcome", sa.Text, nullable=False),
        sa.Column("at", Big, nullable=False),
        sa.Column("address", sa.Text, nullable=False),
        sa.Column("attempts", sa.Integer, nullable=False),
        sa.Column("detail", sa.Text, nullable=False),
        sa.Column("child", sa.Text, nullable=False),
        sqlite_with_rowid=False,
    )
    op.create_table(
        "attempt",
        sa.Column("mail", Big, primary_key=True),
        sa.Column("n", sa.Integer, primary_key=True),
        sa.Column("number", sa.Integer, primary_key=True),
        sa.Column("at", Big, nullable=False),
        sa.Column("address", sa.Text, nullable=False),
        sa.Column("host", sa.Text, nullable=False),
        sa.Column("detail", sa.Text, nullable=False),
        sqlite_with_rowid=False,
    )
    op.create_table(
        "captured",
        sa.Column("id", BigId, primary_key=True),
        sa.Column("mail", Big, nullable=False),
        sa.Column("n", sa.Integer, nullable=False),
        sa.Column("address", sa.Text, nullable=False),
        sa.Column("at", Big, nullable=False),
        sqlite_autoincrement=True,
    )
    op.create_table(
        "outbox",
        sa.Column("mail_id", sa.Text, primary_key=True),
        sa.Column("parent", sa.Text, nullable=False),
        sa.Column("reverse_path", sa.Text, nullable=False),
        sa.Column("recipients", sa.Text, nullable=False),
        sa.Column("content", sa.LargeBinary, nullable=False),
        sa.Column("at", Big, nullable=False),
        sa.Column("given_up", sa.Text),
        sa.Column("taken_by", sa.Text, nullable=False, server_default=sa.text("''")),
        sa.Column("taken_until", Big, nullable=False, server_default=sa.text("0")),
    )
    op.create_table(
        "replica",
        sa.Column("id", sa.Text, primary_key=True),
        sa.Column("until", Big, nullable=False),
    )
