"""What any table must do, whoever implements it."""

from datetime import timedelta

import pytest

from factories import NOW, event, listed
from personalization import keys
from personalization.errors import Conflict
from personalization.events import Item
from personalization.ledger import Mark
from personalization.lists import RecommendationList
from personalization.names import Ranker
from personalization.ports import ActiveModel
from personalization.profiles import apply

KEY = keys.list_key("user-1", surface="home", ranker=Ranker.LIGHTGBM, version="v1")


class TableContract:
    """Subclasses, or a fixture, provide `table`."""

    def test_an_unknown_user_has_an_empty_state(self, table) -> None:
        state = table.load(["nobody"])["nobody"]
        assert state.profile.revision == 0
        assert state.stored_mark is None

    def test_a_saved_state_is_read_back_whole(self, table) -> None:
        state = table.load(["user-1"])["user-1"]
        apply(state.profile, event("purchase", "sku-1", value=3.5))
        state.seen.add("e-1")
        state.mark, state.refresh_due_at = Mark.of(1, "7"), NOW.timestamp() + 0.5
        table.save("user-1", state, now=NOW)
        again = table.load(["user-1"])["user-1"]
        assert again.profile == state.profile
        assert not again.seen.add("e-1")
        assert (again.mark, again.stored_mark) == (Mark.of(1, "7"), Mark.of(1, "7"))
        assert again.refresh_due_at == pytest.approx(state.refresh_due_at, abs=0.001)

    def test_of_two_writers_who_read_the_same_state_the_second_loses(self, table) -> None:
        for number in ("1", "2"):
            first, second = table.load(["u"])["u"], table.load(["u"])["u"]
            first.mark = second.mark = Mark.of(1, number)
            table.save("u", first, now=NOW)
            with pytest.raises(Conflict):
                table.save("u", second, now=NOW)

    def test_a_writer_may_write_again(self, table) -> None:
        state = table.load(["u"])["u"]
        for number in ("1", "2"):
            state.mark = Mark.of(1, number)
            table.save("u", state, now=NOW)
        assert table.load(["u"])["u"].mark == Mark.of(1, "2")

    def test_more_users_than_one_call_holds_are_all_read(self, table) -> None:
        users = [f"user-{n}" for n in range(130)]
        for user in users:
            state = table.load([user])[user]
            state.mark = Mark.of(1, "1")
            table.save(user, state, now=NOW)
        states = table.load(users)
        assert all(states[user].stored_mark == Mark.of(1, "1") for user in users)

    def test_one_read_brings_profile_lists_and_model(self, table) -> None:
        state = table.load(["user-1"])["user-1"]
        apply(state.profile, event())
        table.save("user-1", state, now=NOW)
        table.write_list(KEY, listed("a", "b"), expires_at=2_000_000_000)
        table.activate(ActiveModel(version="v1", previous="v0", published_at=5))
        absent = keys.segment_key(keys.POPULAR, version="v1")
        snapshot = table.read([keys.profile_key("user-1"), KEY, keys.ACTIVE_MODEL, absent])
        assert snapshot.profile == state.profile
        assert snapshot.lists == {KEY: listed("a", "b")}
        assert snapshot.active == ActiveModel(version="v1", previous="v0", published_at=5)
        assert snapshot.unavailable == frozenset()

    def test_an_older_list_never_replaces_a_fresher_one(self, table) -> None:
        def write(revision: int, item: str) -> bool:
            row: RecommendationList = listed(item, revision=revision)
            return table.write_list(KEY, row, expires_at=2_000_000_000)

        assert write(3, "fresh")
        assert not write(2, "stale")
        assert write(3, "rebuilt")
        assert table.read([KEY]).lists[KEY].items[0].item_id == "rebuilt"

    def test_availability_follows_the_latest_word(self, table) -> None:
        items = [Item(item_id="a", available=False), Item(item_id="b"), Item(item_id="c", available=False)]
        table.put([(item, NOW) for item in items])
        assert table.read([keys.UNAVAILABLE_ITEMS]).unavailable == {"a", "c"}
        table.put([(Item(item_id="a"), NOW + timedelta(seconds=1))])
        assert table.read([keys.UNAVAILABLE_ITEMS]).unavailable == {"c"}

    def test_an_item_may_be_written_again(self, table) -> None:
        for _ in range(2):
            table.put([(Item(item_id="a", title="Lamp"), NOW)])
        assert table.read([keys.UNAVAILABLE_ITEMS]).unavailable == frozenset()
