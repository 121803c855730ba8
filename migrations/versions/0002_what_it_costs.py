"""What it costs: tariff records with their findings, and the cells of each usage point."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

Json = sa.JSON().with_variant(postgresql.JSONB(), "postgresql")

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "tariff",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("utility_id", sa.Uuid(), nullable=False),
        sa.Column("label", sa.String(length=256), nullable=False),
        sa.Column("name", sa.String(length=256), nullable=False),
        sa.Column("starts_at", sa.BigInteger(), nullable=True),
        sa.Column("ends_at", sa.BigInteger(), nullable=True),
        sa.Column("supersedes", sa.String(length=256), nullable=True),
        sa.Column("record", Json, nullable=False),
        sa.Column("sidecar", Json, nullable=False),
        sa.Column("findings", Json, nullable=False),
        sa.Column("accepted", Json, nullable=False),
        sa.Column("status", sa.String(length=32), nullable=False),
        sa.Column("created_at", sa.BigInteger(), nullable=False),
        sa.Column("changed_at", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(["utility_id"], ["utility.id"], name=op.f("fk_tariff_utility_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_tariff")),
        sa.UniqueConstraint("utility_id", "label", name=op.f("uq_tariff_utility_id_label")),
    )
    with op.batch_alter_table("tariff", schema=None) as batch_op:
        batch_op.create_index(
            batch_op.f("ix_tariff_utility_id_name_starts_at"),
            ["utility_id", "name", "starts_at"],
            unique=False,
        )

    op.create_table(
        "usage_cells",
        sa.Column("usage_point_id", sa.Uuid(), nullable=False),
        sa.Column("layout", sa.String(length=32), nullable=False),
        sa.Column("starts_at", sa.BigInteger(), nullable=False),
        sa.Column("ends_at", sa.BigInteger(), nullable=False),
        sa.Column("until", sa.BigInteger(), nullable=False),
        sa.Column("step", sa.BigInteger(), nullable=False),
        sa.Column("imports", sa.LargeBinary(), nullable=False),
        sa.Column("exports", sa.LargeBinary(), nullable=True),
        sa.Column("peaks", sa.LargeBinary(), nullable=True),
        sa.Column("missing", sa.LargeBinary(), nullable=True),
        sa.Column("expected", sa.LargeBinary(), nullable=False),
        sa.ForeignKeyConstraint(
            ["usage_point_id"],
            ["usage_point.id"],
            name=op.f("fk_usage_cells_usage_point_id"),
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("usage_point_id", "layout", "starts_at", name=op.f("pk_usage_cells")),
    )


def downgrade() -> None:
    op.drop_table("usage_cells")
    with op.batch_alter_table("tariff", schema=None) as batch_op:
        batch_op.drop_index(batch_op.f("ix_tariff_utility_id_name_starts_at"))

    op.drop_table("tariff")
