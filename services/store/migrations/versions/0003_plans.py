"""Catalogs that were rehearsed on, approvals by a second person, questions asked on the console."""

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"


def upgrade() -> None:
    op.create_table(
        "approvals",
        sa.Column("id", sa.String(length=40), nullable=False),
        sa.Column("target", sa.String(length=80), nullable=False),
        sa.Column("run_id", sa.String(length=40), nullable=True),
        sa.Column("release_id", sa.String(length=120), nullable=False),
        sa.Column("plan_hash", sa.String(length=64), nullable=False),
        sa.Column("asked_by", sa.Text(), nullable=False),
        sa.Column("asked", sa.String(32), nullable=False),
        sa.Column("decided_by", sa.Text(), nullable=True),
        sa.Column("decision", sa.String(length=10), nullable=True),
        sa.Column("reason", sa.Text(), nullable=True),
        sa.Column("decided", sa.String(32), nullable=True),
        sa.Column("expires", sa.String(32), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_approvals")),
    )
    op.create_index(op.f("ix_approvals_target_plan_hash_asked"), "approvals", ["target", "plan_hash", "asked"])
    op.create_table(
        "catalogs",
        sa.Column("digest", sa.String(length=64), nullable=False),
        sa.Column("facts", sa.Text(), nullable=False),
        sa.Column("stored", sa.String(32), nullable=False),
        sa.PrimaryKeyConstraint("digest", name=op.f("pk_catalogs")),
    )
    op.create_table(
        "console_queries",
        sa.Column("id", sa.String(length=40), nullable=False),
        sa.Column("target", sa.String(length=80), nullable=False),
        sa.Column("actor", sa.String(length=200), nullable=False),
        sa.Column("at", sa.String(32), nullable=False),
        sa.Column("sql", sa.Text(), nullable=False),
        sa.Column("outcome", sa.String(length=20), nullable=False),
        sa.Column("rows", sa.Integer(), nullable=True),
        sa.Column("took_ms", sa.Float(), nullable=False),
        sa.Column("saved_as", sa.String(length=120), nullable=True),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_console_queries")),
    )
    op.create_index(op.f("ix_console_queries_target_actor_at"), "console_queries", ["target", "actor", "at"])
