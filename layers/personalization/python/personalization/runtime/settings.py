"""Settings of a function: a frozen dataclass whose fields are the names of its environment variables."""

import os
from dataclasses import fields
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from _typeshed import DataclassInstance


class MissingSettingError(RuntimeError):
    """The environment lacks variables that the function needs."""


def load_settings[T: "DataclassInstance"](kind: type[T]) -> T:
    """Fill a dataclass of `str` fields from the environment, field `table_name` from `TABLE_NAME`.

    Raises
    ------
    MissingSettingError
        Names every variable that is missing or empty.
    """
    names = [field.name for field in fields(kind)]
    values = {name: os.environ.get(name.upper(), "") for name in names}
    missing = [name.upper() for name, value in values.items() if not value]
    if missing:
        raise MissingSettingError(f"set {', '.join(missing)}")
    return kind(**values)
