"""Signing in: second factors, passkeys, links by mail, browsers that are known, and utilities' own OpenID providers."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0014"
down_revision = "0013"
branch_labels = None
depends_on = None


def upgrade() -> None:
    with op.batch_alter_table("login", schema=None) as batch_op:
        batch_op.add_column(
            sa.Column("password_alone", sa.Boolean(), nullable=False, server_default=sa.false())
        )
        batch_op.add_column(sa.Column("password_at", sa.BigInteger(), nullable=True))
    with op.batch_alter_table("login", schema=None) as batch_op:
        batch_op.alter_column("password_alone", server_default=None)
    with op.batch_alter_table("login_session", schema=None) as batch_op:
        batch_op.add_column(sa.Column("agent", sa.Text(), nullable=True))
        batch_op.alter_column("acr", existing_type=sa.String(length=32), type_=sa.String(length=256))
    op.create_table(
        "authenticator",
        sa.Column("login_id", sa.Uuid(), nullable=False),
        sa.Column("sealed", sa.LargeBinary(), nullable=True),
        sa.Column("pending", sa.LargeBinary(), nullable=True),
        sa.Column("last_step", sa.BigInteger(), nullable=False),
        sa.Column("since", sa.BigInteger(), nullable=True),
        _login("authenticator"),
        sa.PrimaryKeyConstraint("login_id", name=op.f("pk_authenticator")),
    )
    op.create_table(
        "recovery_code",
        sa.Column("login_id", sa.Uuid(), nullable=False),
        sa.Column("number", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("hash", sa.Text(), nullable=False),
        sa.Column("used_at", sa.BigInteger(), nullable=True),
        _login("recovery_code"),
        sa.PrimaryKeyConstraint("login_id", "number", name=op.f("pk_recovery_code")),
    )
    op.create_table(
        "passkey",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("login_id", sa.Uuid(), nullable=False),
        sa.Column("digest", sa.LargeBinary(length=32), nullable=False),
        sa.Column("credential", sa.LargeBinary(), nullable=False),
        sa.Column("public_key", sa.LargeBinary(), nullable=False),
        sa.Column("sign_count", sa.BigInteger(), nullable=False),
        sa.Column("transports", _json(), nullable=False),
        sa.Column("is_synced", sa.Boolean(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("created_at", sa.BigInteger(), nullable=False),
        sa.Column("used_at", sa.BigInteger(), nullable=True),
        _login("passkey"),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_passkey")),
        sa.UniqueConstraint("digest", name=op.f("uq_passkey_digest")),
    )
    op.create_index(op.f("ix_passkey_login_id"), "passkey", ["login_id"])
    op.create_table(
        "spent_challenge",
        sa.Column("digest", sa.LargeBinary(length=32), nullable=False),
        sa.Column("utility_id", sa.Uuid(), nullable=False),
        sa.Column("ends_at", sa.BigInteger(), nullable=False),
        _utility("spent_challenge"),
        sa.PrimaryKeyConstraint("digest", name=op.f("pk_spent_challenge")),
    )
    op.create_index(op.f("ix_spent_challenge_ends_at"), "spent_challenge", ["ends_at"])
    op.create_table(
        "signing_in",
        sa.Column("digest", sa.LargeBinary(length=32), nullable=False),
        sa.Column("login_id", sa.Uuid(), nullable=False),
        sa.Column("utility_id", sa.Uuid(), nullable=False),
        sa.Column("sealed", sa.LargeBinary(), nullable=False),
        sa.Column("tries", sa.BigInteger(), nullable=False),
        sa.Column("expires_at", sa.BigInteger(), nullable=False),
        sa.Column("used_at", sa.BigInteger(), nullable=True),
        _login("signing_in"),
        _utility("signing_in"),
        sa.PrimaryKeyConstraint("digest", name=op.f("pk_signing_in")),
    )
    op.create_index(op.f("ix_signing_in_expires_at"), "signing_in", ["expires_at"])
    op.create_table(
        "login_link",
        sa.Column("digest", sa.LargeBinary(length=32), nullable=False),
        sa.Column("login_id", sa.Uuid(), nullable=False),
        sa.Column("utility_id", sa.Uuid(), nullable=False),
        sa.Column("purpose", sa.String(length=32), nullable=False),
        sa.Column("sealed", sa.LargeBinary(), nullable=True),
        sa.Column("created_at", sa.BigInteger(), nullable=False),
        sa.Column("expires_at", sa.BigInteger(), nullable=False),
        sa.Column("used_at", sa.BigInteger(), nullable=True),
        _login("login_link"),
        _utility("login_link"),
        sa.PrimaryKeyConstraint("digest", name=op.f("pk_login_link")),
    )
    for column in ("login_id", "expires_at"):
        op.create_index(op.f(f"ix_login_link_{column}"), "login_link", [column])
    op.create_table(
        "known_device",
        sa.Column("digest", sa.LargeBinary(length=32), nullable=False),
        sa.Column("login_id", sa.Uuid(), nullable=False),
        sa.Column("utility_id", sa.Uuid(), nullable=False),
        sa.Column("created_at", sa.BigInteger(), nullable=False),
        sa.Column("ends_at", sa.BigInteger(), nullable=False),
        _login("known_device"),
        _utility("known_device"),
        sa.PrimaryKeyConstraint("digest", name=op.f("pk_known_device")),
    )
    for column in ("login_id", "ends_at"):
        op.create_index(op.f(f"ix_known_device_{column}"), "known_device", [column])
    op.create_table(
        "login_provider",
        sa.Column("utility_id", sa.Uuid(), nullable=False),
        sa.Column("issuer", sa.String(length=256), nullable=False),
        sa.Column("client_id", sa.String(length=256), nullable=False),
        sa.Column("sealed", sa.LargeBinary(), nullable=True),
        sa.Column("scopes", sa.String(length=256), nullable=False),
        sa.Column("claim", sa.String(length=256), nullable=False),
        sa.Column("second", sa.String(length=256), nullable=False),
        sa.Column("only", sa.Boolean(), nullable=False),
        sa.Column("changed_at", sa.BigInteger(), nullable=False),
        _utility("login_provider"),
        sa.PrimaryKeyConstraint("utility_id", name=op.f("pk_login_provider")),
    )


def downgrade() -> None:
    for name in (
        "login_provider", "known_device", "login_link", "signing_in", "spent_challenge", "passkey", "recovery_code",
        "authenticator",
    ):  # fmt: skip
        op.drop_table(name)
    op.execute("UPDATE login_session SET acr = NULL WHERE length(acr) > 32")
    with op.batch_alter_table("login_session", schema=None) as batch_op:
        batch_op.alter_column("acr", existing_type=sa.String(length=256), type_=sa.String(length=32))
        batch_op.drop_column("agent")
    with op.batch_alter_table("login", schema=None) as batch_op:
        batch_op.drop_column("password_at")
        batch_op.drop_column("password_alone")


def _json() -> sa.types.TypeEngine:
    return sa.JSON().with_variant(postgresql.JSONB(), "postgresql")


def _login(table: str) -> sa.ForeignKeyConstraint:
    name = op.f(f"fk_{table}_login_id")
    return sa.ForeignKeyConstraint(["login_id"], ["login.id"], name=name, ondelete="CASCADE")


def _utility(table: str) -> sa.ForeignKeyConstraint:
    return sa.ForeignKeyConstraint(["utility_id"], ["utility.id"], name=op.f(f"fk_{table}_utility_id"))
