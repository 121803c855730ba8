"""Verdicts on strangers' files, for an hour."""

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "kept_verdict",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("body", sa.LargeBinary(), nullable=False),
        sa.Column("created_at", sa.BigInteger(), nullable=False),
        sa.Column("expires_at", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_kept_verdict")),
    )
    with op.batch_alter_table("kept_verdict", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_kept_verdict_expires_at"), ["expires_at"], unique=False)


def downgrade() -> None:
    with op.batch_alter_table("kept_verdict", schema=None) as batch_op:
        batch_op.drop_index(batch_op.f("ix_kept_verdict_expires_at"))

    op.drop_table("kept_verdict")
