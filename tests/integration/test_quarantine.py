"""What was set aside goes back once it can be read, once, and only when asked to."""

from collections.abc import Iterator
from pathlib import Path

import boto3
import pytest
from moto import mock_aws

from contracts.conftest import TABLE, create_table
from factories import NOW, event, record
from personalization.adapters.memory import MemoryEventStream, MemoryTable
from personalization.adapters.s3 import S3Archive, S3Quarantine
from personalization.erasure import forget
from personalization.errors import Unavailable
from personalization.events import encode_event
from personalization.profiles import at_seconds
from training.quarantine import Found, Quarantine, State, judge, main, replay, survey

GOOD = event("click", "sku-1", event_id="good")


@pytest.fixture
def quarantine() -> Iterator[Quarantine]:
    with mock_aws():
        client = boto3.client("s3")
        client.create_bucket(Bucket="lake")
        shelf = S3Quarantine(S3Archive(client, "lake"))
        shelf.put(record(GOOD, 1), epoch=1, reason="the profile can't be read")
        shelf.put(record(b'{"event_type": "clack"}', 2), epoch=1, reason="invalid_field")
        shelf.put(record(b"\x00\xff", 3), epoch=1, reason="invalid_json")
        yield Quarantine(client, "lake")


def first(quarantine: Quarantine) -> Found:
    return next(quarantine.records())


def test_a_record_is_kept_with_reason_bytes_place_and_time(quarantine: Quarantine) -> None:
    kept = [found.record for found in quarantine.records()]
    assert [row.data for row in kept] == [encode_event(GOOD), b'{"event_type": "clack"}', b"\x00\xff"]
    assert {(row.shard, row.arrived_at) for row in kept} == {("shard-0", NOW)}
    assert [row.sequence_number for row in kept] == ["1", "2", "3"]
    assert kept[2].reason == "invalid_json"


def test_what_can_be_read_by_now_could_go_back(quarantine: Quarantine) -> None:
    counts, able = survey(quarantine, MemoryTable(), mended=None, export=None)
    assert counts["the profile can't be read", State.READABLE] == 1
    assert counts["invalid_json", State.UNREADABLE] == 1
    assert [(found.record.sequence_number, sent) for found, _, sent in able] == [("1", GOOD)]


def test_a_record_goes_back_once(quarantine: Quarantine) -> None:
    stream = MemoryEventStream()
    found = first(quarantine)
    assert replay(found, GOOD, quarantine=quarantine, stream=stream, now=NOW)
    assert not replay(found, GOOD, quarantine=quarantine, stream=stream, now=NOW)
    assert judge(first(quarantine), None, MemoryTable()) == (State.REPLAYED, None)
    assert len(stream.events) == 1


def test_a_stream_that_takes_nothing_leaves_the_record_as_it_was(quarantine: Quarantine) -> None:
    class Full(MemoryEventStream):
        def send(self, events) -> list[int]:
            return list(range(len(events)))

    with pytest.raises(Unavailable, match="run again"):
        replay(first(quarantine), GOOD, quarantine=quarantine, stream=Full(), now=NOW)
    assert judge(first(quarantine), None, MemoryTable())[0] is State.READABLE


def test_a_claim_without_an_end_is_told_and_not_sent_again_by_itself(quarantine: Quarantine) -> None:
    class Dying(MemoryEventStream):
        def send(self, events) -> list[int]:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        replay(first(quarantine), GOOD, quarantine=quarantine, stream=Dying(), now=NOW)
    assert judge(first(quarantine), None, MemoryTable())[0] is State.INTERRUPTED


def test_what_its_user_has_had_forgotten_since_stays(quarantine: Quarantine) -> None:
    table = MemoryTable()
    state = table.load([GOOD.user_key])[GOOD.user_key]
    forget(state, at_seconds(NOW) + 1)
    table.save(GOOD.user_key, state, version="v", now=NOW)
    counts, able = survey(quarantine, table, mended=None, export=None)
    assert counts["the profile can't be read", State.FORGOTTEN] == 1
    assert able == []


def test_exported_records_can_be_corrected_and_go_back(quarantine: Quarantine, tmp_path: Path) -> None:
    survey(quarantine, MemoryTable(), mended=None, export=tmp_path)
    files = sorted(tmp_path.iterdir())
    assert [path.read_bytes() for path in files] == [b'{"event_type": "clack"}', b"\x00\xff"]
    files[0].write_bytes(encode_event(event("click", "sku-2", event_id="mended")))
    _, able = survey(quarantine, MemoryTable(), mended=tmp_path, export=None)
    assert [sent.event_id for _, _, sent in able if sent] == ["good", "mended"]


def test_the_command_touches_nothing_unless_it_is_asked_to(
    quarantine: Quarantine, capsys: pytest.CaptureFixture[str]
) -> None:
    boto3.client("kinesis").create_stream(StreamName="events", ShardCount=1)
    create_table(boto3.client("dynamodb"))
    options = ["--lake-bucket", "lake", "--stream", "events", "--table", TABLE]
    assert main(options) == 0
    assert "1 would go back with --apply" in capsys.readouterr().out
    assert main([*options, "--apply"]) == 0
    assert "1 went back" in capsys.readouterr().out
    assert main([*options, "--apply"]) == 0
    assert "0 went back" in capsys.readouterr().out
