"""What any table must do, whoever implements it."""

from datetime import timedelta

import pytest

from factories import NOW, event, experiment_results, listed
from personalization import keys
from personalization.consent import Standing
from personalization.errors import Conflict
from personalization.events import Item
from personalization.ledger import Mark
from personalization.lists import RecommendationList
from personalization.names import Consent
from personalization.ports import ActiveModel, ItemChange
from personalization.profiles import apply, at_seconds

KEY = keys.list_key("user-1", surface="home", version="v1")


class TableContract:
    """Subclasses, or a fixture, provide `table`."""

    def test_an_unknown_user_has_an_empty_state(self, table) -> None:
        state = table.load(["nobody"])["nobody"]
        assert state.profile.revision == 0
        assert state.version is None

    def test_a_saved_state_is_read_back_whole(self, table) -> None:
        state = table.load(["user-1"])["user-1"]
        apply(state.profile, event("purchase", "sku-1", value=3.5))
        state.seen.add("e-1")
        state.credited.add("list-1/click/sku-1")
        state.mark, state.import_mark = Mark.of(1, "7"), Mark.of(2, "9")
        state.refresh_due_at = NOW.timestamp() + 0.5
        state.erased_at, state.merged_into = 1_700_000_000, "user-2"
        table.save("user-1", state, version="w1", now=NOW)
        again = table.load(["user-1"])["user-1"]
        assert again.profile == state.profile
        assert not again.seen.add("e-1")
        assert not again.credited.add("list-1/click/sku-1")
        assert (again.mark, again.import_mark, again.version) == (Mark.of(1, "7"), Mark.of(2, "9"), "w1")
        assert (again.erased_at, again.merged_into) == (1_700_000_000, "user-2")
        assert again.refresh_due_at == pytest.approx(state.refresh_due_at, abs=0.001)

    def test_consent_is_read_of_who_said_something(self, table) -> None:
        words = {"yes": "personalization", "no": "none", "silent": None}
        for user, word in words.items():
            state = table.load([user])[user]
            apply(state.profile, event("consent_changed", None, consent=word) if word else event())
            table.save(user, state, version="w", now=NOW)
        at = at_seconds(NOW)
        assert table.standings([*words, "nobody"]) == {
            "yes": Standing(Consent.PERSONALIZATION, at),
            "no": Standing(Consent.NONE, at, at + 1),
        }

    def test_of_two_writers_who_read_the_same_state_the_second_loses(self, table) -> None:
        for number in ("1", "2"):
            first, second = table.load(["u"])["u"], table.load(["u"])["u"]
            first.mark = second.mark = Mark.of(1, number)
            table.save("u", first, version=f"first-{number}", now=NOW)
            with pytest.raises(Conflict):
                table.save("u", second, version=f"second-{number}", now=NOW)

    def test_a_writer_may_write_again(self, table) -> None:
        state = table.load(["u"])["u"]
        for number in ("1", "2"):
            state.mark = Mark.of(1, number)
            table.save("u", state, version=number, now=NOW)
        assert table.load(["u"])["u"].mark == Mark.of(1, "2")

    def test_more_users_than_one_call_holds_are_all_read(self, table) -> None:
        users = [f"user-{n}" for n in range(130)]
        for user in users:
            state = table.load([user])[user]
            state.mark = Mark.of(1, "1")
            table.save(user, state, version="w", now=NOW)
        states = table.load(users)
        assert all(states[user].version == "w" for user in users)

    def test_one_read_brings_profile_lists_and_model(self, table) -> None:
        state = table.load(["user-1"])["user-1"]
        apply(state.profile, event())
        table.save("user-1", state, version="w1", now=NOW)
        table.write_list(KEY, listed("a", "b"), expires_at=2_000_000_000)
        table.activate(ActiveModel(version="v1", previous="v0", published_at=5))
        absent = keys.segment_key(keys.POPULAR, version="v1")
        snapshot = table.read([keys.profile_key("user-1"), KEY, keys.ACTIVE_MODEL, absent])
        assert snapshot.profile == state.profile
        assert snapshot.lists == {KEY: listed("a", "b")}
        assert snapshot.active == ActiveModel(version="v1", previous="v0", published_at=5)
        assert snapshot.unavailable == frozenset()

    def test_a_switch_on_condition_yields_to_another_publish(self, table) -> None:
        table.activate(ActiveModel("v1", None, 5))
        table.activate(ActiveModel("v0", "v1", 6, rolled_back=True), instead_of="v1")
        with pytest.raises(Conflict):
            table.activate(ActiveModel("v2", "v1", 7), instead_of="v1")
        assert table.read([keys.ACTIVE_MODEL]).active == ActiveModel("v0", "v1", 6, rolled_back=True)

    def test_an_older_list_never_replaces_a_fresher_one(self, table) -> None:
        def write(revision: int, item: str) -> bool:
            row: RecommendationList = listed(item, revision=revision)
            return table.write_list(KEY, row, expires_at=2_000_000_000)

        assert write(3, "fresh")
        assert not write(2, "stale")
        assert write(3, "rebuilt")
        assert table.read([KEY]).lists[KEY].items[0].item_id == "rebuilt"

    def test_the_lists_of_a_user_are_found_and_those_of_before_are_deleted(self, table) -> None:
        own = [keys.list_key("user-1", surface=surface, version="v1") for surface in ("home", "product")]
        for key in (*own, keys.list_key("user-10", surface="home", version="v1")):
            table.write_list(key, listed("a"), expires_at=2_000_000_000)
        built_at = listed("a").built_at
        assert table.lists_of("user-1") == dict.fromkeys(own, listed("a"))
        assert table.delete_lists("user-1", built_before=built_at) == 0
        assert table.delete_lists("user-1", built_before=built_at + 1) == 2
        assert table.lists_of("user-1") == {}
        assert len(table.lists_of("user-10")) == 1
        assert table.delete_lists("user-10") == 1

    def test_tombstones_are_told_of_those_who_have_one(self, table) -> None:
        for user, erased_at in (("ann", 5), ("bob", 0)):
            state = table.load([user])[user]
            state.erased_at = erased_at
            table.save(user, state, version="w", now=NOW)
        assert table.erased_at(["ann", "bob", "nobody"]) == {"ann": 5}

    def test_availability_follows_the_latest_word(self, table) -> None:
        items = [Item(item_id="a", available=False), Item(item_id="b"), Item(item_id="c", available=False)]
        assert table.put([ItemChange(item, Mark.of(1, "1")) for item in items]) == 3
        assert table.read([keys.UNAVAILABLE_ITEMS]).unavailable == {"a", "c"}
        table.put([ItemChange(Item(item_id="a"), Mark.of(1, "2"))])
        assert table.read([keys.UNAVAILABLE_ITEMS]).unavailable == {"c"}

    def test_of_changes_in_one_batch_the_last_one_stands(self, table) -> None:
        changes = [
            ItemChange(Item(item_id="a", available=available), Mark.of(1, str(number)))
            for number, available in enumerate((False, True, False))
        ]
        assert table.put(changes) == 3
        assert table.read([keys.UNAVAILABLE_ITEMS]).unavailable == {"a"}

    def test_a_change_that_was_overtaken_or_came_before_changes_nothing(self, table) -> None:
        table.put([ItemChange(Item(item_id="a"), Mark.of(1, "5"))])
        for mark in (Mark.of(1, "5"), Mark.of(1, "4"), Mark.of(0, "9")):
            assert table.put([ItemChange(Item(item_id="a", available=False), mark)]) == 0
        assert table.read([keys.UNAVAILABLE_ITEMS]).unavailable == frozenset()

    def test_results_of_an_experiment_are_replaced_by_later_ones_only(self, table) -> None:
        later = experiment_results(as_of=NOW + timedelta(seconds=0.25), users=2)
        assert table.write_results(experiment_results(users=1))
        assert table.write_results(later)
        assert not table.write_results(experiment_results(users=3))
        assert table.write_results(later)
        assert table.results(["ranking"]) == [later]

    def test_experiments_are_found_by_name_in_the_order_asked_for(self, table) -> None:
        assert (table.analyzed(), table.results(["a"]), table.results([])) == ([], [], [])
        for name in ("b", "a"):
            table.write_results(experiment_results(experiment=name))
        assert table.analyzed() == ["a", "b"]
        assert [one.experiment for one in table.results(["b", "absent", "a"])] == ["b", "a"]

    def test_a_visitor_and_a_user_are_written_together(self, table) -> None:
        user, visitor = (table.load([key])[key] for key in ("user", "visitor"))
        apply(user.profile, event())
        visitor.merged_into, visitor.mark = "user", Mark.of(1, "7")
        table.save_together({"user": user, "visitor": visitor}, version="w1", now=NOW)
        again = table.load(["user", "visitor"])
        assert again["user"].profile == user.profile
        assert (again["visitor"].merged_into, again["visitor"].mark) == ("user", Mark.of(1, "7"))
        assert {state.version for state in (user, visitor, *again.values())} == {"w1"}

    def test_of_states_written_together_none_is_if_one_was_overtaken(self, table) -> None:
        for overtaken in ("user", "visitor"):
            states = table.load(["user", "visitor"])
            before = table.load(["user", "visitor"])
            rival = table.load([overtaken])[overtaken]
            rival.mark = Mark.of(1, "1")
            table.save(overtaken, rival, version=f"rival-{overtaken}", now=NOW)
            states["visitor"].merged_into = "user"
            with pytest.raises(Conflict):
                table.save_together(states, version="w", now=NOW)
            after = table.load(["user", "visitor"])
            assert after["visitor"].merged_into == ""
            (other,) = {"user", "visitor"} - {overtaken}
            assert after[other].version == before[other].version
            assert table.visitors("user") == []

    def test_a_user_knows_who_was_merged_into_them(self, table) -> None:
        for visitor in ("b", "a"):
            states = table.load(["user", visitor])
            states[visitor].merged_into = "user"
            table.save_together(states, version=f"w-{visitor}", now=NOW)
        assert table.visitors("user") == ["a", "b"]
        assert table.visitors("a") == []
        table.forget_visitors("user")
        assert table.visitors("user") == []

    def test_the_read_path_sees_nothing_of_a_merged_visitor_but_that(self, table) -> None:
        states = table.load(["user", "visitor"])
        apply(states["user"].profile, event())
        states["visitor"].merged_into = "user"
        table.save_together(states, version="w", now=NOW)
        snapshot = table.read([keys.profile_key("visitor")])
        assert (snapshot.profile, snapshot.merged) == (None, True)
        assert not table.read([keys.profile_key("user")]).merged
