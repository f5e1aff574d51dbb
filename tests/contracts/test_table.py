"""The table's contract, on memory and on moto."""

from contracts.table_contract import TableContract


class TestTable(TableContract):
    """Runs with the `table` fixture of this folder."""
