"""Environment of `get_trending`."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Settings:
    """Where lists are, where they were last published to, and how long an answer may take."""

    table_name: str
    model_bucket: str
    answer_milliseconds: str
