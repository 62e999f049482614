"""Letters have a size."""

from alembic import op

revision = "0002"
down_revision = "0001"


def upgrade() -> None:
    op.execute("ALTER TABLE letter ADD COLUMN size INTEGER NOT NULL DEFAULT 0")
    op.execute("CREATE INDEX letter_size ON letter (size)")
