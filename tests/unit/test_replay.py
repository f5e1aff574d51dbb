"""A log folded without a table."""

import json
from pathlib import Path

import pytest

from factories import NOW
from personalization.events import accept, decode_client_event
from personalization.identity import user_key
from personalization.profile_encoding import encode
from personalization.profiles import Profile, apply
from training.replay import main, read_profiles, replay, shards_for

SECRET = b"secret"


def line(number: int, user: str, **fields: object) -> bytes:
    told = {"event_id": f"e-{number}", "event_type": "click", "item_id": f"sku-{number % 5}", "user_id": user}
    return json.dumps(told | {"occurred_at": NOW.isoformat()} | fields).encode() + b"\n"


LOG = [line(number, f"user-{number % 7}") for number in range(100)]


def folded(lines: list[bytes], user: str) -> bytes:
    """What the reducer makes of a user's lines, one after the other."""
    profile = Profile()
    for event in map(decode_client_event, lines):
        if event.user_id == user:
            apply(profile, accept(event, user_key=user, received_at=event.occurred_at))
    return encode(profile)


def test_the_profiles_are_those_of_the_reducer(tmp_path: Path) -> None:
    report = replay(LOG, tmp_path, secret=SECRET, shards=3)
    users = {row.user_key: row.data for row in read_profiles(tmp_path)}
    assert users == {user_key(SECRET, f"user-{n}"): folded(LOG, f"user-{n}") for n in range(7)}
    assert (report.read, report.users) == (100, 7)
    assert report.profile_bytes == sum(map(len, users.values()))


@pytest.mark.parametrize("processes", [1, 2])
def test_the_same_lines_give_the_same_bytes(tmp_path: Path, processes: int) -> None:
    replay(LOG, tmp_path / "first", secret=SECRET)
    replay(reversed(LOG), tmp_path / "again", secret=SECRET, processes=processes)
    profiles = [[(row.user_key, row.data) for row in read_profiles(tmp_path / n)] for n in ("first", "again")]
    assert profiles[0] == profiles[1]
    assert len(list((tmp_path / "again").iterdir())) == len(list((tmp_path / "first").iterdir()))


def test_what_can_not_be_applied_is_counted_and_harms_nobody(tmp_path: Path) -> None:
    bad = {
        "invalid_json": [b"{\n", b"\n", b"\xff\n"],
        "invalid_field": [b"{}\n", b"[" * 10_000 + b"\n", line(1, "")],
        "missing_field": [line(1, "user-1", item_id=None)],
        "too_large": [line(1, "user-1", session_id="s" * 40_000)],
    }
    repeated, late = LOG[0], line(500, "user-1", occurred_at="1980-01-01T00:00:00Z")
    lines = [row for rows in bad.values() for row in rows]
    report = replay([*lines, *LOG, repeated, late], tmp_path, secret=SECRET)
    assert report.reasons == {code: len(rows) for code, rows in bad.items()} | {"occurred_too_early": 1}
    assert report.outcomes == {"applied": 100, "duplicate": 1, "rejected": len(lines) + 1}
    assert report.users == 7


def test_a_line_without_an_end_does_not_swallow_the_next_one(tmp_path: Path) -> None:
    assert replay([LOG[0].rstrip(), LOG[7]], tmp_path, secret=SECRET).outcomes["applied"] == 2


def test_an_empty_log_gives_no_profiles(tmp_path: Path) -> None:
    assert replay([], tmp_path, secret=SECRET).read == 0
    assert list(read_profiles(tmp_path)) == []


def test_a_larger_log_is_dealt_to_more_shards(tmp_path: Path) -> None:
    files = [tmp_path / "small.jsonl", tmp_path / "large.jsonl.gz"]
    for path, megabytes in zip(files, (1, 512), strict=True):
        with path.open("wb") as file:
            file.truncate(megabytes * 2**20)
    assert [shards_for(files[:1]), shards_for(files[1:]), shards_for(files * 9)] == [64, 128, 512]


def test_the_command_prints_what_became_of_the_lines(tmp_path: Path, capsys) -> None:
    (tmp_path / "log.jsonl").write_bytes(b"".join([*LOG, b"{\n"]))
    assert main(["--events", str(tmp_path / "log.jsonl"), "--output", str(tmp_path / "out")]) == 0
    told = capsys.readouterr().err
    assert "applied" in told
    assert "invalid_json" in told
