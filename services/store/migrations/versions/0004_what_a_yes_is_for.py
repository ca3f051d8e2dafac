"""Of an approval: what it is for beside the scripts, by which deploy it was used up, and that it was taken back."""

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"


def upgrade() -> None:
    for column in (
        sa.Column("content_hash", sa.String(length=64), nullable=True),
        sa.Column("accepts", sa.Text(), nullable=True),
        sa.Column("used", sa.String(32), nullable=True),
        sa.Column("used_by", sa.String(length=80), nullable=True),
        sa.Column("withdrawn", sa.String(32), nullable=True),
        sa.Column("withdrawn_by", sa.Text(), nullable=True),
        sa.Column("withdrawn_because", sa.Text(), nullable=True),
    ):
        op.add_column("approvals", column)
