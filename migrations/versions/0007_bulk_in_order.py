"""The authorizations of a bulk feed in the order in which it lists them."""

from alembic import op

revision = "0007"
down_revision = "0006"
branch_labels = None
depends_on = None


def upgrade() -> None:
    with op.batch_alter_table("authorization", schema=None) as batch_op:
        batch_op.create_index(
            batch_op.f("ix_authorization_application_id_bulk_id_id"), ["application_id", "bulk_id", "id"]
        )
        batch_op.drop_index(batch_op.f("ix_authorization_application_id_bulk_id"))


def downgrade() -> None:
    with op.batch_alter_table("authorization", schema=None) as batch_op:
        batch_op.create_index(
            batch_op.f("ix_authorization_application_id_bulk_id"), ["application_id", "bulk_id"]
        )
        batch_op.drop_index(batch_op.f("ix_authorization_application_id_bulk_id_id"))
