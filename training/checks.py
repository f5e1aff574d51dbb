"""What a verdict is made of: checks, each with what it saw."""

import msgspec


class Check(msgspec.Struct, frozen=True):
    """One thing that is looked at."""

    name: str
    passed: bool
    detail: str
