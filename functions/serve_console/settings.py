"""Environment of `serve_console`."""

from dataclasses import dataclass
from typing import Final

NO_SIGN_IN: Final = "none"


@dataclass(frozen=True)
class Settings:
    """What the page must know, all of it public; `NO_SIGN_IN` where the API is open."""

    environment_name: str
    sign_in_url: str
    client_id: str
    scope: str
