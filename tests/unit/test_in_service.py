"""The model in service is looked up now and then, not for every message."""

from personalization.adapters.memory import MemoryTable
from personalization.in_service import IN_SERVICE_SECONDS, InService
from personalization.ports import ActiveModel, Snapshot

FIRST, SECOND = ActiveModel("v1", None, 0), ActiveModel("v2", "v1", 0)


class Counting(MemoryTable):
    reads = 0

    def read(self, keys_wanted) -> Snapshot:
        self.reads += 1
        return super().read(keys_wanted)


def test_thousands_who_ask_are_one_read_until_the_copy_is_old() -> None:
    table, in_service = Counting(), InService()
    table.activate(FIRST)
    assert {in_service.current(table, now * 1e-3) for now in range(5_000)} == {FIRST}
    assert table.reads == 1
    table.activate(SECOND)
    assert in_service.current(table, IN_SERVICE_SECONDS - 0.1) == FIRST
    assert in_service.current(table, IN_SERVICE_SECONDS) == SECOND


def test_the_first_model_is_seen_as_soon_as_it_is_there() -> None:
    table, in_service = Counting(), InService()
    assert in_service.current(table, 0.0) is None
    table.activate(FIRST)
    assert in_service.current(table, 0.1) == FIRST
