"""Letters."""

from alembic import op

revision = "0001"
down_revision = None


def upgrade() -> None:
    op.execute("CREATE TABLE letter (id INTEGER PRIMARY KEY, subject TEXT NOT NULL)")
