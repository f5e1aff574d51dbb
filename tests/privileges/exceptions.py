"""Permissions that no function uses itself: AWS does, in the function's name. One row each."""

from collections.abc import Mapping
from typing import Final

LOGS: Final = "Lambda writes what a function prints into its own log group."
XRAY: Final = "Lambda's daemon sends the traces."
MAPPING: Final = "The mapping polls the stream: https://docs.aws.amazon.com/lambda/latest/dg/with-kinesis.html#events-kinesis-permissions"
FAN_OUT: Final = "The mapping reads through a reader of its own where the environment says so."
FAILED: Final = "Lambda sends on what a function could not process."
POLLING: Final = (
    "The mapping polls the queue: https://docs.aws.amazon.com/lambda/latest/dg/services-sqs-configure.html"
)
DECRYPT: Final = "Messages of the queue are encrypted under the data key."
CHANNELS: Final = "SageMaker fetches a job's channels before it runs, and stores them after."
IMAGE: Final = "SageMaker pulls the image of the job."
REPORTS: Final = "SageMaker writes what a job prints, and the measures of its instances."

MADE_BY_AWS: Final[Mapping[tuple[str, str, str], str]] = {
    ("*", "logs:CreateLogStream", "own logs"): LOGS,
    ("*", "logs:PutLogEvents", "own logs"): LOGS,
    ("*", "xray:PutTraceSegments", "*"): XRAY,
    ("*", "xray:PutTelemetryRecords", "*"): XRAY,
    ("*", "kinesis:DescribeStream", "stream"): MAPPING,
    ("*", "kinesis:GetRecords", "stream"): MAPPING,
    ("*", "kinesis:GetShardIterator", "stream"): MAPPING,
    ("*", "kinesis:ListShards", "stream"): MAPPING,
    ("update_profiles", "kinesis:DescribeStreamConsumer", "reader"): FAN_OUT,
    ("update_profiles", "kinesis:SubscribeToShard", "reader"): FAN_OUT,
    ("*", "sqs:SendMessage", "failed batches"): FAILED,
    ("roll_back_model", "sqs:SendMessage", "rollback failures"): FAILED,
    ("analyze_experiments", "sqs:SendMessage", "failed analyses"): FAILED,
    ("archive_exposures", "sqs:SendMessage", "failed deliveries"): FAILED,
    **{
        (function, action, queue): POLLING
        for function, queue in (
            ("refresh_recommendations", "refresh queue"),
            ("erase_users", "erasure queue"),
        )
        for action in ("sqs:ReceiveMessage", "sqs:DeleteMessage", "sqs:GetQueueAttributes")
    },
    ("refresh_recommendations", "kms:Decrypt", "key"): DECRYPT,
    ("erase_users", "kms:Decrypt", "key"): DECRYPT,
    ("erase_users", "sqs:SendMessage", "failed rounds"): FAILED,
    ("publishing job", "s3:ListBucket", "models"): CHANNELS,
    ("publishing job", "s3:GetObject", "models/runs/*"): CHANNELS,
    ("publishing job", "s3:PutObject", "models/runs/*"): CHANNELS,
    ("publishing job", "ecr:*", "repository"): IMAGE,
    ("publishing job", "ecr:GetAuthorizationToken", "*"): IMAGE,
    ("publishing job", "logs:*", "arn:*:log-group:/aws/sagemaker/*Jobs:[*]"): REPORTS,
    ("publishing job", "cloudwatch:PutMetricData", "*"): REPORTS,
}
"""(function, action, resource) -> why it is allowed; the first two may be patterns, `fnmatch` tells."""
