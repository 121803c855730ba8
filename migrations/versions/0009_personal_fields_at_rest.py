"""Personal fields closed at rest: who the customers are is not to be read from a copy of the database.

What is there is closed with the installation's key, and opened again on the way back, in the same transaction as
everything else: a step that fails loses nothing.
"""

import json
from collections.abc import Callable, Iterator

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

from espi_server.at_rest import lent

Json = sa.JSON().with_variant(postgresql.JSONB(), "postgresql")
Name = sa.String(256)

revision = "0009"
down_revision = "0008"
branch_labels = None
depends_on = None

AT_ONCE = 500  # rows read by one statement
CUSTOMER = 200  # the kinds of resource from here on are a customer's

KEYS = {
    "resource": ("usage_point_id", "kind", "id"),
    "authorization_request": ("digest",),
    "job_part": ("job_id", "number"),
}
"""Primary keys other than `id`."""

COLUMNS = {
    "customer": {"reference": Name},
    "account": {"reference": Name},
    "service_location": {"source_premise": Name},
    "service_agreement": {"reference": Name},
    "login": {"name": Name, "email": Name},
    "usage_point": {"source_id": Name},
    "usage_point_link": {"reference": Name},
    "resource": {"source_self": None, "aside": Json},
    "import_run": {"report": Json},
    "consent_record": {"shown": None},
    "authorization_request": {"parameters": Json},
    "job": {"payload": Json, "result": Json, "last_error": None},
    "endpoint": {"last_error": None},
    "outbox": {"payload": Json, "last_error": None},
    "sandbox_message": {"recipient": Name, "subject": None, "body": None},
}
"""Columns of text that are covered, and of which type they were if not of unlimited text."""


def upgrade() -> None:
    _leave_no_trace()
    keys = lent(op.get_bind().dialect)
    with op.batch_alter_table("resource") as batch_op:
        batch_op.add_column(sa.Column("sealed", sa.LargeBinary(), nullable=True))
    for table, columns in COLUMNS.items():
        _retype(table, {name: (type, sa.Text()) for name, type in columns.items() if type is not None})
    for table, columns in COLUMNS.items():
        _rewrite(table, columns, keys.cover)
    _change_parts(keys.seal)
    _seal_customers()
    _join_addresses()


def downgrade() -> None:
    _leave_no_trace()
    keys = lent(op.get_bind().dialect)
    _part_addresses()
    _open_customers()
    _change_parts(keys.open)
    for table, columns in COLUMNS.items():
        _rewrite(table, columns, keys.uncover)
    for table, columns in COLUMNS.items():
        _retype(table, {name: (sa.Text(), type) for name, type in columns.items() if type is not None})
    with op.batch_alter_table("resource") as batch_op:
        batch_op.drop_column("sealed")


def _leave_no_trace() -> None:
    """What was in clear is overwritten on SQLite; PostgreSQL does so at its next VACUUM FULL."""
    if op.get_bind().dialect.name == "sqlite":
        op.execute("PRAGMA secure_delete=ON")


def _retype(table: str, columns: dict[str, tuple[sa.types.TypeEngine, sa.types.TypeEngine]]) -> None:
    if not columns:
        return
    with op.batch_alter_table(table) as batch_op:
        for name, (old, new) in columns.items():
            using = f"{name}::{new.compile(op.get_bind().dialect)}"
            batch_op.alter_column(name, existing_type=old, type_=new, postgresql_using=using)


def _rewrite(table: str, columns: dict[str, object], change: Callable[[str, str], str]) -> None:
    """Every value of these columns as `change` makes it."""
    rows = _table(table, *(sa.column(name, sa.Text()) for name in columns))
    some = sa.or_(*(rows.c[name].is_not(None) for name in columns))
    for key, row in _every(rows, some):
        places = {name: f"{'leased' if name == 'last_error' else table}.{name}" for name in columns}
        changed = {name: change(row[name], place) for name, place in places.items() if row[name] is not None}
        op.get_bind().execute(rows.update().where(*key).values(**changed))


def _change_parts(change: Callable[[bytes, str], bytes]) -> None:
    """The bytes of uploads and of verdicts."""
    for table in ("job_part", "kept_verdict"):
        rows = _table(table, sa.column("body", sa.LargeBinary()))
        for key, row in _every(rows, sa.true()):
            told = ":".join(str(row[name]) for name in KEYS.get(table, ("id",)))
            body = change(bytes(row["body"]), f"{table}.body:{told}")
            op.get_bind().execute(rows.update().where(*key).values(body=body))


def _customers() -> sa.TableClause:
    return _table(
        "resource", sa.column("utility_id", sa.Uuid()), sa.column("customer_id", sa.Uuid()), sa.column("content", Json),
        sa.column("xml", sa.LargeBinary()), sa.column("sealed", sa.LargeBinary()),
    )  # fmt: skip


def _place(row: sa.RowMapping) -> str:
    return f"resource.sealed:{row['utility_id']}:{row['customer_id']}:{row['kind']}:{row['id']}"


def _seal_customers() -> None:
    keys, rows = lent(op.get_bind().dialect), _customers()
    for key, row in _every(rows, rows.c.kind >= CUSTOMER):
        record = json.dumps(row["content"], separators=(",", ":"), ensure_ascii=False).encode()
        sealed = keys.seal(record, _place(row))
        op.get_bind().execute(rows.update().where(*key).values(content={}, xml=b"", sealed=sealed))


def _open_customers() -> None:
    """Their XML is made by `espi-server render`; no feed ever sent it as it was stored."""
    keys, rows = lent(op.get_bind().dialect), _customers()
    for key, row in _every(rows, rows.c.sealed.is_not(None)):
        content = json.loads(keys.open(bytes(row["sealed"]), _place(row)))
        op.get_bind().execute(rows.update().where(*key).values(content=content))


def _premises() -> sa.TableClause:
    parts = [sa.column(name, sa.Text()) for name in ("number", "street", "unit", "address", "position")]
    return _table("premise", *parts, sa.column("latitude", sa.Float()), sa.column("longitude", sa.Float()))


def _join_addresses() -> None:
    keys, rows = lent(op.get_bind().dialect), _premises()
    with op.batch_alter_table("premise") as batch_op:
        batch_op.add_column(sa.Column("address", sa.Text(), nullable=True))
        batch_op.add_column(sa.Column("position", sa.Text(), nullable=True))
    for key, row in _every(rows, sa.true()):
        address = "|".join(row[name] or "" for name in ("number", "street", "unit"))
        changed = {"address": keys.cover(address, "premise.address")}
        if row["latitude"] is not None and row["longitude"] is not None:
            position = f"{row['latitude']} {row['longitude']}"
            changed["position"] = keys.cover(position, "premise.position")
        op.get_bind().execute(rows.update().where(*key).values(**changed))
    with op.batch_alter_table("premise") as batch_op:
        batch_op.drop_index(batch_op.f("ix_premise_zip_street_number"))
        for name in ("number", "street", "unit", "latitude", "longitude"):
            batch_op.drop_column(name)
        batch_op.alter_column("address", existing_type=sa.Text(), nullable=False)
        batch_op.create_index(batch_op.f("ix_premise_zip_address"), ["zip", "address"])


def _part_addresses() -> None:
    keys, rows = lent(op.get_bind().dialect), _premises()
    with op.batch_alter_table("premise") as batch_op:
        for name in ("number", "street", "unit"):
            batch_op.add_column(sa.Column(name, Name, nullable=True))
        for name in ("latitude", "longitude"):
            batch_op.add_column(sa.Column(name, sa.Float(), nullable=True))
    for key, row in _every(rows, sa.true()):
        address = keys.uncover(row["address"], "premise.address").split("|")
        changed = dict(zip(("number", "street", "unit"), address, strict=True))
        if row["position"] is not None:
            position = keys.uncover(row["position"], "premise.position").split()
            changed |= dict(zip(("latitude", "longitude"), map(float, position), strict=True))
        op.get_bind().execute(rows.update().where(*key).values(**changed))
    with op.batch_alter_table("premise") as batch_op:
        batch_op.drop_index(batch_op.f("ix_premise_zip_address"))
        batch_op.drop_column("address")
        batch_op.drop_column("position")
        batch_op.create_index(batch_op.f("ix_premise_zip_street_number"), ["zip", "street", "number"])


# --- rows, a few at a time -----------------------------------------------------------------------------

_TYPES = {"kind": sa.SmallInteger(), "number": sa.BigInteger(), "digest": sa.LargeBinary()}


def _table(name: str, *columns: sa.ColumnClause) -> sa.TableClause:
    keys = (sa.column(key, _TYPES.get(key, sa.Uuid())) for key in KEYS.get(name, ("id",)))
    return sa.table(name, *keys, *columns)


def _every(
    rows: sa.TableClause, where: sa.ColumnElement[bool]
) -> Iterator[tuple[list[sa.ColumnElement[bool]], sa.RowMapping]]:
    """Each row in the order of its key, with the condition that names it."""
    columns = [rows.c[name] for name in KEYS.get(rows.name, ("id",))]
    chosen = sa.select(rows).where(where).order_by(*columns).limit(AT_ONCE)
    after = sa.true()
    while found := op.get_bind().execute(chosen.where(after)).mappings().all():
        for row in found:
            yield [column == row[column.name] for column in columns], row
        last = [sa.literal(found[-1][column.name], column.type) for column in columns]
        after = sa.tuple_(*columns) > sa.tuple_(*last)
