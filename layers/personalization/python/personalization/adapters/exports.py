"""What was gathered about people, on S3."""

from datetime import datetime
from typing import TYPE_CHECKING, Final

from botocore.exceptions import ClientError

from personalization import keys
from personalization.adapters.faults import UNREACHABLE
from personalization.errors import Unavailable

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

LINK_SECONDS: Final = 900


class S3Exports:
    """Finds exports, and signs links to them with the caller's own permissions."""

    def __init__(self, client: "S3Client", bucket: str) -> None:
        self._client = client
        self._bucket = bucket

    def find(self, user_key: str) -> tuple[datetime, str] | None:
        """Return when a user's lines were gathered, and a link to them. Cost: one call to list.

        Raises
        ------
        Unavailable
            S3 throttles or is out of reach.
        """
        key = keys.export_object(user_key)
        try:
            found = self._client.list_objects_v2(Bucket=self._bucket, Prefix=key)
        except UNREACHABLE as error:
            raise Unavailable(type(error).__name__) from error
        except ClientError as error:
            if error.response["ResponseMetadata"]["HTTPStatusCode"] >= 500:
                raise Unavailable(error.response["Error"]["Code"]) from error
            raise
        for row in found.get("Contents", []):
            link = self._client.generate_presigned_url(
                "get_object", Params={"Bucket": self._bucket, "Key": key}, ExpiresIn=LINK_SECONDS
            )
            return row["LastModified"], link
        return None
