"""The refresh queue on SQS."""

from collections.abc import Mapping
from itertools import batched
from typing import TYPE_CHECKING, Any, Final

import msgspec
from botocore.exceptions import ClientError

from personalization.adapters.faults import UNREACHABLE
from personalization.errors import InvalidInput, Unavailable
from personalization.ports import RefreshRequest

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
                    "MessageBody": msgspec.json.encode(
                        {"user_key": request.user_key, "surfaces": request.surfaces}
                    ).decode(),
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


def refresh_requests(event: Mapping[str, Any]) -> dict[str, RefreshRequest]:
    """Read a Lambda invocation by an SQS event source mapping: message id -> request.

    Raises
    ------
    InvalidInput
        `invalid_message`: a body that is not a refresh request.
    """
    try:
        return {
            record["messageId"]: msgspec.json.decode(record["body"], type=RefreshRequest)
            for record in event["Records"]
        }
    except msgspec.DecodeError as error:
        raise InvalidInput("invalid_message", str(error)) from None
