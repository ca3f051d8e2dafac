"""Arming, recovery codes, notices, what test accounts spend, proofs of levels, backups."""

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"


def upgrade() -> None:
    op.create_table(
        "armings",
        sa.Column("id", sa.String(length=40), nullable=False),
        sa.Column("target", sa.String(length=80), nullable=False),
        sa.Column("slot", sa.String(length=80), nullable=True),
        sa.Column("run_id", sa.String(length=40), nullable=True),
        sa.Column("worker", sa.String(length=120), nullable=False),
        sa.Column("place", sa.String(length=200), nullable=False),
        sa.Column("role", sa.String(length=80), nullable=False),
        sa.Column("actor", sa.Text(), nullable=False),
        sa.Column("armed", sa.String(32), nullable=False),
        sa.Column("until", sa.String(32), nullable=False),
        sa.Column("ended", sa.String(32), nullable=True),
        sa.Column("ended_because", sa.String(length=200), nullable=True),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_armings")),
        sa.UniqueConstraint("slot", name=op.f("uq_armings_slot")),
    )
    op.create_index(op.f("ix_armings_target_armed"), "armings", ["target", "armed"], unique=False)
    op.create_table(
        "backups",
        sa.Column("id", sa.String(length=40), nullable=False),
        sa.Column("target", sa.String(length=80), nullable=False),
        sa.Column("job_id", sa.String(length=40), nullable=True),
        sa.Column("verdict", sa.String(length=10), nullable=False),
        sa.Column("started", sa.String(32), nullable=False),
        sa.Column("finished", sa.String(32), nullable=True),
        sa.Column("file", sa.Text(), nullable=False),
        sa.Column("bytes", sa.BigInteger(), nullable=True),
        sa.Column("digest", sa.String(length=64), nullable=True),
        sa.Column("keep_until", sa.String(32), nullable=True),
        sa.Column("removed", sa.String(32), nullable=True),
        sa.Column("body", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_backups")),
    )
    op.create_index(op.f("ix_backups_target_started"), "backups", ["target", "started"], unique=False)
    op.create_table(
        "level_proofs",
        sa.Column("seq", sa.Integer(), nullable=False),
        sa.Column("target", sa.String(length=80), nullable=False),
        sa.Column("level", sa.String(length=20), nullable=False),
        sa.Column("verdict", sa.String(length=10), nullable=False),
        sa.Column("body", sa.Text(), nullable=False),
        sa.Column("actor", sa.String(length=200), nullable=False),
        sa.Column("at", sa.String(32), nullable=False),
        sa.PrimaryKeyConstraint("seq", name=op.f("pk_level_proofs")),
    )
    op.create_index(op.f("ix_level_proofs_target_level_seq"), "level_proofs", ["target", "level", "seq"], unique=False)
    op.create_table(
        "notices",
        sa.Column("seq", sa.Integer(), nullable=False),
        sa.Column("target", sa.String(length=80), nullable=False),
        sa.Column("kind", sa.String(length=40), nullable=False),
        sa.Column("text", sa.Text(), nullable=False),
        sa.Column("at", sa.String(32), nullable=False),
        sa.Column("until", sa.String(32), nullable=False),
        sa.Column("sent", sa.String(32), nullable=True),
        sa.Column("next_try", sa.String(32), nullable=True),
        sa.Column("not_sent_because", sa.String(length=300), nullable=True),
        sa.PrimaryKeyConstraint("seq", name=op.f("pk_notices")),
    )
    op.create_index(op.f("ix_notices_target_until"), "notices", ["target", "until"], unique=False)
    op.create_table(
        "probe_spending",
        sa.Column("target", sa.String(length=80), nullable=False),
        sa.Column("purpose", sa.String(length=40), nullable=False),
        sa.Column("day", sa.String(length=10), nullable=False),
        sa.Column("calls", sa.Integer(), nullable=False),
        sa.Column("cents", sa.Float(), nullable=False),
        sa.PrimaryKeyConstraint("target", "purpose", "day", name=op.f("pk_probe_spending")),
    )
    op.create_table(
        "recovery_codes",
        sa.Column("id", sa.String(length=40), nullable=False),
        sa.Column("target", sa.String(length=80), nullable=False),
        sa.Column("person", sa.String(length=200), nullable=False),
        sa.Column("salt", sa.String(length=64), nullable=False),
        sa.Column("code_hash", sa.String(length=128), nullable=False),
        sa.Column("made_by", sa.String(length=200), nullable=False),
        sa.Column("made", sa.String(32), nullable=False),
        sa.Column("expires", sa.String(32), nullable=False),
        sa.Column("used", sa.String(32), nullable=True),
        sa.Column("withdrawn", sa.String(32), nullable=True),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_recovery_codes")),
    )
    op.create_index(op.f("ix_recovery_codes_target_used"), "recovery_codes", ["target", "used"], unique=False)
    op.create_table(
        "turns",
        sa.Column("name", sa.String(length=120), nullable=False),
        sa.Column("holder", sa.String(length=120), nullable=False),
        sa.Column("until", sa.String(32), nullable=False),
        sa.Column("told", sa.Text(), nullable=True),
        sa.PrimaryKeyConstraint("name", name=op.f("pk_turns")),
    )
    op.add_column("jobs", sa.Column("for_worker", sa.String(length=120), nullable=True))
