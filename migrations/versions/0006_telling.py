"""Telling: endpoints with one message on its way to each, how far the log of changes was told, shared secrets."""

import uuid

import sqlalchemy as sa
from alembic import op

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "endpoint",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("utility_id", sa.Uuid(), nullable=False),
        sa.Column("name", sa.String(length=256), nullable=False),
        sa.Column("state", sa.String(length=32), nullable=False),
        sa.Column("attempts", sa.BigInteger(), nullable=False),
        sa.Column("next_attempt_at", sa.BigInteger(), nullable=False),
        sa.Column("lease_until", sa.BigInteger(), nullable=True),
        sa.Column("last_error", sa.Text(), nullable=True),
        sa.Column("failures", sa.BigInteger(), nullable=False),
        sa.Column("failing_since", sa.BigInteger(), nullable=True),
        sa.Column("slow", sa.Boolean(), nullable=False),
        sa.ForeignKeyConstraint(["utility_id"], ["utility.id"], name=op.f("fk_endpoint_utility_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_endpoint")),
    )
    op.create_index(op.f("ix_endpoint_state_next_attempt_at"), "endpoint", ["state", "next_attempt_at"])

    op.create_table(
        "change_cursor",
        sa.Column("utility_id", sa.Uuid(), nullable=False),
        sa.Column("purpose", sa.String(length=32), nullable=False),
        sa.Column("sequence", sa.BigInteger(), nullable=False),
        sa.Column("moved_at", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(["utility_id"], ["utility.id"], name=op.f("fk_change_cursor_utility_id")),
        sa.PrimaryKeyConstraint("utility_id", "purpose", name=op.f("pk_change_cursor")),
    )

    op.create_table(
        "webhook_secret",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("application_id", sa.Uuid(), nullable=False),
        sa.Column("salt", sa.LargeBinary(length=32), nullable=False),
        sa.Column("created_at", sa.BigInteger(), nullable=False),
        sa.Column("expires_at", sa.BigInteger(), nullable=True),
        sa.ForeignKeyConstraint(
            ["application_id"],
            ["application.id"],
            name=op.f("fk_webhook_secret_application_id"),
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_webhook_secret")),
    )
    op.create_index(op.f("ix_webhook_secret_application_id"), "webhook_secret", ["application_id"])

    op.create_table(
        "sandbox_message",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("utility_id", sa.Uuid(), nullable=False),
        sa.Column("at", sa.BigInteger(), nullable=False),
        sa.Column("way", sa.String(length=32), nullable=False),
        sa.Column("sender", sa.String(length=256), nullable=False),
        sa.Column("recipient", sa.String(length=256), nullable=False),
        sa.Column("language", sa.String(length=32), nullable=False),
        sa.Column("subject", sa.Text(), nullable=False),
        sa.Column("body", sa.Text(), nullable=False),
        sa.ForeignKeyConstraint(["utility_id"], ["utility.id"], name=op.f("fk_sandbox_message_utility_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_sandbox_message")),
    )
    op.create_index(op.f("ix_sandbox_message_at"), "sandbox_message", ["at"])
    _begin_where_the_log_ends()

    with op.batch_alter_table("outbox", schema=None) as batch_op:
        batch_op.add_column(sa.Column("endpoint_id", sa.Uuid(), nullable=True))
        batch_op.add_column(sa.Column("queued_at", sa.BigInteger(), nullable=True))
        batch_op.add_column(sa.Column("failing_since", sa.BigInteger(), nullable=True))
        batch_op.add_column(sa.Column("pause", sa.BigInteger(), nullable=False, server_default="0"))
        batch_op.add_column(sa.Column("finished_at", sa.BigInteger(), nullable=True))
    _give_waiting_messages_an_endpoint()
    with op.batch_alter_table("outbox", schema=None) as batch_op:
        batch_op.alter_column("endpoint_id", existing_type=sa.Uuid(), nullable=False)
        batch_op.alter_column("queued_at", existing_type=sa.BigInteger(), nullable=False)
        batch_op.create_foreign_key(batch_op.f("fk_outbox_endpoint_id"), "endpoint", ["endpoint_id"], ["id"])
        batch_op.create_index(
            batch_op.f("ix_outbox_endpoint_id_state_next_attempt_at"),
            ["endpoint_id", "state", "next_attempt_at"],
        )
        batch_op.create_index(batch_op.f("ix_outbox_state_finished_at"), ["state", "finished_at"])


def _begin_where_the_log_ends() -> None:
    """What changed before anybody could be told is not news."""
    op.execute(
        "INSERT INTO change_cursor (utility_id, purpose, sequence, moved_at) "
        "SELECT utility_id, 'notify', MAX(sequence), 0 FROM change WHERE sequence IS NOT NULL GROUP BY utility_id"
    )


def _give_waiting_messages_an_endpoint() -> None:
    """So far there were messages to customers only; what waited for its first try waits from now on."""
    outbox = sa.table(
        "outbox",
        sa.column("utility_id", sa.Uuid()),
        sa.column("endpoint_id", sa.Uuid()),
        sa.column("created_at", sa.BigInteger()),
        sa.column("queued_at", sa.BigInteger()),
    )
    endpoint = sa.table(
        "endpoint",
        sa.column("id", sa.Uuid()),
        sa.column("utility_id", sa.Uuid()),
        sa.column("name", sa.String()),
        sa.column("state", sa.String()),
        sa.column("attempts", sa.BigInteger()),
        sa.column("next_attempt_at", sa.BigInteger()),
        sa.column("failures", sa.BigInteger()),
        sa.column("slow", sa.Boolean()),
    )
    connection = op.get_bind()
    for utility_id in connection.scalars(sa.select(outbox.c.utility_id).distinct()).all():
        id = uuid.uuid5(utility_id, "people")
        connection.execute(
            endpoint.insert().values(
                id=id, utility_id=utility_id, name="people", state="due", attempts=0, next_attempt_at=0, failures=0,
                slow=False,
            )
        )  # fmt: skip
        mine = outbox.c.utility_id == utility_id
        connection.execute(outbox.update().where(mine).values(endpoint_id=id, queued_at=outbox.c.created_at))


def downgrade() -> None:
    with op.batch_alter_table("outbox", schema=None) as batch_op:
        batch_op.drop_index(batch_op.f("ix_outbox_state_finished_at"))
        batch_op.drop_index(batch_op.f("ix_outbox_endpoint_id_state_next_attempt_at"))
        batch_op.drop_constraint(batch_op.f("fk_outbox_endpoint_id"), type_="foreignkey")
        batch_op.drop_column("finished_at")
        batch_op.drop_column("pause")
        batch_op.drop_column("failing_since")
        batch_op.drop_column("queued_at")
        batch_op.drop_column("endpoint_id")
    op.drop_table("sandbox_message")
    op.drop_table("webhook_secret")
    op.drop_table("change_cursor")
    op.drop_table("endpoint")
