"""A chain of acts for each utility, disclosures sealed without being touched, and tables that only grow."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

Json = sa.JSON().with_variant(postgresql.JSONB(), "postgresql")

revision = "0008"
down_revision = "0007"
branch_labels = None
depends_on = None

APPEND_ONLY = ("audit_event", "disclosure", "disclosure_seal")
REFUSAL = "rows of the audit are never changed or deleted"


def upgrade() -> None:
    # Nothing has written acts so far; the table gets another key.
    op.drop_table("audit_event")
    op.create_table(
        "audit_event",
        sa.Column("utility_id", sa.Uuid(), nullable=False),
        sa.Column("number", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("at", sa.BigInteger(), nullable=False),
        sa.Column("act", sa.String(length=32), nullable=False),
        sa.Column("actor", sa.String(length=256), nullable=False),
        sa.Column("subject", sa.String(length=256), nullable=False),
        sa.Column("detail", Json, nullable=False),
        sa.Column("key", sa.String(length=32), nullable=False),
        sa.Column("previous", sa.LargeBinary(length=32), nullable=False),
        sa.Column("digest", sa.LargeBinary(length=32), nullable=False),
        sa.ForeignKeyConstraint(["utility_id"], ["utility.id"], name=op.f("fk_audit_event_utility_id")),
        sa.PrimaryKeyConstraint("utility_id", "number", name=op.f("pk_audit_event")),
    )
    op.create_index(op.f("ix_audit_event_utility_id_at"), "audit_event", ["utility_id", "at"])

    with op.batch_alter_table("disclosure", schema=None) as batch_op:
        batch_op.drop_index(batch_op.f("ix_disclosure_sealed_by"))
        batch_op.drop_column("sealed_by")
    op.create_table(
        "disclosure_seal",
        sa.Column("disclosure_id", sa.Uuid(), nullable=False),
        sa.Column("utility_id", sa.Uuid(), nullable=False),
        sa.Column("number", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("disclosure_id", name=op.f("pk_disclosure_seal")),
    )
    op.create_index(op.f("ix_disclosure_seal_utility_id_number"), "disclosure_seal", ["utility_id", "number"])

    op.create_table(
        "client_refusal",
        sa.Column("utility_id", sa.Uuid(), nullable=False),
        sa.Column("application_id", sa.Uuid(), nullable=False),
        sa.Column("hour", sa.BigInteger(), nullable=False),
        sa.Column("times", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(["utility_id"], ["utility.id"], name=op.f("fk_client_refusal_utility_id")),
        sa.PrimaryKeyConstraint("utility_id", "application_id", "hour", name=op.f("pk_client_refusal")),
    )
    _let_them_only_grow()


def _let_them_only_grow() -> None:
    # A later revision that copies one of these tables on SQLite has to make its triggers again.
    is_postgresql = op.get_bind().dialect.name == "postgresql"
    if is_postgresql:
        op.execute(
            f"CREATE FUNCTION espi_append_only() RETURNS trigger LANGUAGE plpgsql AS "
            f"$$ BEGIN RAISE EXCEPTION '{REFUSAL}'; END $$"
        )
    for table in APPEND_ONLY:
        if is_postgresql:
            op.execute(
                f"CREATE TRIGGER append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON {table} "
                "FOR EACH STATEMENT EXECUTE FUNCTION espi_append_only()"
            )
            continue
        for verb in ("UPDATE", "DELETE"):
            op.execute(
                f"CREATE TRIGGER {table}_no_{verb.lower()} BEFORE {verb} ON {table} "
                f"BEGIN SELECT RAISE(ABORT, '{REFUSAL}'); END"
            )


def downgrade() -> None:
    is_postgresql = op.get_bind().dialect.name == "postgresql"
    for table in APPEND_ONLY:
        if is_postgresql:
            op.execute(f"DROP TRIGGER append_only ON {table}")
            continue
        for verb in ("update", "delete"):
            op.execute(f"DROP TRIGGER {table}_no_{verb}")
    if is_postgresql:
        op.execute("DROP FUNCTION espi_append_only()")
    op.drop_table("client_refusal")
    op.drop_table("disclosure_seal")
    with op.batch_alter_table("disclosure", schema=None) as batch_op:
        batch_op.add_column(sa.Column("sealed_by", sa.BigInteger(), nullable=True))
        batch_op.create_index(batch_op.f("ix_disclosure_sealed_by"), ["sealed_by"], unique=False)
    op.drop_table("audit_event")
    op.create_table(
        "audit_event",
        sa.Column("number", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("utility_id", sa.Uuid(), nullable=True),
        sa.Column("at", sa.BigInteger(), nullable=False),
        sa.Column("act", sa.String(length=32), nullable=False),
        sa.Column("actor", sa.String(length=256), nullable=False),
        sa.Column("subject", sa.String(length=256), nullable=False),
        sa.Column("detail", Json, nullable=False),
        sa.Column("previous", sa.LargeBinary(length=32), nullable=False),
        sa.Column("digest", sa.LargeBinary(length=32), nullable=False),
        sa.ForeignKeyConstraint(["utility_id"], ["utility.id"], name=op.f("fk_audit_event_utility_id")),
        sa.PrimaryKeyConstraint("number", name=op.f("pk_audit_event")),
    )
    with op.batch_alter_table("audit_event", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_audit_event_utility_id"), ["utility_id"], unique=False)
