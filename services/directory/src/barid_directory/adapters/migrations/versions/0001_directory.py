"""Domains, accounts, aliases."""

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None


def upgrade() -> None:
    op.create_table(
        "domain",
        sa.Column("name", sa.Text, primary_key=True),
        sa.Column("catch_all", sa.Text),
        sqlite_with_rowid=False,
    )
    op.create_table(
        "account",
        sa.Column("seq", sa.Integer, primary_key=True),
        sa.Column("id", sa.Text, nullable=False, unique=True),
        sa.Column("address", sa.Text, nullable=False, unique=True),
        sa.Column("domain", sa.Text, sa.ForeignKey("domain.name"), nullable=False),
        sa.Column("quota", sa.BigInteger, nullable=False),
        sa.Column("enabled", sa.SmallInteger, nullable=False),
        sa.Column("password", sa.Text, nullable=False),
        sa.Column("created", sa.BigInteger, nullable=False),
        sqlite_autoincrement=True,
    )
    op.create_index("account_by_domain", "account", ["domain", "address"])
    op.create_index("account_by_age", "account", ["domain", "seq"])
    op.create_table(
        "alias",
        sa.Column("address", sa.Text, primary_key=True),
        sa.Column("domain", sa.Text, sa.ForeignKey("domain.name"), nullable=False),
        sqlite_with_rowid=False,
    )
    op.create_index("alias_by_domain", "alias", ["domain", "address"])
    op.create_table(
        "alias_target",
        sa.Column("alias", sa.Text, sa.ForeignKey("alias.address"), primary_key=True),
        sa.Column("position", sa.Integer, primary_key=True),
        sa.Column("target", sa.Text, nullable=False),
        sa.Column("leads_to", sa.Text, nullable=False),
        sqlite_with_rowid=False,
    )
    op.create_index("alias_target_by_target", "alias_target", ["leads_to", "alias"])


def downgrade() -> None:
    for table in ("alias_target", "alias", "account", "domain"):
        op.drop_table(table)
