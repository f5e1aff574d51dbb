"""Puts the previous model back in service: one write, seen by every process within 10 seconds.

``python -m training.rollback --table T [--version V]``

The lists of the version must still be there; they are kept for 14 days after they were published.
"""

import argparse
from collections.abc import Sequence
from datetime import UTC, datetime

import boto3
from rich.console import Console

from personalization.adapters.dynamodb import DynamoListStore
from personalization.errors import Conflict, ModelError
from personalization.rollback import roll_back


def main(argv: Sequence[str] | None = None) -> int:
    """Roll back and say what is in service now; returns 0, or 1 with the reason."""
    parser = argparse.ArgumentParser(prog="python -m training.rollback", description=__doc__)
    parser.add_argument("--table", required=True)
    parser.add_argument("--version", help="the version to activate; the previous one by default")
    options = parser.parse_args(argv)
    console = Console(highlight=False, soft_wrap=True)
    lists = DynamoListStore(boto3.client("dynamodb"), options.table)
    try:
        model = roll_back(lists, version=options.version, now=datetime.now(UTC))
    except (ModelError, Conflict) as error:
        console.print(str(error), style="red", markup=False)
        return 1
    console.print(f"{model.version} is in service; {model.previous} was before")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
