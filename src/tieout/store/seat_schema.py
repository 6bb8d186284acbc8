"""The tables of seats at JD Edwards and of who stands in line for one (`store.seats`)."""

from sqlalchemy import BigInteger, Column, Integer, Table, Text

from tieout.store.schema import metadata

NOBODY = ""

app_seat = Table(
    "app_seat",
    metadata,
    Column("connection", Text, primary_key=True),
    Column("number", Integer, primary_key=True, autoincrement=False),
    Column("executor", Text, nullable=False),  # NOBODY when it is free
    Column("run", Text, nullable=False),  # NOBODY when the run had ended before
    Column("session", Text, nullable=False),  # sealed; NOBODY when none was left behind
    Column("taken", BigInteger, nullable=False),  # microseconds, the database's clock
)
app_seat_line = Table(
    "app_seat_line",
    metadata,
    Column("connection", Text, primary_key=True),
    Column("executor", Text, primary_key=True),
    Column("run", Text, primary_key=True),
    Column("since", BigInteger, nullable=False),  # the same
    Column("looked", BigInteger, nullable=False),
)
