"""Sharing: what a customer has chosen so far, consents that wait for their company, and how long each lasts."""

import sqlalchemy as sa
from alembic import op

revision = "0015"
down_revision = "0014"
branch_labels = None
depends_on = None

_BEGUN = sa.text("ended_at IS NULL AND waits_until IS NULL")
_LIVE = sa.text("ended_at IS NULL")
_WAITS = sa.text("ended_at IS NULL AND waits_until IS NOT NULL")
_ONES = {
    "uq_authorization_live_customer": (["utility_id", "application_id", "customer_id"], ""),
    "uq_authorization_live_operator": (["utility_id", "application_id"], " AND customer_id IS NULL"),
}


def upgrade() -> None:
    for name in _ONES:
        op.drop_index(name, "authorization")
    with op.batch_alter_table("authorization", schema=None) as batch_op:
        batch_op.add_column(sa.Column("waits_until", sa.BigInteger(), nullable=True))
        batch_op.add_column(sa.Column("lasting", sa.String(length=32), nullable=True))
        batch_op.add_column(sa.Column("reminded_at", sa.BigInteger(), nullable=True))
    _only_one(_BEGUN)
    op.create_index(
        "ix_authorization_waits_until",
        "authorization",
        ["waits_until"],
        sqlite_where=_WAITS,
        postgresql_where=_WAITS,
    )
    with op.batch_alter_table("authorization_request", schema=None) as batch_op:
        batch_op.add_column(sa.Column("browser", sa.LargeBinary(length=32), nullable=True))
    with op.batch_alter_table("authorization_code", schema=None) as batch_op:
        batch_op.add_column(sa.Column("lasting", sa.String(length=32), nullable=True))
        batch_op.add_column(sa.Column("adopts_id", sa.Uuid(), nullable=True))
        batch_op.create_foreign_key(
            batch_op.f("fk_authorization_code_adopts_id"), "authorization", ["adopts_id"], ["id"]
        )
    op.create_table(
        "sharing_draft",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("utility_id", sa.Uuid(), nullable=False),
        sa.Column("application_id", sa.Uuid(), nullable=False),
        sa.Column("customer_id", sa.Uuid(), nullable=False),
        sa.Column("session", sa.LargeBinary(length=32), nullable=False),
        sa.Column("request_digest", sa.LargeBinary(length=32), nullable=True),
        sa.Column("authorization_id", sa.Uuid(), nullable=True),
        sa.Column("choices", sa.Text(), nullable=False),
        sa.Column("created_at", sa.BigInteger(), nullable=False),
        sa.Column("expires_at", sa.BigInteger(), nullable=False),
        sa.Column("used_at", sa.BigInteger(), nullable=True),
        sa.ForeignKeyConstraint(["utility_id"], ["utility.id"], name=op.f("fk_sharing_draft_utility_id")),
        sa.ForeignKeyConstraint(
            ["application_id"],
            ["application.id"],
            name=op.f("fk_sharing_draft_application_id"),
            ondelete="CASCADE",
        ),
        sa.ForeignKeyConstraint(["customer_id"], ["customer.id"], name=op.f("fk_sharing_draft_customer_id")),
        sa.ForeignKeyConstraint(
            ["request_digest"],
            ["authorization_request.digest"],
            name=op.f("fk_sharing_draft_request_digest"),
            ondelete="CASCADE",
        ),
        sa.ForeignKeyConstraint(
            ["authorization_id"],
            ["authorization.id"],
            name=op.f("fk_sharing_draft_authorization_id"),
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_sharing_draft")),
    )
    for column in ("customer_id", "request_digest", "expires_at"):
        op.create_index(op.f(f"ix_sharing_draft_{column}"), "sharing_draft", [column])


def downgrade() -> None:
    op.drop_table("sharing_draft")
    with op.batch_alter_table("authorization_code", schema=None) as batch_op:
        batch_op.drop_constraint(batch_op.f("fk_authorization_code_adopts_id"), type_="foreignkey")
        batch_op.drop_column("adopts_id")
        batch_op.drop_column("lasting")
    with op.batch_alter_table("authorization_request", schema=None) as batch_op:
        batch_op.drop_column("browser")
    # One live authorization of a company again: what waited has lapsed.
    waits = sa.text(
        "UPDATE \"authorization\" SET ended_at = updated_at, ended_reason = 'lapsed'"
        " WHERE waits_until IS NOT NULL AND ended_at IS NULL"
    )
    op.execute(waits)
    op.drop_index("ix_authorization_waits_until", "authorization")
    for name in _ONES:
        op.drop_index(name, "authorization")
    with op.batch_alter_table("authorization", schema=None) as batch_op:
        for name in ("reminded_at", "lasting", "waits_until"):
            batch_op.drop_column(name)
    _only_one(_LIVE)


def _only_one(live: sa.TextClause) -> None:
    for name, (columns, more) in _ONES.items():
        where = sa.text(f"{live.text}{more}")
        op.create_index(
            name, "authorization", columns, unique=True, sqlite_where=where, postgresql_where=where
        )
