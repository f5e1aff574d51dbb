"""What one post, event, answer, refresh and night take, in the units that AWS bills.

`MEASURED` is what ``PYTHONPATH=tests python -m benchmarks.unit_costs`` found, rounded; a test measures anew
and fails where the two differ. `ASSUMED` is what only a real account could tell, or AWS's documents say.
"""

from dataclasses import dataclass
from typing import Final

PROCESSOR_MB: Final = 1_769
"""Memory of a Lambda with one whole processor; time grows in proportion below:
https://docs.aws.amazon.com/lambda/latest/dg/configuration-memory.html"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Measured:
    """Figures of the synthetic shop of the benchmark: slates of 10 items, answers of 20, lists of 60.

    Times are milliseconds of one x86-64 processor spent in handler and SDK, waiting for AWS not included.
    Log bytes are those of the handler's own lines.
    """

    stream_event_bytes: float
    """Of an event in the stream, with its partition key."""
    post_calls: float
    """`PutRecords` for a post of up to 500 events."""
    post_read_units: float
    """Of what the user of a post consented to, where a container has not read it lately."""
    post_ms: float
    post_event_ms: float
    post_log_bytes: float

    fold_ms: float
    """Of a batch of `update_profiles`; more for each user and each event in it."""
    fold_user_ms: float
    fold_event_ms: float
    fold_read_units: float
    """For each user in a batch; so the write units."""
    fold_write_units: float
    fold_log_bytes: float
    profile_bytes: float
    """Of a stored profile with its bookkeeping."""

    archive_ms: float
    archive_event_ms: float
    archive_log_bytes: float
    lake_event_bytes: float
    """Of an event in the lake, compressed with its batch."""

    answer_ms: float
    answer_read_units: float
    """Of the user's own records; what is shared costs `shared_read_units` in 10 seconds and container."""
    shared_read_units: float
    answer_log_bytes: float
    answer_log_lines: float
    answer_bytes: float
    """Of the body that the client gets."""

    deliver_ms: float
    deliver_line_ms: float
    deliver_log_bytes: float
    exposure_bytes: float
    """Of an answer's exposure in the lake, compressed with its delivery of 20."""

    refresh_ms: float
    """Of a message that rebuilds one list, by the model in service."""
    refresh_read_units: float
    """Of the user's own records; a container looks the model in service up now and then."""
    refresh_write_units: float
    refresh_log_bytes: float
    list_bytes: float
    list_write_units: float

    item_read_units: float
    item_write_units: float

    night_puts: float
    """Objects that a night writes and reads beside those of each shard."""
    night_gets: float
    night_shard_puts: float
    night_shard_gets: float
    night_lists: float
    """Calls that list objects, of the whole night at two shards."""
    publish_list_ms: float
    night_log_bytes: float


MEASURED: Final = Measured(
    stream_event_bytes=356,
    post_calls=1,
    post_read_units=0.5,
    post_ms=0.7,
    post_event_ms=0.03,
    post_log_bytes=266,
    fold_ms=1,
    fold_user_ms=0.86,
    fold_event_ms=0.025,
    fold_read_units=1,
    fold_write_units=1.85,
    fold_log_bytes=467,
    profile_bytes=1_450,
    archive_ms=0.9,
    archive_event_ms=0.009,
    archive_log_bytes=205,
    lake_event_bytes=36,
    answer_ms=1.4,
    answer_read_units=1.5,
    shared_read_units=12,
    answer_log_bytes=705,
    answer_log_lines=2,
    answer_bytes=2_943,
    deliver_ms=0.9,
    deliver_line_ms=0.026,
    deliver_log_bytes=285,
    exposure_bytes=71,
    refresh_ms=11.5,
    refresh_read_units=2,
    refresh_write_units=7,
    refresh_log_bytes=348,
    list_bytes=6_695,
    list_write_units=7,
    item_read_units=1,
    item_write_units=1,
    night_puts=89,
    night_gets=177,
    night_shard_puts=1,
    night_shard_gets=27,
    night_lists=23,
    publish_list_ms=1.5,
    night_log_bytes=6_532,
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Assumed:
    """What no test on one machine can measure, and what of it is from where."""

    table_read_ms: float = 5.0
    """Round trips to AWS within a region, single-digit milliseconds as DynamoDB promises."""
    table_write_ms: float = 6.0
    stream_ms: float = 15.0
    object_ms: float = 40.0
    queue_ms: float = 8.0
    start_ms: float = 700.0
    """Init of a function with the small layers, billed since August 2025; imports alone are about 450 ms."""
    ranking_start_ms: float = 3_500.0
    """Init of one with the numeric libraries and its model."""
    idle_seconds: float = 420.0
    """After so long without a call a container is gone."""
    container_seconds: float = 7_200.0
    """After so long in use a container is replaced: AWS speaks of every few hours."""
    platform_log_bytes: float = 430.0
    """START, END and REPORT of an invocation, with CloudWatch's overhead."""
    line_overhead_bytes: float = 26.0
    """What CloudWatch adds to each line: https://docs.aws.amazon.com/AmazonCloudWatch/latest/APIReference/"""
    log_compression: float = 0.15
    """What remains of a line in storage, as AWS's own pricing examples have it."""
    lines_a_delivery: float = 20.0
    """Exposures that CloudWatch Logs hands over at once, where that many come within a second."""
    messages_a_call: float = 2.0
    """Messages that SQS hands to one refresh, at most 10; without a window few wait together."""
    queue_polls: float = 5 * 3 * 60
    """Receives an hour of an idle queue: five pollers, 20 seconds each."""
    traced_share: float = 0.05
    """Of calls beyond one a second and function: https://docs.aws.amazon.com/lambda/latest/dg/services-xray.html"""
    writers: float = 8.0
    """Profiles of a batch that are written at once, as `projection` does."""
    utilization: float = 0.7
    """Of provisioned capacity at the daily peak."""
    spot_share: float = 0.4
    """Of the price on demand that training on spare capacity costs."""
    job_minutes: float = 4.0
    """Of an instance that starts, and reads and writes its channels, before and after a job."""
    image_gb: float = 1.2
    analysis_seconds: float = 4.0
    """An hour's analysis without anything new, imports included."""
    models_kept: float = 365.0
    """Published models have no end; the bill is that of the first year's last month."""
    model_bytes_an_item: float = 2_500.0


ASSUMED: Final = Assumed()
