"""Asking customers: requests that wait, codes, clients' keys and assertions, and the keys we sign with."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

Json = sa.JSON().with_variant(postgresql.JSONB(), "postgresql")

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None


def upgrade() -> None:
    with op.batch_alter_table("application", schema=None) as batch_op:
        batch_op.add_column(sa.Column("jwks", Json, nullable=False, server_default="{}"))
        batch_op.add_column(sa.Column("certificates", Json, nullable=False, server_default="[]"))
        batch_op.add_column(sa.Column("retry_window", sa.SmallInteger(), nullable=False, server_default="0"))
    with op.batch_alter_table("token_family", schema=None) as batch_op:
        batch_op.add_column(sa.Column("openid", sa.Boolean(), nullable=False, server_default=sa.false()))
    with op.batch_alter_table("token", schema=None) as batch_op:
        batch_op.add_column(sa.Column("predecessor", sa.LargeBinary(length=32), nullable=True))

    op.create_table(
        "client_assertion",
        sa.Column("application_id", sa.Uuid(), nullable=False),
        sa.Column("digest", sa.LargeBinary(length=32), nullable=False),
        sa.Column("expires_at", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(
            ["application_id"],
            ["application.id"],
            name=op.f("fk_client_assertion_application_id"),
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("application_id", "digest", name=op.f("pk_client_assertion")),
    )
    op.create_index(op.f("ix_client_assertion_expires_at"), "client_assertion", ["expires_at"])

    op.create_table(
        "authorization_request",
        sa.Column("digest", sa.LargeBinary(length=32), nullable=False),
        sa.Column("stage", sa.String(length=32), nullable=False),
        sa.Column("utility_id", sa.Uuid(), nullable=False),
        sa.Column("application_id", sa.Uuid(), nullable=False),
        sa.Column("parameters", Json, nullable=False),
        sa.Column("created_at", sa.BigInteger(), nullable=False),
        sa.Column("expires_at", sa.BigInteger(), nullable=False),
        sa.Column("used_at", sa.BigInteger(), nullable=True),
        sa.ForeignKeyConstraint(
            ["application_id"],
            ["application.id"],
            name=op.f("fk_authorization_request_application_id"),
            ondelete="CASCADE",
        ),
        sa.ForeignKeyConstraint(
            ["utility_id"], ["utility.id"], name=op.f("fk_authorization_request_utility_id")
        ),
        sa.PrimaryKeyConstraint("digest", name=op.f("pk_authorization_request")),
    )
    for column in ("application_id", "expires_at"):
        op.create_index(op.f(f"ix_authorization_request_{column}"), "authorization_request", [column])

    op.create_table(
        "authorization_code",
        sa.Column("digest", sa.LargeBinary(length=32), nullable=False),
        sa.Column("utility_id", sa.Uuid(), nullable=False),
        sa.Column("application_id", sa.Uuid(), nullable=False),
        sa.Column("customer_id", sa.Uuid(), nullable=False),
        sa.Column("usage_points", Json, nullable=False),
        sa.Column("scope", sa.String(length=256), nullable=False),
        sa.Column("openid", sa.Boolean(), nullable=False),
        sa.Column("until", sa.BigInteger(), nullable=False),
        sa.Column("identified", Json, nullable=False),
        sa.Column("consent_record_id", sa.Uuid(), nullable=True),
        sa.Column("redirect_uri", sa.Text(), nullable=True),
        sa.Column("challenge", sa.String(length=64), nullable=True),
        sa.Column("nonce", sa.String(length=256), nullable=True),
        sa.Column("created_at", sa.BigInteger(), nullable=False),
        sa.Column("expires_at", sa.BigInteger(), nullable=False),
        sa.Column("used_at", sa.BigInteger(), nullable=True),
        sa.Column("authorization_id", sa.Uuid(), nullable=True),
        sa.ForeignKeyConstraint(
            ["application_id"],
            ["application.id"],
            name=op.f("fk_authorization_code_application_id"),
            ondelete="CASCADE",
        ),
        sa.ForeignKeyConstraint(
            ["authorization_id"],
            ["authorization.id"],
            name=op.f("fk_authorization_code_authorization_id"),
        ),
        sa.ForeignKeyConstraint(
            ["consent_record_id"],
            ["consent_record.id"],
            name=op.f("fk_authorization_code_consent_record_id"),
        ),
        sa.ForeignKeyConstraint(
            ["customer_id"], ["customer.id"], name=op.f("fk_authorization_code_customer_id")
        ),
        sa.ForeignKeyConstraint(
            ["utility_id"], ["utility.id"], name=op.f("fk_authorization_code_utility_id")
        ),
        sa.PrimaryKeyConstraint("digest", name=op.f("pk_authorization_code")),
    )
    for column in ("application_id", "authorization_id", "customer_id", "expires_at"):
        op.create_index(op.f(f"ix_authorization_code_{column}"), "authorization_code", [column])

    op.create_table(
        "signing_key",
        sa.Column("kid", sa.String(length=64), nullable=False),
        sa.Column("utility_id", sa.Uuid(), nullable=False),
        sa.Column("purpose", sa.String(length=32), nullable=False),
        sa.Column("algorithm", sa.String(length=32), nullable=False),
        sa.Column("state", sa.String(length=32), nullable=False),
        sa.Column("public", Json, nullable=False),
        sa.Column("private", sa.LargeBinary(), nullable=False),
        sa.Column("created_at", sa.BigInteger(), nullable=False),
        sa.Column("activated_at", sa.BigInteger(), nullable=True),
        sa.Column("retired_at", sa.BigInteger(), nullable=True),
        sa.ForeignKeyConstraint(["utility_id"], ["utility.id"], name=op.f("fk_signing_key_utility_id")),
        sa.PrimaryKeyConstraint("kid", name=op.f("pk_signing_key")),
    )
    op.create_index(
        "uq_signing_key_active",
        "signing_key",
        ["utility_id", "purpose"],
        unique=True,
        sqlite_where=sa.text("state = 'active'"),
        postgresql_where=sa.text("state = 'active'"),
    )


def downgrade() -> None:
    for table in ("signing_key", "authorization_code", "authorization_request", "client_assertion"):
        op.drop_table(table)
    with op.batch_alter_table("token", schema=None) as batch_op:
        batch_op.drop_column("predecessor")
    with op.batch_alter_table("token_family", schema=None) as batch_op:
        batch_op.drop_column("openid")
    with op.batch_alter_table("application", schema=None) as batch_op:
        for column in ("retry_window", "certificates", "jwks"):
            batch_op.drop_column(column)
