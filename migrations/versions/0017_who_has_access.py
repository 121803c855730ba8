"""Who has access: when an agreement's end was noticed, cases about companies, and tries to name a customer."""

import sqlalchemy as sa
from alembic import op

revision = "0017"
down_revision = "0015"
branch_labels = None
depends_on = None


def upgrade() -> None:
    with op.batch_alter_table("service_agreement", schema=None) as batch_op:
        batch_op.add_column(sa.Column("closed_at", sa.BigInteger(), nullable=True))
    is_open = sa.text("closed_at IS NULL AND ends_at IS NOT NULL")
    op.create_index(
        "ix_service_agreement_open_ends_at",
        "service_agreement",
        ["ends_at"],
        sqlite_where=is_open,
        postgresql_where=is_open,
    )
    by_machines = sa.text("authorization_id IS NULL AND application_id IS NOT NULL")
    op.create_index(
        "ix_disclosure_bulk",
        "disclosure",
        ["application_id", "at"],
        sqlite_where=by_machines,
        postgresql_where=by_machines,
    )
    op.create_table(
        "problem_case",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("utility_id", sa.Uuid(), nullable=False),
        sa.Column("customer_id", sa.Uuid(), nullable=False),
        sa.Column("application_id", sa.Uuid(), nullable=False),
        sa.Column("number", sa.String(length=32), nullable=False),
        sa.Column("topic", sa.String(length=32), nullable=False),
        sa.Column("state", sa.String(length=32), nullable=False),
        sa.Column("language", sa.String(length=32), nullable=False),
        sa.Column("said", sa.Text(), nullable=False),
        sa.Column("opened_at", sa.BigInteger(), nullable=False),
        sa.Column("updated_at", sa.BigInteger(), nullable=False),
        sa.Column("closed_at", sa.BigInteger(), nullable=True),
        sa.ForeignKeyConstraint(["utility_id"], ["utility.id"], name=op.f("fk_problem_case_utility_id")),
        sa.ForeignKeyConstraint(["customer_id"], ["customer.id"], name=op.f("fk_problem_case_customer_id")),
        sa.ForeignKeyConstraint(
            ["application_id"], ["application.id"], name=op.f("fk_problem_case_application_id")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_problem_case")),
        sa.UniqueConstraint("utility_id", "number", name=op.f("uq_problem_case_utility_id_number")),
    )
    for columns in (["utility_id", "state", "opened_at"], ["customer_id", "opened_at"]):
        op.create_index(op.f("_".join(["ix_problem_case", *columns])), "problem_case", columns)
    op.create_table(
        "profile_try",
        sa.Column("application_id", sa.Uuid(), nullable=False),
        sa.Column("customer_id", sa.Uuid(), nullable=False),
        sa.Column("day", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("times", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(
            ["application_id"],
            ["application.id"],
            name=op.f("fk_profile_try_application_id"),
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("application_id", "customer_id", "day", name=op.f("pk_profile_try")),
    )


def downgrade() -> None:
    op.drop_table("profile_try")
    op.drop_table("problem_case")
    op.drop_index("ix_disclosure_bulk", "disclosure")
    op.drop_index("ix_service_agreement_open_ends_at", "service_agreement")
    with op.batch_alter_table("service_agreement", schema=None) as batch_op:
        batch_op.drop_column("closed_at")
