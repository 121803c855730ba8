"""What of the statewide tool is on offer: whatever somebody shares, or may ask for by name, stays so.

Until now all of it was on offer everywhere; from now on it is where the utility has switched it on.
"""

import sqlalchemy as sa
from alembic import op

revision = "0020"
down_revision = "0019"
branch_labels = None
depends_on = None

FEATURES = {"RIN": "rin", "BillComparison": "comparison", "RateChange": "rate-change"}
ADD = """
INSERT INTO feature_state (utility_id, customer_class, feature, state)
SELECT utility.id, 'all', CAST(:feature AS VARCHAR(32)), 'on' FROM utility
WHERE NOT EXISTS (SELECT 1 FROM feature_state AS f
                  WHERE f.utility_id = utility.id AND f.feature = CAST(:feature AS VARCHAR(32)))
AND (EXISTS (SELECT 1 FROM "authorization" AS a WHERE a.utility_id = utility.id AND a.ended_at IS NULL
             AND a.scope LIKE CAST(:term AS VARCHAR(64)))
     OR EXISTS (SELECT 1 FROM application AS p WHERE p.utility_id = utility.id
                AND p.scope LIKE CAST(:term AS VARCHAR(64))))
"""


def upgrade() -> None:
    for term, feature in FEATURES.items():
        op.get_bind().execute(sa.text(ADD), {"feature": feature, "term": f"%AdditionalScope=%{term}%"})


def downgrade() -> None:
    """What was switched on stays written down; nobody asked for it before."""
