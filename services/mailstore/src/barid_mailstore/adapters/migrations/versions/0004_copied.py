"""What became of a COPY or MOVE, under the key that whoever asked gave it, so that it may ask again."""

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None

Key = sa.Text().with_variant(sa.Text(collation="C"), "postgresql")


def upgrade() -> None:
    op.create_table(
        "copied",
        sa.Column("key", Key, primary_key=True),
        sa.Column("uidvalidity", sa.BigInteger, nullable=False),
        sa.Column("first", sa.BigInteger, nullable=False),
        sa.Column("source", sa.LargeBinary, nullable=False),
        sa.Column("modseq", sa.BigInteger, nullable=False),
    )
