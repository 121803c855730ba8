"""One-time codes, and requests whose company polls for the answer: their customer, their wait, their decision."""

import sqlalchemy as sa
from alembic import op

revision = "0010"
down_revision = "0009"
branch_labels = None
depends_on = None

_LIVE = sa.text("ended_at IS NULL")


def upgrade() -> None:
    op.create_table(
        "challenge",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("utility_id", sa.Uuid(), nullable=False),
        sa.Column("purpose", sa.String(length=32), nullable=False),
        sa.Column("person", sa.String(length=256), nullable=False),
        sa.Column("reference", sa.String(length=256), nullable=False),
        sa.Column("digest", sa.LargeBinary(length=32), nullable=False),
        sa.Column("hash", sa.Text(), nullable=False),
        sa.Column("sealed", sa.LargeBinary(), nullable=True),
        sa.Column("way", sa.String(length=32), nullable=False),
        sa.Column("masked", sa.Text(), nullable=False),
        sa.Column("sends", sa.BigInteger(), nullable=False),
        sa.Column("tries", sa.BigInteger(), nullable=False),
        sa.Column("created_at", sa.BigInteger(), nullable=False),
        sa.Column("sent_at", sa.BigInteger(), nullable=False),
        sa.Column("expires_at", sa.BigInteger(), nullable=False),
        sa.Column("ended_at", sa.BigInteger(), nullable=True),
        sa.Column("ended", sa.String(length=32), nullable=True),
        sa.ForeignKeyConstraint(["utility_id"], ["utility.id"], name=op.f("fk_challenge_utility_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_challenge")),
    )
    op.create_index(
        "uq_challenge_live",
        "challenge",
        ["utility_id", "purpose", "person", "reference"],
        unique=True,
        sqlite_where=_LIVE,
        postgresql_where=_LIVE,
    )
    op.create_index(op.f("ix_challenge_person_created_at"), "challenge", ["person", "created_at"])
    op.create_index(op.f("ix_challenge_expires_at"), "challenge", ["expires_at"])

    with op.batch_alter_table("login", schema=None) as batch_op:
        batch_op.add_column(sa.Column("email_since", sa.BigInteger(), nullable=True))

    with op.batch_alter_table("authorization_request", schema=None) as batch_op:
        batch_op.add_column(sa.Column("poll_digest", sa.LargeBinary(length=32), nullable=True))
        batch_op.add_column(sa.Column("customer_id", sa.Uuid(), nullable=True))
        batch_op.add_column(sa.Column("code_digest", sa.LargeBinary(length=32), nullable=True))
        batch_op.add_column(sa.Column("sealed", sa.LargeBinary(), nullable=True))
        batch_op.add_column(sa.Column("pause", sa.BigInteger(), nullable=False, server_default="0"))
        batch_op.add_column(sa.Column("polled_at", sa.BigInteger(), nullable=True))
        batch_op.create_foreign_key(
            batch_op.f("fk_authorization_request_customer_id"), "customer", ["customer_id"], ["id"]
        )
        batch_op.create_foreign_key(
            batch_op.f("fk_authorization_request_code_digest"),
            "authorization_code",
            ["code_digest"],
            ["digest"],
            ondelete="SET NULL",
        )
        batch_op.create_index(
            batch_op.f("ix_authorization_request_poll_digest"), ["poll_digest"], unique=True
        )
        batch_op.create_index(batch_op.f("ix_authorization_request_customer_id"), ["customer_id"])


def downgrade() -> None:
    with op.batch_alter_table("authorization_request", schema=None) as batch_op:
        batch_op.drop_index(batch_op.f("ix_authorization_request_customer_id"))
        batch_op.drop_index(batch_op.f("ix_authorization_request_poll_digest"))
        batch_op.drop_constraint(batch_op.f("fk_authorization_request_code_digest"), type_="foreignkey")
        batch_op.drop_constraint(batch_op.f("fk_authorization_request_customer_id"), type_="foreignkey")
        for name in ("polled_at", "pause", "sealed", "code_digest", "customer_id", "poll_digest"):
            batch_op.drop_column(name)
    with op.batch_alter_table("login", schema=None) as batch_op:
        batch_op.drop_column("email_since")
    op.drop_table("challenge")
