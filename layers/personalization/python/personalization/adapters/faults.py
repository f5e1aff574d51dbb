"""Which botocore faults mean that a service can't be reached now, rather than that it refuses."""

from typing import Final

from botocore import exceptions

UNREACHABLE: Final = (exceptions.ConnectionError, exceptions.HTTPClientError)
