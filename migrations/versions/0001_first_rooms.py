"""The first rooms: everything a resource server and its neighbours stand on."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

Json = sa.JSON().with_variant(postgresql.JSONB(), "postgresql")

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "asp",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("name", sa.String(length=256), nullable=False),
        sa.Column("kind", sa.String(length=32), nullable=False),
        sa.Column("status", sa.String(length=32), nullable=False),
        sa.Column("evidence", Json, nullable=False),
        sa.Column("created_at", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_asp")),
        sa.UniqueConstraint("name", name=op.f("uq_asp_name")),
    )
    op.create_table(
        "disclosure",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("utility_id", sa.Uuid(), nullable=False),
        sa.Column("authorization_id", sa.Uuid(), nullable=True),
        sa.Column("access_right_id", sa.Uuid(), nullable=True),
        sa.Column("application_id", sa.Uuid(), nullable=True),
        sa.Column("token_kind", sa.String(length=16), nullable=False),
        sa.Column("at", sa.BigInteger(), nullable=False),
        sa.Column("path", sa.Text(), nullable=False),
        sa.Column("query", sa.Text(), nullable=False),
        sa.Column("entries", sa.BigInteger(), nullable=False),
        sa.Column("size", sa.BigInteger(), nullable=False),
        sa.Column("request_id", sa.String(length=256), nullable=False),
        sa.Column("sealed_by", sa.BigInteger(), nullable=True),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_disclosure")),
    )
    with op.batch_alter_table("disclosure", schema=None) as batch_op:
        batch_op.create_index(
            batch_op.f("ix_disclosure_authorization_id_at"), ["authorization_id", "at"], unique=False
        )
        batch_op.create_index(batch_op.f("ix_disclosure_sealed_by"), ["sealed_by"], unique=False)

    op.create_table(
        "feature_operation",
        sa.Column("udc", sa.String(length=256), nullable=False),
        sa.Column("lse", sa.String(length=256), nullable=False),
        sa.Column("customer_class", sa.String(length=32), nullable=False),
        sa.Column("feature", sa.String(length=32), nullable=False),
        sa.Column("operation", sa.String(length=256), nullable=False),
        sa.PrimaryKeyConstraint("udc", "lse", "customer_class", "feature", name=op.f("pk_feature_operation")),
    )
    op.create_table(
        "interval_block",
        sa.Column("usage_point_id", sa.Uuid(), nullable=False),
        sa.Column("meter_reading_id", sa.Uuid(), nullable=False),
        sa.Column("starts_at", sa.BigInteger(), nullable=False),
        sa.Column("utility_id", sa.Uuid(), nullable=False),
        sa.Column("coarse", sa.Boolean(), nullable=False),
        sa.Column("first_at", sa.BigInteger(), nullable=False),
        sa.Column("ends_at", sa.BigInteger(), nullable=False),
        sa.Column("count", sa.BigInteger(), nullable=False),
        sa.Column("cuts", sa.BigInteger(), nullable=False),
        sa.Column("months", sa.BigInteger(), nullable=False),
        sa.Column("day_digits", sa.BigInteger(), nullable=False),
        sa.Column("month_digits", sa.BigInteger(), nullable=False),
        sa.Column("has_cost", sa.Boolean(), nullable=False),
        sa.Column("finest", sa.BigInteger(), nullable=False),
        sa.Column("is_delta", sa.Boolean(), nullable=False),
        sa.Column("size", sa.BigInteger(), nullable=False),
        sa.Column("length", sa.BigInteger(), nullable=False),
        sa.Column("published", sa.BigInteger(), nullable=False),
        sa.Column("updated", sa.BigInteger(), nullable=False),
        sa.Column("render", sa.SmallInteger(), nullable=False),
        sa.Column("encoding", sa.SmallInteger(), nullable=False),
        sa.Column("extra", Json, nullable=True),
        sa.Column("stamps", sa.LargeBinary(), nullable=False),
        sa.Column("day_index", sa.LargeBinary(), nullable=False),
        sa.Column("body", sa.LargeBinary(), nullable=False),
        sa.Column("packed", sa.LargeBinary(), nullable=False),
        sa.PrimaryKeyConstraint(
            "usage_point_id", "meter_reading_id", "starts_at", name=op.f("pk_interval_block")
        ),
        sqlite_with_rowid=False,
    )
    with op.batch_alter_table("interval_block", schema=None) as batch_op:
        batch_op.create_index(
            batch_op.f("ix_interval_block_utility_id_updated"), ["utility_id", "updated"], unique=False
        )

    op.create_table(
        "interval_correction",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("usage_point_id", sa.Uuid(), nullable=False),
        sa.Column("meter_reading_id", sa.Uuid(), nullable=False),
        sa.Column("starts_at", sa.BigInteger(), nullable=False),
        sa.Column("replaced_at", sa.BigInteger(), nullable=False),
        sa.Column("import_run_id", sa.Uuid(), nullable=True),
        sa.Column("encoding", sa.SmallInteger(), nullable=False),
        sa.Column("packed", sa.LargeBinary(), nullable=False),
        sa.Column("extra", Json, nullable=True),
        sa.PrimaryKeyConstraint("id", "usage_point_id", name=op.f("pk_interval_correction")),
    )
    with op.batch_alter_table("interval_correction", schema=None) as batch_op:
        batch_op.create_index(
            batch_op.f("ix_interval_correction_usage_point_id_meter_reading_id_starts_at"),
            ["usage_point_id", "meter_reading_id", "starts_at"],
            unique=False,
        )

    op.create_table(
        "premise",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("number", sa.String(length=256), nullable=True),
        sa.Column("street", sa.String(length=256), nullable=True),
        sa.Column("unit", sa.String(length=256), nullable=True),
        sa.Column("town", sa.String(length=256), nullable=True),
        sa.Column("state", sa.String(length=8), nullable=True),
        sa.Column("zip", sa.String(length=32), nullable=True),
        sa.Column("municipality_code", sa.String(length=32), nullable=True),
        sa.Column("county", sa.String(length=256), nullable=True),
        sa.Column("latitude", sa.Float(), nullable=True),
        sa.Column("longitude", sa.Float(), nullable=True),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_premise")),
    )
    with op.batch_alter_table("premise", schema=None) as batch_op:
        batch_op.create_index(
            batch_op.f("ix_premise_zip_street_number"), ["zip", "street", "number"], unique=False
        )

    op.create_table(
        "program",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("kind", sa.String(length=32), nullable=False),
        sa.Column("name", sa.String(length=256), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_program")),
        sa.UniqueConstraint("name", name=op.f("uq_program_name")),
    )
    op.create_table(
        "utility",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("code", sa.String(length=32), nullable=False),
        sa.Column("name", sa.String(length=256), nullable=False),
        sa.Column("kind", sa.String(length=32), nullable=False),
        sa.Column("is_udc", sa.Boolean(), nullable=False),
        sa.Column("is_lse", sa.Boolean(), nullable=False),
        sa.Column("states", Json, nullable=False),
        sa.Column("commodities", Json, nullable=False),
        sa.Column("timezone", sa.String(length=256), nullable=False),
        sa.Column("currency", sa.String(length=3), nullable=False),
        sa.Column("base_url", sa.Text(), nullable=True),
        sa.Column("namespace", sa.Uuid(), nullable=False),
        sa.Column("profile", sa.String(length=32), nullable=False),
        sa.Column("qualities", Json, nullable=False),
        sa.Column("created_at", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_utility")),
        sa.UniqueConstraint("code", name=op.f("uq_utility_code")),
    )
    op.create_table(
        "application",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("utility_id", sa.Uuid(), nullable=False),
        sa.Column("asp_id", sa.Uuid(), nullable=True),
        sa.Column("client_id", sa.String(length=64), nullable=False),
        sa.Column("name", sa.String(length=256), nullable=False),
        sa.Column("policy", sa.String(length=32), nullable=False),
        sa.Column("status", sa.SmallInteger(), nullable=False),
        sa.Column("rin_form", sa.String(length=32), nullable=False),
        sa.Column("notify_uri", sa.Text(), nullable=True),
        sa.Column("redirect_uris", Json, nullable=False),
        sa.Column("scope", sa.Text(), nullable=False),
        sa.Column("information", Json, nullable=False),
        sa.Column("created_by", sa.String(length=256), nullable=False),
        sa.Column("created_at", sa.BigInteger(), nullable=False),
        sa.Column("updated_at", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(["asp_id"], ["asp.id"], name=op.f("fk_application_asp_id")),
        sa.ForeignKeyConstraint(["utility_id"], ["utility.id"], name=op.f("fk_application_utility_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_application")),
        sa.UniqueConstraint("client_id", name=op.f("uq_application_client_id")),
        sa.UniqueConstraint("utility_id", "name", name=op.f("uq_application_utility_id_name")),
    )
    op.create_table(
        "audit_event",
        sa.Column("number", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("utility_id", sa.Uuid(), nullable=True),
        sa.Column("at", sa.BigInteger(), nullable=False),
        sa.Column("act", sa.String(length=32), nullable=False),
        sa.Column("actor", sa.String(length=256), nullable=False),
        sa.Column("subject", sa.String(length=256), nullable=False),
        sa.Column("detail", Json, nullable=False),
        sa.Column("previous", sa.LargeBinary(length=32), nullable=False),
        sa.Column("digest", sa.LargeBinary(length=32), nullable=False),
        sa.ForeignKeyConstraint(["utility_id"], ["utility.id"], name=op.f("fk_audit_event_utility_id")),
        sa.PrimaryKeyConstraint("number", name=op.f("pk_audit_event")),
    )
    with op.batch_alter_table("audit_event", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_audit_event_utility_id"), ["utility_id"], unique=False)

    op.create_table(
        "change",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("sequence", sa.BigInteger(), nullable=True),
        sa.Column("utility_id", sa.Uuid(), nullable=False),
        sa.Column("usage_point_id", sa.Uuid(), nullable=False),
        sa.Column("entity", sa.String(length=32), nullable=False),
        sa.Column("entity_id", sa.Uuid(), nullable=False),
        sa.Column("verb", sa.String(length=32), nullable=False),
        sa.Column("at", sa.BigInteger(), nullable=False),
        sa.Column("starts_at", sa.BigInteger(), nullable=True),
        sa.Column("ends_at", sa.BigInteger(), nullable=True),
        sa.ForeignKeyConstraint(["utility_id"], ["utility.id"], name=op.f("fk_change_utility_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_change")),
        sa.UniqueConstraint("sequence", name=op.f("uq_change_sequence")),
    )
    with op.batch_alter_table("change", schema=None) as batch_op:
        batch_op.create_index(
            batch_op.f("ix_change_utility_id_sequence"), ["utility_id", "sequence"], unique=False
        )

    op.create_table(
        "consent_record",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("utility_id", sa.Uuid(), nullable=False),
        sa.Column("shown", sa.Text(), nullable=False),
        sa.Column("language", sa.String(length=32), nullable=False),
        sa.Column("version", sa.String(length=32), nullable=False),
        sa.Column("digest", sa.LargeBinary(length=32), nullable=False),
        sa.Column("shown_at", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(["utility_id"], ["utility.id"], name=op.f("fk_consent_record_utility_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_consent_record")),
    )
    op.create_table(
        "customer",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("utility_id", sa.Uuid(), nullable=False),
        sa.Column("reference", sa.String(length=256), nullable=False),
        sa.Column("version", sa.BigInteger(), nullable=False),
        sa.Column("created_at", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(["utility_id"], ["utility.id"], name=op.f("fk_customer_utility_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_customer")),
        sa.UniqueConstraint("utility_id", "reference", name=op.f("uq_customer_utility_id_reference")),
    )
    op.create_table(
        "feature_state",
        sa.Column("utility_id", sa.Uuid(), nullable=False),
        sa.Column("customer_class", sa.String(length=32), nullable=False),
        sa.Column("feature", sa.String(length=32), nullable=False),
        sa.Column("state", sa.String(length=32), nullable=False),
        sa.Column("planned_for", sa.BigInteger(), nullable=True),
        sa.ForeignKeyConstraint(["utility_id"], ["utility.id"], name=op.f("fk_feature_state_utility_id")),
        sa.PrimaryKeyConstraint("utility_id", "customer_class", "feature", name=op.f("pk_feature_state")),
    )
    op.create_table(
        "grid_asset",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("utility_id", sa.Uuid(), nullable=False),
        sa.Column("kind", sa.String(length=32), nullable=False),
        sa.Column("reference", sa.String(length=256), nullable=False),
        sa.ForeignKeyConstraint(["utility_id"], ["utility.id"], name=op.f("fk_grid_asset_utility_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_grid_asset")),
        sa.UniqueConstraint(
            "utility_id", "kind", "reference", name=op.f("uq_grid_asset_utility_id_kind_reference")
        ),
    )
    op.create_table(
        "import_run",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("utility_id", sa.Uuid(), nullable=False),
        sa.Column("started_at", sa.BigInteger(), nullable=False),
        sa.Column("finished_at", sa.BigInteger(), nullable=True),
        sa.Column("profile", sa.String(length=32), nullable=False),
        sa.Column("actor", sa.String(length=256), nullable=False),
        sa.Column("report", Json, nullable=False),
        sa.ForeignKeyConstraint(["utility_id"], ["utility.id"], name=op.f("fk_import_run_utility_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_import_run")),
    )
    with op.batch_alter_table("import_run", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_import_run_utility_id"), ["utility_id"], unique=False)

    op.create_table(
        "outbox",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("utility_id", sa.Uuid(), nullable=False),
        sa.Column("kind", sa.String(length=32), nullable=False),
        sa.Column("recipient", sa.String(length=256), nullable=False),
        sa.Column("payload", Json, nullable=False),
        sa.Column("state", sa.String(length=32), nullable=False),
        sa.Column("attempts", sa.BigInteger(), nullable=False),
        sa.Column("next_attempt_at", sa.BigInteger(), nullable=False),
        sa.Column("lease_until", sa.BigInteger(), nullable=True),
        sa.Column("last_error", sa.Text(), nullable=True),
        sa.Column("created_at", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(["utility_id"], ["utility.id"], name=op.f("fk_outbox_utility_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_outbox")),
    )
    with op.batch_alter_table("outbox", schema=None) as batch_op:
        batch_op.create_index(
            batch_op.f("ix_outbox_state_next_attempt_at"), ["state", "next_attempt_at"], unique=False
        )

    op.create_table(
        "service_location",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("utility_id", sa.Uuid(), nullable=False),
        sa.Column("source_premise", sa.String(length=256), nullable=False),
        sa.Column("premise_id", sa.Uuid(), nullable=True),
        sa.Column("match_method", sa.String(length=32), nullable=True),
        sa.Column("match_confidence", sa.Float(), nullable=True),
        sa.Column("matched_from", sa.BigInteger(), nullable=True),
        sa.Column("matched_until", sa.BigInteger(), nullable=True),
        sa.Column("municipality", sa.String(length=256), nullable=True),
        sa.Column("baseline_territory", sa.String(length=32), nullable=True),
        sa.ForeignKeyConstraint(["premise_id"], ["premise.id"], name=op.f("fk_service_location_premise_id")),
        sa.ForeignKeyConstraint(["utility_id"], ["utility.id"], name=op.f("fk_service_location_utility_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_service_location")),
        sa.UniqueConstraint(
            "utility_id", "source_premise", name=op.f("uq_service_location_utility_id_source_premise")
        ),
    )
    with op.batch_alter_table("service_location", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_service_location_premise_id"), ["premise_id"], unique=False)

    op.create_table(
        "tou_block",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("utility_id", sa.Uuid(), nullable=False),
        sa.Column("tariff_version", sa.String(length=256), nullable=False),
        sa.Column("code", sa.BigInteger(), nullable=False),
        sa.Column("name", sa.String(length=256), nullable=False),
        sa.ForeignKeyConstraint(["utility_id"], ["utility.id"], name=op.f("fk_tou_block_utility_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_tou_block")),
        sa.UniqueConstraint(
            "utility_id", "tariff_version", "code", name=op.f("uq_tou_block_utility_id_tariff_version_code")
        ),
    )
    op.create_table(
        "access_right",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("application_id", sa.Uuid(), nullable=False),
        sa.Column("dataset", sa.String(length=32), nullable=False),
        sa.Column("verbs", Json, nullable=False),
        sa.Column("purpose", sa.String(length=256), nullable=False),
        sa.Column("legal_basis", sa.String(length=32), nullable=False),
        sa.Column("starts_at", sa.BigInteger(), nullable=False),
        sa.Column("ends_at", sa.BigInteger(), nullable=True),
        sa.ForeignKeyConstraint(
            ["application_id"], ["application.id"], name=op.f("fk_access_right_application_id")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_access_right")),
    )
    with op.batch_alter_table("access_right", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_access_right_application_id"), ["application_id"], unique=False)

    op.create_table(
        "account",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("utility_id", sa.Uuid(), nullable=False),
        sa.Column("customer_id", sa.Uuid(), nullable=False),
        sa.Column("reference", sa.String(length=256), nullable=False),
        sa.ForeignKeyConstraint(["customer_id"], ["customer.id"], name=op.f("fk_account_customer_id")),
        sa.ForeignKeyConstraint(["utility_id"], ["utility.id"], name=op.f("fk_account_utility_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_account")),
        sa.UniqueConstraint("utility_id", "reference", name=op.f("uq_account_utility_id_reference")),
    )
    with op.batch_alter_table("account", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_account_customer_id"), ["customer_id"], unique=False)

    op.create_table(
        "application_secret",
        sa.Column("digest", sa.LargeBinary(length=32), nullable=False),
        sa.Column("application_id", sa.Uuid(), nullable=False),
        sa.Column("created_at", sa.BigInteger(), nullable=False),
        sa.Column("expires_at", sa.BigInteger(), nullable=True),
        sa.Column("revoked_at", sa.BigInteger(), nullable=True),
        sa.ForeignKeyConstraint(
            ["application_id"],
            ["application.id"],
            name=op.f("fk_application_secret_application_id"),
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("digest", name=op.f("pk_application_secret")),
    )
    with op.batch_alter_table("application_secret", schema=None) as batch_op:
        batch_op.create_index(
            batch_op.f("ix_application_secret_application_id"), ["application_id"], unique=False
        )

    op.create_table(
        "authorization",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("utility_id", sa.Uuid(), nullable=False),
        sa.Column("application_id", sa.Uuid(), nullable=False),
        sa.Column("customer_id", sa.Uuid(), nullable=True),
        sa.Column("scope", sa.String(length=256), nullable=False),
        sa.Column("bulk_id", sa.String(length=256), nullable=True),
        sa.Column("history_from", sa.BigInteger(), nullable=True),
        sa.Column("starts_at", sa.BigInteger(), nullable=False),
        sa.Column("ends_at", sa.BigInteger(), nullable=False),
        sa.Column("ended_at", sa.BigInteger(), nullable=True),
        sa.Column("ended_reason", sa.String(length=32), nullable=True),
        sa.Column("version", sa.BigInteger(), nullable=False),
        sa.Column("identified", Json, nullable=False),
        sa.Column("consent_record_id", sa.Uuid(), nullable=True),
        sa.Column("created_by", sa.String(length=256), nullable=False),
        sa.Column("created_at", sa.BigInteger(), nullable=False),
        sa.Column("updated_at", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(
            ["application_id"], ["application.id"], name=op.f("fk_authorization_application_id")
        ),
        sa.ForeignKeyConstraint(
            ["consent_record_id"], ["consent_record.id"], name=op.f("fk_authorization_consent_record_id")
        ),
        sa.ForeignKeyConstraint(["customer_id"], ["customer.id"], name=op.f("fk_authorization_customer_id")),
        sa.ForeignKeyConstraint(["utility_id"], ["utility.id"], name=op.f("fk_authorization_utility_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_authorization")),
    )
    with op.batch_alter_table("authorization", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_authorization_application_id"), ["application_id"], unique=False)
        batch_op.create_index(
            batch_op.f("ix_authorization_application_id_bulk_id"), ["application_id", "bulk_id"], unique=False
        )
        batch_op.create_index(batch_op.f("ix_authorization_customer_id"), ["customer_id"], unique=False)
        batch_op.create_index(
            "uq_authorization_live_customer",
            ["utility_id", "application_id", "customer_id"],
            unique=True,
            sqlite_where=sa.text("ended_at IS NULL"),
            postgresql_where=sa.text("ended_at IS NULL"),
        )
        batch_op.create_index(
            "uq_authorization_live_operator",
            ["utility_id", "application_id"],
            unique=True,
            sqlite_where=sa.text("ended_at IS NULL AND customer_id IS NULL"),
            postgresql_where=sa.text("ended_at IS NULL AND customer_id IS NULL"),
        )

    op.create_table(
        "login",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("kind", sa.String(length=32), nullable=False),
        sa.Column("utility_id", sa.Uuid(), nullable=True),
        sa.Column("customer_id", sa.Uuid(), nullable=True),
        sa.Column("asp_id", sa.Uuid(), nullable=True),
        sa.Column("name", sa.String(length=256), nullable=False),
        sa.Column("email", sa.String(length=256), nullable=True),
        sa.Column("password_digest", sa.Text(), nullable=True),
        sa.Column("status", sa.String(length=32), nullable=False),
        sa.Column("created_at", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(["asp_id"], ["asp.id"], name=op.f("fk_login_asp_id")),
        sa.ForeignKeyConstraint(["customer_id"], ["customer.id"], name=op.f("fk_login_customer_id")),
        sa.ForeignKeyConstraint(["utility_id"], ["utility.id"], name=op.f("fk_login_utility_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_login")),
        sa.UniqueConstraint("kind", "utility_id", "name", name=op.f("uq_login_kind_utility_id_name")),
    )
    with op.batch_alter_table("login", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_login_customer_id"), ["customer_id"], unique=False)

    op.create_table(
        "resource",
        sa.Column("usage_point_id", sa.Uuid(), nullable=False),
        sa.Column("kind", sa.SmallInteger(), nullable=False),
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("utility_id", sa.Uuid(), nullable=False),
        sa.Column("customer_id", sa.Uuid(), nullable=True),
        sa.Column("up_id", sa.Uuid(), nullable=True),
        sa.Column("reference_id", sa.Uuid(), nullable=True),
        sa.Column("related", Json, nullable=False),
        sa.Column("shape", sa.String(length=256), nullable=False),
        sa.Column("names", sa.Text(), nullable=False),
        sa.Column("starts_at", sa.BigInteger(), nullable=False),
        sa.Column("duration", sa.BigInteger(), nullable=False),
        sa.Column("published", sa.BigInteger(), nullable=False),
        sa.Column("updated", sa.BigInteger(), nullable=False),
        sa.Column("source_self", sa.Text(), nullable=True),
        sa.Column("content", Json, nullable=False),
        sa.Column("aside", Json, nullable=True),
        sa.Column("xml", sa.LargeBinary(), nullable=False),
        sa.ForeignKeyConstraint(["customer_id"], ["customer.id"], name=op.f("fk_resource_customer_id")),
        sa.ForeignKeyConstraint(["utility_id"], ["utility.id"], name=op.f("fk_resource_utility_id")),
        sa.PrimaryKeyConstraint("usage_point_id", "kind", "id", name=op.f("pk_resource")),
        sa.UniqueConstraint(
            "utility_id",
            "usage_point_id",
            "kind",
            "id",
            name=op.f("uq_resource_utility_id_usage_point_id_kind_id"),
        ),
    )
    with op.batch_alter_table("resource", schema=None) as batch_op:
        batch_op.create_index(
            batch_op.f("ix_resource_customer_id_kind_id"), ["customer_id", "kind", "id"], unique=False
        )
        batch_op.create_index(
            batch_op.f("ix_resource_usage_point_id_kind_starts_at_id"),
            ["usage_point_id", "kind", "starts_at", "id"],
            unique=False,
        )
        batch_op.create_index(
            batch_op.f("ix_resource_utility_id_kind_id"), ["utility_id", "kind", "id"], unique=False
        )
        batch_op.create_index(
            batch_op.f("ix_resource_utility_id_updated"), ["utility_id", "updated"], unique=False
        )

    op.create_table(
        "usage_ledger",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("utility_id", sa.Uuid(), nullable=False),
        sa.Column("application_id", sa.Uuid(), nullable=False),
        sa.Column("feature", sa.String(length=32), nullable=False),
        sa.Column("month", sa.String(length=7), nullable=False),
        sa.Column("quantity", sa.BigInteger(), nullable=False),
        sa.Column("at", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(
            ["application_id"], ["application.id"], name=op.f("fk_usage_ledger_application_id")
        ),
        sa.ForeignKeyConstraint(["utility_id"], ["utility.id"], name=op.f("fk_usage_ledger_utility_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_usage_ledger")),
    )
    with op.batch_alter_table("usage_ledger", schema=None) as batch_op:
        batch_op.create_index(
            batch_op.f("ix_usage_ledger_utility_id_application_id_month_feature"),
            ["utility_id", "application_id", "month", "feature"],
            unique=False,
        )

    op.create_table(
        "access_right_utility",
        sa.Column("access_right_id", sa.Uuid(), nullable=False),
        sa.Column("utility_id", sa.Uuid(), nullable=False),
        sa.ForeignKeyConstraint(
            ["access_right_id"],
            ["access_right.id"],
            name=op.f("fk_access_right_utility_access_right_id"),
            ondelete="CASCADE",
        ),
        sa.ForeignKeyConstraint(
            ["utility_id"], ["utility.id"], name=op.f("fk_access_right_utility_utility_id")
        ),
        sa.PrimaryKeyConstraint("access_right_id", "utility_id", name=op.f("pk_access_right_utility")),
    )
    op.create_table(
        "login_session",
        sa.Column("digest", sa.LargeBinary(length=32), nullable=False),
        sa.Column("login_id", sa.Uuid(), nullable=False),
        sa.Column("utility_id", sa.Uuid(), nullable=True),
        sa.Column("authenticated_at", sa.BigInteger(), nullable=False),
        sa.Column("amr", Json, nullable=False),
        sa.Column("acr", sa.String(length=32), nullable=True),
        sa.Column("seen_at", sa.BigInteger(), nullable=False),
        sa.Column("ends_at", sa.BigInteger(), nullable=False),
        sa.Column("revoked_at", sa.BigInteger(), nullable=True),
        sa.ForeignKeyConstraint(
            ["login_id"], ["login.id"], name=op.f("fk_login_session_login_id"), ondelete="CASCADE"
        ),
        sa.ForeignKeyConstraint(["utility_id"], ["utility.id"], name=op.f("fk_login_session_utility_id")),
        sa.PrimaryKeyConstraint("digest", name=op.f("pk_login_session")),
    )
    with op.batch_alter_table("login_session", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_login_session_login_id"), ["login_id"], unique=False)

    op.create_table(
        "service_agreement",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("utility_id", sa.Uuid(), nullable=False),
        sa.Column("customer_id", sa.Uuid(), nullable=False),
        sa.Column("account_id", sa.Uuid(), nullable=False),
        sa.Column("service_location_id", sa.Uuid(), nullable=True),
        sa.Column("reference", sa.String(length=256), nullable=False),
        sa.Column("commodity", sa.String(length=32), nullable=False),
        sa.Column("customer_class", sa.String(length=32), nullable=False),
        sa.Column("source_class", sa.String(length=256), nullable=True),
        sa.Column("udc", sa.String(length=256), nullable=True),
        sa.Column("lse", sa.String(length=256), nullable=True),
        sa.Column("read_cycle", sa.String(length=32), nullable=True),
        sa.Column("net_metering", sa.String(length=32), nullable=True),
        sa.Column("voltage_class", sa.String(length=32), nullable=True),
        sa.Column("status", sa.String(length=32), nullable=False),
        sa.Column("starts_at", sa.BigInteger(), nullable=True),
        sa.Column("ends_at", sa.BigInteger(), nullable=True),
        sa.ForeignKeyConstraint(["account_id"], ["account.id"], name=op.f("fk_service_agreement_account_id")),
        sa.ForeignKeyConstraint(
            ["customer_id"], ["customer.id"], name=op.f("fk_service_agreement_customer_id")
        ),
        sa.ForeignKeyConstraint(
            ["service_location_id"],
            ["service_location.id"],
            name=op.f("fk_service_agreement_service_location_id"),
        ),
        sa.ForeignKeyConstraint(["utility_id"], ["utility.id"], name=op.f("fk_service_agreement_utility_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_service_agreement")),
        sa.UniqueConstraint(
            "utility_id", "reference", name=op.f("uq_service_agreement_utility_id_reference")
        ),
    )
    with op.batch_alter_table("service_agreement", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_service_agreement_account_id"), ["account_id"], unique=False)
        batch_op.create_index(batch_op.f("ix_service_agreement_customer_id"), ["customer_id"], unique=False)
        batch_op.create_index(
            batch_op.f("ix_service_agreement_service_location_id"), ["service_location_id"], unique=False
        )

    op.create_table(
        "token_family",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("authorization_id", sa.Uuid(), nullable=False),
        sa.Column("created_at", sa.BigInteger(), nullable=False),
        sa.Column("revoked_at", sa.BigInteger(), nullable=True),
        sa.Column("revoked_reason", sa.String(length=32), nullable=True),
        sa.ForeignKeyConstraint(
            ["authorization_id"], ["authorization.id"], name=op.f("fk_token_family_authorization_id")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_token_family")),
    )
    with op.batch_alter_table("token_family", schema=None) as batch_op:
        batch_op.create_index(
            batch_op.f("ix_token_family_authorization_id"), ["authorization_id"], unique=False
        )

    op.create_table(
        "agreement_rate",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("agreement_id", sa.Uuid(), nullable=False),
        sa.Column("rate_code", sa.String(length=256), nullable=False),
        sa.Column("modifiers", Json, nullable=False),
        sa.Column("starts_at", sa.BigInteger(), nullable=True),
        sa.Column("ends_at", sa.BigInteger(), nullable=True),
        sa.ForeignKeyConstraint(
            ["agreement_id"],
            ["service_agreement.id"],
            name=op.f("fk_agreement_rate_agreement_id"),
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_agreement_rate")),
    )
    with op.batch_alter_table("agreement_rate", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_agreement_rate_agreement_id"), ["agreement_id"], unique=False)

    op.create_table(
        "agreement_rin",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("agreement_id", sa.Uuid(), nullable=False),
        sa.Column("rin", sa.String(length=32), nullable=False),
        sa.Column("role", sa.String(length=32), nullable=False),
        sa.Column("starts_at", sa.BigInteger(), nullable=True),
        sa.Column("ends_at", sa.BigInteger(), nullable=True),
        sa.ForeignKeyConstraint(
            ["agreement_id"],
            ["service_agreement.id"],
            name=op.f("fk_agreement_rin_agreement_id"),
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_agreement_rin")),
    )
    with op.batch_alter_table("agreement_rin", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_agreement_rin_agreement_id"), ["agreement_id"], unique=False)

    op.create_table(
        "authorization_agreement",
        sa.Column("authorization_id", sa.Uuid(), nullable=False),
        sa.Column("agreement_id", sa.Uuid(), nullable=False),
        sa.ForeignKeyConstraint(
            ["agreement_id"], ["service_agreement.id"], name=op.f("fk_authorization_agreement_agreement_id")
        ),
        sa.ForeignKeyConstraint(
            ["authorization_id"],
            ["authorization.id"],
            name=op.f("fk_authorization_agreement_authorization_id"),
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("authorization_id", "agreement_id", name=op.f("pk_authorization_agreement")),
    )
    with op.batch_alter_table("authorization_agreement", schema=None) as batch_op:
        batch_op.create_index(
            batch_op.f("ix_authorization_agreement_agreement_id"), ["agreement_id"], unique=False
        )

    op.create_table(
        "token",
        sa.Column("digest", sa.LargeBinary(length=32), nullable=False),
        sa.Column("kind", sa.String(length=16), nullable=False),
        sa.Column("utility_id", sa.Uuid(), nullable=False),
        sa.Column("application_id", sa.Uuid(), nullable=True),
        sa.Column("authorization_id", sa.Uuid(), nullable=True),
        sa.Column("family_id", sa.Uuid(), nullable=True),
        sa.Column("scope", sa.Text(), nullable=False),
        sa.Column("confirmation", sa.LargeBinary(length=32), nullable=True),
        sa.Column("issued_by", sa.String(length=256), nullable=False),
        sa.Column("issued_at", sa.BigInteger(), nullable=False),
        sa.Column("expires_at", sa.BigInteger(), nullable=False),
        sa.Column("used_at", sa.BigInteger(), nullable=True),
        sa.Column("revoked_at", sa.BigInteger(), nullable=True),
        sa.Column("revoked_reason", sa.String(length=32), nullable=True),
        sa.ForeignKeyConstraint(["application_id"], ["application.id"], name=op.f("fk_token_application_id")),
        sa.ForeignKeyConstraint(
            ["authorization_id"], ["authorization.id"], name=op.f("fk_token_authorization_id")
        ),
        sa.ForeignKeyConstraint(["family_id"], ["token_family.id"], name=op.f("fk_token_family_id")),
        sa.ForeignKeyConstraint(["utility_id"], ["utility.id"], name=op.f("fk_token_utility_id")),
        sa.PrimaryKeyConstraint("digest", name=op.f("pk_token")),
    )
    with op.batch_alter_table("token", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_token_application_id"), ["application_id"], unique=False)
        batch_op.create_index(batch_op.f("ix_token_authorization_id"), ["authorization_id"], unique=False)
        batch_op.create_index(batch_op.f("ix_token_family_id"), ["family_id"], unique=False)

    op.create_table(
        "usage_point",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("utility_id", sa.Uuid(), nullable=False),
        sa.Column("source_id", sa.String(length=256), nullable=False),
        sa.Column("kind", sa.String(length=32), nullable=False),
        sa.Column("source", sa.String(length=256), nullable=True),
        sa.Column("customer_id", sa.Uuid(), nullable=True),
        sa.Column("agreement_id", sa.Uuid(), nullable=True),
        sa.Column("customer_since", sa.BigInteger(), nullable=True),
        sa.Column("version", sa.BigInteger(), nullable=False),
        sa.Column("created_at", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(
            ["agreement_id"], ["service_agreement.id"], name=op.f("fk_usage_point_agreement_id")
        ),
        sa.ForeignKeyConstraint(["customer_id"], ["customer.id"], name=op.f("fk_usage_point_customer_id")),
        sa.ForeignKeyConstraint(["utility_id"], ["utility.id"], name=op.f("fk_usage_point_utility_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_usage_point")),
    )
    with op.batch_alter_table("usage_point", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_usage_point_agreement_id"), ["agreement_id"], unique=False)
        batch_op.create_index(batch_op.f("ix_usage_point_customer_id"), ["customer_id"], unique=False)
        batch_op.create_index(
            batch_op.f("ix_usage_point_utility_id_source_id"), ["utility_id", "source_id"], unique=False
        )

    op.create_table(
        "authorization_usage_point",
        sa.Column("authorization_id", sa.Uuid(), nullable=False),
        sa.Column("usage_point_id", sa.Uuid(), nullable=False),
        sa.ForeignKeyConstraint(
            ["authorization_id"],
            ["authorization.id"],
            name=op.f("fk_authorization_usage_point_authorization_id"),
            ondelete="CASCADE",
        ),
        sa.ForeignKeyConstraint(
            ["usage_point_id"], ["usage_point.id"], name=op.f("fk_authorization_usage_point_usage_point_id")
        ),
        sa.PrimaryKeyConstraint(
            "authorization_id", "usage_point_id", name=op.f("pk_authorization_usage_point")
        ),
    )
    with op.batch_alter_table("authorization_usage_point", schema=None) as batch_op:
        batch_op.create_index(
            batch_op.f("ix_authorization_usage_point_usage_point_id"), ["usage_point_id"], unique=False
        )

    op.create_table(
        "usage_point_link",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("usage_point_id", sa.Uuid(), nullable=False),
        sa.Column("kind", sa.String(length=32), nullable=False),
        sa.Column("target_id", sa.Uuid(), nullable=True),
        sa.Column("reference", sa.String(length=256), nullable=True),
        sa.Column("starts_at", sa.BigInteger(), nullable=True),
        sa.Column("ends_at", sa.BigInteger(), nullable=True),
        sa.ForeignKeyConstraint(
            ["usage_point_id"],
            ["usage_point.id"],
            name=op.f("fk_usage_point_link_usage_point_id"),
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_usage_point_link")),
    )
    with op.batch_alter_table("usage_point_link", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_usage_point_link_target_id"), ["target_id"], unique=False)
        batch_op.create_index(
            batch_op.f("ix_usage_point_link_usage_point_id_kind"), ["usage_point_id", "kind"], unique=False
        )
    _store_compressed_bytes_as_they_are()


def downgrade() -> None:
    with op.batch_alter_table("usage_point_link", schema=None) as batch_op:
        batch_op.drop_index(batch_op.f("ix_usage_point_link_usage_point_id_kind"))
        batch_op.drop_index(batch_op.f("ix_usage_point_link_target_id"))

    op.drop_table("usage_point_link")
    with op.batch_alter_table("authorization_usage_point", schema=None) as batch_op:
        batch_op.drop_index(batch_op.f("ix_authorization_usage_point_usage_point_id"))

    op.drop_table("authorization_usage_point")
    with op.batch_alter_table("usage_point", schema=None) as batch_op:
        batch_op.drop_index(batch_op.f("ix_usage_point_utility_id_source_id"))
        batch_op.drop_index(batch_op.f("ix_usage_point_customer_id"))
        batch_op.drop_index(batch_op.f("ix_usage_point_agreement_id"))

    op.drop_table("usage_point")
    with op.batch_alter_table("token", schema=None) as batch_op:
        batch_op.drop_index(batch_op.f("ix_token_family_id"))
        batch_op.drop_index(batch_op.f("ix_token_authorization_id"))
        batch_op.drop_index(batch_op.f("ix_token_application_id"))

    op.drop_table("token")
    with op.batch_alter_table("authorization_agreement", schema=None) as batch_op:
        batch_op.drop_index(batch_op.f("ix_authorization_agreement_agreement_id"))

    op.drop_table("authorization_agreement")
    with op.batch_alter_table("agreement_rin", schema=None) as batch_op:
        batch_op.drop_index(batch_op.f("ix_agreement_rin_agreement_id"))

    op.drop_table("agreement_rin")
    with op.batch_alter_table("agreement_rate", schema=None) as batch_op:
        batch_op.drop_index(batch_op.f("ix_agreement_rate_agreement_id"))

    op.drop_table("agreement_rate")
    with op.batch_alter_table("token_family", schema=None) as batch_op:
        batch_op.drop_index(batch_op.f("ix_token_family_authorization_id"))

    op.drop_table("token_family")
    with op.batch_alter_table("service_agreement", schema=None) as batch_op:
        batch_op.drop_index(batch_op.f("ix_service_agreement_service_location_id"))
        batch_op.drop_index(batch_op.f("ix_service_agreement_customer_id"))
        batch_op.drop_index(batch_op.f("ix_service_agreement_account_id"))

    op.drop_table("service_agreement")
    with op.batch_alter_table("login_session", schema=None) as batch_op:
        batch_op.drop_index(batch_op.f("ix_login_session_login_id"))

    op.drop_table("login_session")
    op.drop_table("access_right_utility")
    with op.batch_alter_table("usage_ledger", schema=None) as batch_op:
        batch_op.drop_index(batch_op.f("ix_usage_ledger_utility_id_application_id_month_feature"))

    op.drop_table("usage_ledger")
    with op.batch_alter_table("resource", schema=None) as batch_op:
        batch_op.drop_index(batch_op.f("ix_resource_utility_id_updated"))
        batch_op.drop_index(batch_op.f("ix_resource_utility_id_kind_id"))
        batch_op.drop_index(batch_op.f("ix_resource_usage_point_id_kind_starts_at_id"))
        batch_op.drop_index(batch_op.f("ix_resource_customer_id_kind_id"))

    op.drop_table("resource")
    with op.batch_alter_table("login", schema=None) as batch_op:
        batch_op.drop_index(batch_op.f("ix_login_customer_id"))

    op.drop_table("login")
    with op.batch_alter_table("authorization", schema=None) as batch_op:
        batch_op.drop_index(
            "uq_authorization_live_operator",
            sqlite_where=sa.text("ended_at IS NULL AND customer_id IS NULL"),
            postgresql_where=sa.text("ended_at IS NULL AND customer_id IS NULL"),
        )
        batch_op.drop_index(
            "uq_authorization_live_customer",
            sqlite_where=sa.text("ended_at IS NULL"),
            postgresql_where=sa.text("ended_at IS NULL"),
        )
        batch_op.drop_index(batch_op.f("ix_authorization_customer_id"))
        batch_op.drop_index(batch_op.f("ix_authorization_application_id_bulk_id"))
        batch_op.drop_index(batch_op.f("ix_authorization_application_id"))

    op.drop_table("authorization")
    with op.batch_alter_table("application_secret", schema=None) as batch_op:
        batch_op.drop_index(batch_op.f("ix_application_secret_application_id"))

    op.drop_table("application_secret")
    with op.batch_alter_table("account", schema=None) as batch_op:
        batch_op.drop_index(batch_op.f("ix_account_customer_id"))

    op.drop_table("account")
    with op.batch_alter_table("access_right", schema=None) as batch_op:
        batch_op.drop_index(batch_op.f("ix_access_right_application_id"))

    op.drop_table("access_right")
    op.drop_table("tou_block")
    with op.batch_alter_table("service_location", schema=None) as batch_op:
        batch_op.drop_index(batch_op.f("ix_service_location_premise_id"))

    op.drop_table("service_location")
    with op.batch_alter_table("outbox", schema=None) as batch_op:
        batch_op.drop_index(batch_op.f("ix_outbox_state_next_attempt_at"))

    op.drop_table("outbox")
    with op.batch_alter_table("import_run", schema=None) as batch_op:
        batch_op.drop_index(batch_op.f("ix_import_run_utility_id"))

    op.drop_table("import_run")
    op.drop_table("grid_asset")
    op.drop_table("feature_state")
    op.drop_table("customer")
    op.drop_table("consent_record")
    with op.batch_alter_table("change", schema=None) as batch_op:
        batch_op.drop_index(batch_op.f("ix_change_utility_id_sequence"))

    op.drop_table("change")
    with op.batch_alter_table("audit_event", schema=None) as batch_op:
        batch_op.drop_index(batch_op.f("ix_audit_event_utility_id"))

    op.drop_table("audit_event")
    op.drop_table("application")
    op.drop_table("utility")
    op.drop_table("program")
    with op.batch_alter_table("premise", schema=None) as batch_op:
        batch_op.drop_index(batch_op.f("ix_premise_zip_street_number"))

    op.drop_table("premise")
    with op.batch_alter_table("interval_correction", schema=None) as batch_op:
        batch_op.drop_index(batch_op.f("ix_interval_correction_usage_point_id_meter_reading_id_starts_at"))

    op.drop_table("interval_correction")
    with op.batch_alter_table("interval_block", schema=None) as batch_op:
        batch_op.drop_index(batch_op.f("ix_interval_block_utility_id_updated"))

    op.drop_table("interval_block")
    op.drop_table("feature_operation")
    with op.batch_alter_table("disclosure", schema=None) as batch_op:
        batch_op.drop_index(batch_op.f("ix_disclosure_sealed_by"))
        batch_op.drop_index(batch_op.f("ix_disclosure_authorization_id_at"))

    op.drop_table("disclosure")
    op.drop_table("asp")


def _store_compressed_bytes_as_they_are() -> None:
    # PostgreSQL would try to compress what is compressed already, at every write.
    if op.get_bind().dialect.name == "postgresql":
        for column in ("body", "packed", "day_index"):
            op.execute(f"ALTER TABLE interval_block ALTER COLUMN {column} SET STORAGE EXTERNAL")
