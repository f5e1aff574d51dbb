"""boto3 clients that give up in time: an answer that is late is no answer on the request path."""

from functools import partial
from typing import Final

import boto3
from botocore.config import Config

CONNECT_SECONDS: Final = 1.0
READ_SECONDS: Final = 3.0
ATTEMPTS: Final = 3

impatient = partial(
    boto3.client,
    config=Config(
        connect_timeout=CONNECT_SECONDS,
        read_timeout=READ_SECONDS,
        retries={"mode": "standard", "total_max_attempts": ATTEMPTS},
    ),
)
"""Makes a client by the service's name, with short timeouts and jittered, bounded retries."""
