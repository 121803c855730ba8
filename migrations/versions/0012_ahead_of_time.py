"""Ahead of time: notices of what will run out, letters about servers that do not answer, batches that are prepared."""

import sqlalchemy as sa
from alembic import op

revision = "0012"
down_revision = "0011"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "expiry_notice",
        sa.Column("authorization_id", sa.Uuid(), nullable=False),
        sa.Column("ends_at", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("days", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.ForeignKeyConstraint(
            ["authorization_id"],
            ["authorization.id"],
            name=op.f("fk_expiry_notice_authorization_id"),
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("authorization_id", "ends_at", "days", name=op.f("pk_expiry_notice")),
    )
    live = sa.text("ended_at IS NULL")
    op.create_index(
        "ix_authorization_live_ends_at",
        "authorization",
        ["ends_at"],
        sqlite_where=live,
        postgresql_where=live,
    )
    with op.batch_alter_table("endpoint", schema=None) as batch_op:
        batch_op.add_column(sa.Column("warned_at", sa.BigInteger(), nullable=True))
        batch_op.add_column(sa.Column("parked_told_at", sa.BigInteger(), nullable=True))

    with op.batch_alter_table("utility", schema=None) as batch_op:
        batch_op.add_column(sa.Column("prepare_from", sa.BigInteger(), nullable=True))
        batch_op.add_column(sa.Column("prepare_bulk_from", sa.BigInteger(), nullable=True))
    op.create_table(
        "prepared_batch",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("utility_id", sa.Uuid(), nullable=False),
        sa.Column("application_id", sa.Uuid(), nullable=False),
        sa.Column("authorization_id", sa.Uuid(), nullable=True),
        sa.Column("bulk_id", sa.String(length=256), nullable=True),
        sa.Column("fingerprint", sa.LargeBinary(length=32), nullable=False),
        sa.Column("path", sa.Text(), nullable=False),
        sa.Column("query", sa.Text(), nullable=False),
        sa.Column("form", sa.String(length=32), nullable=False),
        sa.Column("asked_at", sa.BigInteger(), nullable=False),
        sa.Column("measured_at", sa.BigInteger(), nullable=False),
        sa.Column("finished_at", sa.BigInteger(), nullable=True),
        sa.Column("tag", sa.String(length=64), nullable=False),
        sa.Column("opened", sa.String(length=64), nullable=False),
        sa.Column("updated", sa.BigInteger(), nullable=False),
        sa.Column("entries", sa.BigInteger(), nullable=False),
        sa.Column("plain_size", sa.BigInteger(), nullable=False),
        sa.Column("gzip_size", sa.BigInteger(), nullable=False),
        sa.Column("state", sa.String(length=32), nullable=False),
        sa.Column("attempts", sa.BigInteger(), nullable=False),
        sa.Column("next_attempt_at", sa.BigInteger(), nullable=False),
        sa.Column("lease_until", sa.BigInteger(), nullable=True),
        sa.Column("last_error", sa.Text(), nullable=True),
        sa.ForeignKeyConstraint(
            ["application_id"],
            ["application.id"],
            name=op.f("fk_prepared_batch_application_id"),
            ondelete="CASCADE",
        ),
        sa.ForeignKeyConstraint(
            ["authorization_id"],
            ["authorization.id"],
            name=op.f("fk_prepared_batch_authorization_id"),
            ondelete="CASCADE",
        ),
        sa.ForeignKeyConstraint(["utility_id"], ["utility.id"], name=op.f("fk_prepared_batch_utility_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_prepared_batch")),
        sa.UniqueConstraint("fingerprint", name=op.f("uq_prepared_batch_fingerprint")),
    )
    for columns in (["state", "next_attempt_at"], ["application_id", "state"], ["authorization_id"]):
        name = "_".join(["ix_prepared_batch", *columns])
        op.create_index(op.f(name), "prepared_batch", columns)
    op.create_table(
        "prepared_part",
        sa.Column("batch_id", sa.Uuid(), nullable=False),
        sa.Column("attempt", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("number", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("body", sa.LargeBinary(), nullable=False),
        sa.ForeignKeyConstraint(
            ["batch_id"], ["prepared_batch.id"], name=op.f("fk_prepared_part_batch_id"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("batch_id", "attempt", "number", name=op.f("pk_prepared_part")),
    )


def downgrade() -> None:
    op.drop_table("prepared_part")
    op.drop_table("prepared_batch")
    with op.batch_alter_table("utility", schema=None) as batch_op:
        batch_op.drop_column("prepare_bulk_from")
        batch_op.drop_column("prepare_from")
    with op.batch_alter_table("endpoint", schema=None) as batch_op:
        batch_op.drop_column("parked_told_at")
        batch_op.drop_column("warned_at")
    op.drop_index("ix_authorization_live_ends_at", "authorization")
    op.drop_table("expiry_notice")
