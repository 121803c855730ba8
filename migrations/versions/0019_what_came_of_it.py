"""What came of a case, and what the central authority was told of it."""

import sqlalchemy as sa
from alembic import op

revision = "0019"
down_revision = "0018"
branch_labels = None
depends_on = None


def upgrade() -> None:
    with op.batch_alter_table("problem_case", schema=None) as batch_op:
        batch_op.add_column(sa.Column("outcome", sa.String(length=32), nullable=True))
    op.create_index(op.f("ix_problem_case_utility_id_closed_at"), "problem_case", ["utility_id", "closed_at"])
    op.create_table(
        "case_forwarding",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("utility_id", sa.Uuid(), nullable=False),
        sa.Column("case_id", sa.Uuid(), nullable=False),
        sa.Column("report", sa.Text(), nullable=False),
        sa.Column("digest", sa.LargeBinary(length=32), nullable=False),
        sa.Column("sent_at", sa.BigInteger(), nullable=False),
        sa.Column("sent_by", sa.String(length=256), nullable=False),
        sa.ForeignKeyConstraint(["utility_id"], ["utility.id"], name=op.f("fk_case_forwarding_utility_id")),
        sa.ForeignKeyConstraint(["case_id"], ["problem_case.id"], name=op.f("fk_case_forwarding_case_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_case_forwarding")),
        sa.UniqueConstraint("case_id", "digest", name=op.f("uq_case_forwarding_case_id_digest")),
    )


def downgrade() -> None:
    op.drop_table("case_forwarding")
    op.drop_index(op.f("ix_problem_case_utility_id_closed_at"), "problem_case")
    with op.batch_alter_table("problem_case", schema=None) as batch_op:
        batch_op.drop_column("outcome")
