"""Stream, lake, quarantine and queue on moto, beside their fakes."""

import gzip
from collections.abc import Iterator

import boto3
import msgspec
import pytest
from moto import mock_aws

from factories import NOW, event, record
from personalization.adapters.kinesis import KinesisEventStream, stream_epoch
from personalization.adapters.memory import MemoryArchive, MemoryQuarantine
from personalization.adapters.s3 import S3Archive, S3Quarantine
from personalization.adapters.sqs import SqsErasureQueue, SqsRefreshQueue, refresh_request, wanted
from personalization.archiving import archive, read_events, read_lines
from personalization.builds import Build
from personalization.errors import InvalidInput
from personalization.events import encode_event
from personalization.policies import Policy
from personalization.ports import ErasureRequest, ExportRequest, RefreshRequest


@pytest.fixture
def aws() -> Iterator[None]:
    with mock_aws():
        yield


@pytest.fixture
def bucket(aws):
    client = boto3.client("s3")
    client.create_bucket(Bucket="lake")
    return client


@pytest.fixture(params=["memory", "s3"])
def lake(request: pytest.FixtureRequest, bucket):
    return MemoryArchive() if request.param == "memory" else S3Archive(bucket, "lake")


def test_an_object_is_overwritten_unless_asked_not_to(lake) -> None:
    assert lake.put("k", b"one")
    assert lake.put("k", b"two")
    assert not lake.put("k", b"three", overwrite=False)
    assert lake.put("other", b"four", overwrite=False)
    assert (lake.get("k"), lake.get("absent")) == (b"two", None)


@pytest.mark.parametrize("kind", ["memory", "s3"])
def test_a_broken_record_is_kept_once(kind: str, bucket) -> None:
    quarantine = MemoryQuarantine() if kind == "memory" else S3Quarantine(S3Archive(bucket, "lake"))
    broken = record(b"\x00garbage", 5)
    assert quarantine.put(broken, epoch=1, reason="invalid_json: no")
    assert not quarantine.put(record(b"\x00garbage", 5), epoch=1, reason="invalid_json: no")


def test_a_quarantined_record_keeps_its_bytes_and_reason(bucket) -> None:
    S3Quarantine(S3Archive(bucket, "lake")).put(record(b"\x00garbage", 5), epoch=1, reason="why")
    (found,) = bucket.list_objects_v2(Bucket="lake", Prefix="quarantine/")["Contents"]
    body = msgspec.json.decode(bucket.get_object(Bucket="lake", Key=found["Key"])["Body"].read())
    assert (body["reason"], body["data"], body["sequence_number"]) == ("why", "AGdhcmJhZ2U=", "5")


def test_a_retried_batch_overwrites_its_object_and_overlaps_are_read_once() -> None:
    lake = MemoryArchive()
    batch = [record(event("click", f"sku-{n}"), n) for n in range(10, 20)]
    archive(batch, epoch=1, lake=lake)
    archive(batch, epoch=1, lake=lake)
    archive(batch[4:], epoch=1, lake=lake)
    assert len(lake.objects) == 2
    lines = [line for body in lake.objects.values() for line in gzip.decompress(body).splitlines()]
    assert len(lines) == 16
    assert sorted(found.item_id or "" for found in read_events(lines)) == [f"sku-{n}" for n in range(10, 20)]


def test_a_record_that_is_not_json_rests_in_the_lake_with_its_bytes() -> None:
    lake = MemoryArchive()
    archive([record(b"\x00garbage", 1), record(event(), 2)], epoch=1, lake=lake)
    (body,) = lake.objects.values()
    first, second = read_lines(gzip.decompress(body).splitlines())
    assert first.raw == b"\x00garbage"
    assert second.event
    assert len(list(read_events(gzip.decompress(body).splitlines()))) == 1


def test_line_breaks_inside_a_record_do_not_break_the_lakes_lines() -> None:
    lake = MemoryArchive()
    pretty = msgspec.json.format(encode_event(event()), indent=2)
    archive([record(pretty, 1), record(event("click", "sku-2"), 2)], epoch=1, lake=lake)
    (body,) = lake.objects.values()
    found = read_events(gzip.decompress(body).splitlines())
    assert [one.item_id for one in found] == ["sku-1", "sku-2"]


def test_equal_batches_make_equal_objects() -> None:
    lakes = [MemoryArchive(), MemoryArchive()]
    for lake in lakes:
        archive([record(event(), 1)], epoch=1, lake=lake)
    assert lakes[0].objects == lakes[1].objects


def test_events_reach_the_stream_under_their_users_key(aws) -> None:
    client = boto3.client("kinesis")
    client.create_stream(StreamName="events", ShardCount=1)
    sent = [event("click", f"sku-{n}", user_key=f"user-{n % 7}") for n in range(1_200)]
    assert KinesisEventStream(client, "events").send(sent) == []
    shard = client.list_shards(StreamName="events")["Shards"][0]["ShardId"]
    iterator = client.get_shard_iterator(
        StreamName="events", ShardId=shard, ShardIteratorType="TRIM_HORIZON"
    )["ShardIterator"]
    found = client.get_records(ShardIterator=iterator, Limit=10_000)["Records"]
    assert [row["PartitionKey"] for row in found] == [one.user_key for one in sent]
    assert stream_epoch(client, "events") > 0


def test_refresh_requests_survive_the_queue(aws) -> None:
    client = boto3.client("sqs")
    url = client.create_queue(QueueName="refreshes")["QueueUrl"]
    requests = {
        RefreshRequest(f"user-{n}", ("home",), (Build(policy=Policy(diversity=n / 20)),)): 0
        for n in range(13)
    }
    SqsRefreshQueue(client, url).send(requests)
    received = [
        message
        for _ in range(4)
        for message in client.receive_message(QueueUrl=url, MaxNumberOfMessages=10).get("Messages", [])
    ]
    assert {refresh_request(row["Body"]) for row in received} == set(requests)


def test_requests_to_forget_and_to_export_survive_their_queue(aws) -> None:
    client = boto3.client("sqs")
    url = client.create_queue(QueueName="erasures")["QueueUrl"]
    requests = {ErasureRequest("ann", 5), ExportRequest("ann", 5)}
    for request in requests:
        SqsErasureQueue(client, url).send(request)
    received = client.receive_message(QueueUrl=url, MaxNumberOfMessages=10)["Messages"]
    assert {wanted(row["Body"]) for row in received} == requests
    for body in ("{}", "no", '{"user_key": 1, "requested_at": 2}'):
        with pytest.raises(InvalidInput, match="invalid_message"):
            wanted(body)


def test_the_time_a_record_arrived_names_its_day() -> None:
    lake = MemoryArchive()
    archive([record(event(), 1)], epoch=7, lake=lake)
    assert list(lake.objects) == [f"events/date={NOW:%Y-%m-%d}/7-shard-0-1.jsonl.gz"]
