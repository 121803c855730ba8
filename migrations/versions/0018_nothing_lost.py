"""Nothing lost: forms of those who had to sign in again, addresses being changed, who asked for a link."""

import sqlalchemy as sa
from alembic import op

revision = "0018"
down_revision = "0017"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "kept_form",
        sa.Column("digest", sa.LargeBinary(length=32), nullable=False),
        sa.Column("login_id", sa.Uuid(), nullable=False),
        sa.Column("utility_id", sa.Uuid(), nullable=False),
        sa.Column("sealed", sa.LargeBinary(), nullable=False),
        sa.Column("expires_at", sa.BigInteger(), nullable=False),
        _login("kept_form"),
        _utility("kept_form"),
        sa.PrimaryKeyConstraint("digest", name=op.f("pk_kept_form")),
    )
    op.create_table(
        "email_change",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("login_id", sa.Uuid(), nullable=False),
        sa.Column("utility_id", sa.Uuid(), nullable=False),
        sa.Column("email", sa.Text(), nullable=False),
        sa.Column("before", sa.Text(), nullable=False),
        sa.Column("before_since", sa.BigInteger(), nullable=True),
        sa.Column("created_at", sa.BigInteger(), nullable=False),
        sa.Column("expires_at", sa.BigInteger(), nullable=False),
        sa.Column("done_at", sa.BigInteger(), nullable=True),
        sa.Column("ended_at", sa.BigInteger(), nullable=True),
        _login("email_change"),
        _utility("email_change"),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_email_change")),
    )
    op.create_table(
        "email_link",
        sa.Column("digest", sa.LargeBinary(length=32), nullable=False),
        sa.Column("change_id", sa.Uuid(), nullable=False),
        sa.Column("purpose", sa.String(length=32), nullable=False),
        sa.Column("sealed", sa.LargeBinary(), nullable=True),
        sa.ForeignKeyConstraint(
            ["change_id"], ["email_change.id"], name=op.f("fk_email_link_change_id"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("digest", name=op.f("pk_email_link")),
    )
    for table, column in (
        ("kept_form", "login_id"), ("kept_form", "expires_at"), ("email_change", "login_id"),
        ("email_change", "expires_at"), ("email_link", "change_id"),
    ):  # fmt: skip
        op.create_index(op.f(f"ix_{table}_{column}"), table, [column])
    with op.batch_alter_table("login_link", schema=None) as batch_op:
        batch_op.add_column(sa.Column("is_known", sa.Boolean(), nullable=False, server_default=sa.false()))
    with op.batch_alter_table("login_link", schema=None) as batch_op:
        batch_op.alter_column("is_known", server_default=None)


def downgrade() -> None:
    with op.batch_alter_table("login_link", schema=None) as batch_op:
        batch_op.drop_column("is_known")
    for name in ("email_link", "email_change", "kept_form"):
        op.drop_table(name)


def _login(table: str) -> sa.ForeignKeyConstraint:
    name = op.f(f"fk_{table}_login_id")
    return sa.ForeignKeyConstraint(["login_id"], ["login.id"], name=name, ondelete="CASCADE")


def _utility(table: str) -> sa.ForeignKeyConstraint:
    return sa.ForeignKeyConstraint(["utility_id"], ["utility.id"], name=op.f(f"fk_{table}_utility_id"))
