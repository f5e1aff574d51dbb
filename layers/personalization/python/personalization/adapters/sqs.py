"""The refresh queue and the erasure queue on SQS."""

from collections.abc import Mapping
from itertools import batched
from typing import TYPE_CHECKING, Final

import msgspec
from botocore.exceptions import ClientError

from personalization.adapters.faults import UNREACHABLE
from personalization.errors import InvalidInput, Unavailable
from personalization.ports import ErasureRequest, RefreshRequest

if TYPE_CHECKING:
    from mypy_boto3_sqs import SQSClient
    from mypy_boto3_sqs.type_defs import SendMessageBatchRequestEntryTypeDef

MAX_ENTRIES: Final = 10


class SqsRefreshQueue:
    """Queues refresh requests, ten a call."""

    def __init__(self, client: "SQSClient", queue_url: str) -> None:
        self._client = client
        self._queue_url = queue_url

    def send(self, requests: Mapping[RefreshRequest, int]) -> None:
        """Queue requests, each with its delay in seconds.

        Raises
        ------
        Unavailable
            The queue did not take all of them; sending again is harmless.
        """
        for chunk in batched(requests.items(), MAX_ENTRIES, strict=False):
            entries: list[SendMessageBatchRequestEntryTypeDef] = [
                {
                    "Id": str(index),
                    "MessageBody": msgspec.json.encode(request).decode(),
                    "DelaySeconds": delay_seconds,
                }
                for index, (request, delay_seconds) in enumerate(chunk)
            ]
            try:
                answer = self._client.send_message_batch(QueueUrl=self._queue_url, Entries=entries)
            except (ClientError, *UNREACHABLE) as error:
                raise Unavailable(type(error).__name__) from error
            if answer.get("Failed"):
                raise Unavailable(answer["Failed"][0]["Code"])


class SqsErasureQueue:
    """Queues erasures, one a call."""

    def __init__(self, client: "SQSClient", queue_url: str) -> None:
        self._client = client
        self._queue_url = queue_url

    def send(self, request: ErasureRequest) -> None:
        """Queue a request.

        Raises
        ------
        Unavailable
            The queue did not take it; sending again is harmless.
        """
        try:
            self._client.send_message(
                QueueUrl=self._queue_url, MessageBody=msgspec.json.encode(request).decode()
            )
        except (ClientError, *UNREACHABLE) as error:
            raise Unavailable(type(error).__name__) from error


def refresh_request(body: str) -> RefreshRequest:
    """Read the body of a message.

    Raises
    ------
    InvalidInput
        `invalid_message`: it is not a refresh request.
    """
    try:
        return msgspec.json.decode(body, type=RefreshRequest)
    except msgspec.DecodeError as error:
        raise InvalidInput("invalid_message", str(error)) from None
