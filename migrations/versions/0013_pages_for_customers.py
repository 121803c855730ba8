"""Pages for customers: how a utility's pages look and behave, and the language of a login."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0013"
down_revision = "0012"
branch_labels = None
depends_on = None


def upgrade() -> None:
    json = sa.JSON().with_variant(postgresql.JSONB(), "postgresql")
    with op.batch_alter_table("utility", schema=None) as batch_op:
        batch_op.add_column(sa.Column("portal", json, nullable=False, server_default="{}"))
    with op.batch_alter_table("utility", schema=None) as batch_op:
        batch_op.alter_column("portal", server_default=None)
    with op.batch_alter_table("login", schema=None) as batch_op:
        batch_op.add_column(sa.Column("language", sa.String(length=32), nullable=True))


def downgrade() -> None:
    with op.batch_alter_table("login", schema=None) as batch_op:
        batch_op.drop_column("language")
    with op.batch_alter_table("utility", schema=None) as batch_op:
        batch_op.drop_column("portal")
