"""Alembic's entrance. `espi_server.migrate` hands in the connection; one transaction covers all revisions."""

from alembic import context

from espi_server.models import metadata

connection = context.config.attributes["connection"]
context.configure(
    connection=connection,
    target_metadata=metadata,
    render_as_batch=connection.dialect.name == "sqlite",
    compare_type=True,
)
with context.begin_transaction():
    context.run_migrations()
