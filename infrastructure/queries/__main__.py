"""Prints a question as SQL: `python -m infrastructure.queries NAME`; without a name, what there is to ask."""

import sys
from collections.abc import Sequence

from infrastructure.queries import questions


def main(arguments: Sequence[str]) -> int:
    """Write the text of the one question that is named, or names and descriptions of all."""
    known = {question.name: question for question in questions()}
    if not arguments:
        sys.stdout.writelines(f"{name}: {question.description}\n" for name, question in known.items())
        return 0
    if len(arguments) > 1 or arguments[0] not in known:
        sys.stderr.write(f"There is no question {' '.join(arguments)!r}. There are: {', '.join(known)}\n")
        return 2
    sys.stdout.write(known[arguments[0]].sql + "\n")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
