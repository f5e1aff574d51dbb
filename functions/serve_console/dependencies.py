"""What `serve_console` answers with, read once per container."""

from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Final

import msgspec

from functions.serve_console.assets import Asset, asset, read_assets
from functions.serve_console.settings import NO_SIGN_IN, Settings
from personalization.runtime.settings import load_settings

CONFIG: Final = "config.json"
_PAGE: Final = Path(__file__).with_name("page")


@cache
def settings() -> Settings:
    """Read the environment."""
    return load_settings(Settings)


@cache
def assets() -> Mapping[str, Asset]:
    """Read the files of the page, and add what it must know of this deployment."""
    known = settings()
    sign_in = {"url": known.sign_in_url, "client_id": known.client_id, "scope": known.scope}
    config = {
        "environment": known.environment_name,
        "sign_in": None if known.sign_in_url == NO_SIGN_IN else sign_in,
    }
    return {**read_assets(_PAGE), CONFIG: asset(msgspec.json.encode(config).decode(), ".json")}
