"""`PYTHONPATH=tests python -m intruders`: try to get in, and print where each attack stopped."""

import sys

from rich.console import Console
from rich.table import Table

import conftest  # noqa: F401 (no way to a real account)
from intruders.gateway import guarded
from intruders.honest import honest
from intruders.on_receipts import ON_RECEIPTS, shown_to_ann
from intruders.on_tokens import ON_TOKENS
from intruders.on_users import ON_USERS


def main() -> int:
    """Run every attack; an `AssertionError` names the one that got through."""
    console = Console(highlight=False)
    table = Table("attack", "stops at", "answer", title="who tried to get in")
    with console.status("attacking"), guarded() as site:
        honest(site)
        for attack in (*ON_TOKENS, *ON_USERS):
            table.add_row(attack.name, attack.stops_at, attack.strike(site))
        shown = shown_to_ann(site)
        for misuse in ON_RECEIPTS:
            table.add_row(misuse.name, "reducer", misuse.strike(site, shown))
    console.print(table)
    console.print(f"{table.row_count} attacks, none got through; every honest call was answered")
    return 0


if __name__ == "__main__":
    sys.exit(main())
