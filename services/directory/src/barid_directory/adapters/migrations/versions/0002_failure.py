"""Failed log-ins. worthless: from then on a row counts for nothing."""

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"


def upgrade() -> None:
    op.create_table(
        "failure",
        sa.Column("network", sa.Text, primary_key=True),
        sa.Column("login", sa.Text, primary_key=True),
        sa.Column("score", sa.Double, nullable=False),
        sa.Column("at", sa.Double, nullable=False),
        sa.Column("bans", sa.Integer, nullable=False),
        sa.Column("until", sa.Double, nullable=False),
        sa.Column("worthless", sa.Double, nullable=False),
        sqlite_with_rowid=False,
    )
    op.create_index("failure_by_age", "failure", ["worthless"])


def downgrade() -> None:
    op.drop_table("failure")
