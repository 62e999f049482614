"""Records that can't be read are held: their place in the pack instead of the mail."""

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("held", sa.Column("offset", sa.BigInteger))
