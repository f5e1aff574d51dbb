"""Golden events: what clients send, the canonical form it takes, and the profile it all adds up to.

A change here is a change of the contract with clients, or of what stored profiles and lakes hold.
"""

import json
from datetime import UTC, datetime
from pathlib import Path

import pytest

from personalization.events import EventType, accept, decode_client_event, decode_event, encode_event
from personalization.profile_encoding import encode
from personalization.profiles import Outcome, Profile, apply

FOLDER = Path(__file__).parents[1] / "events"
RECEIVED_AT = datetime(2026, 1, 15, 12, 0, 5, tzinfo=UTC)
GOLDEN = sorted(FOLDER.glob("*.json"))


def canonical(path: Path) -> bytes:
    sent = json.dumps(json.loads(path.read_bytes())["sent"]).encode()
    parsed = decode_client_event(sent)
    visitor = f"pseudonym-of-{parsed.visitor_id}" if parsed.visitor_id else ""
    event = accept(parsed, user_key="ziNT5yGgbP3-xFsaLEIYKA", visitor_key=visitor, received_at=RECEIVED_AT)
    return encode_event(event)


def test_there_is_a_golden_event_of_every_type_a_client_may_send() -> None:
    assert {path.stem for path in GOLDEN} == {*EventType} - {EventType.ITEM_UPSERTED}


@pytest.mark.parametrize("path", GOLDEN, ids=lambda path: path.stem)
def test_a_golden_event_takes_its_golden_form(path: Path) -> None:
    assert json.loads(canonical(path)) == json.loads(path.read_bytes())["canonical"]


def test_the_golden_events_add_up_to_the_golden_profile() -> None:
    profile = Profile()
    for path in GOLDEN:
        assert apply(profile, decode_event(canonical(path))) is Outcome.APPLIED
    assert encode(profile).hex() == (FOLDER / "profile.hex").read_text().strip()
