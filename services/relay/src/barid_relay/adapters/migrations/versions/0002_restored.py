"""When these tables were restored from a backup, if they were (`adapters.tables.restored`)."""

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table("restored", sa.Column("at", sa.BigInteger, primary_key=True, autoincrement=False))
