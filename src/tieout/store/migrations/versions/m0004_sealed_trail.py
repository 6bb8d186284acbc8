"""Signed checkpoints of the trail, whose entries are sealed from the first on."""

import sqlalchemy
from alembic import op

from tieout.errors import Misconfigured

revision = "0004"
down_revision = "0003"

TABLE = "CREATE TABLE app_checkpoint (n INTEGER NOT NULL, line TEXT NOT NULL, PRIMARY KEY (n))"


def upgrade() -> None:
    """Make the table; an instance of a time before the first release is refused."""
    columns = {column["name"] for column in sqlalchemy.inspect(op.get_bind()).get_columns("audit")}
    if "seal" not in columns:
        raise Misconfigured(
            "This instance was made by a Tieout whose trail was not sealed yet.",
            untouched="Nothing was changed.",
            do="Make a new one in another directory: no released Tieout made such instances.",
            who="who runs this installation",
        )
    op.get_bind().exec_driver_sql(TABLE)
