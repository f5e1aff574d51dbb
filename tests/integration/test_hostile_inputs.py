"""Whatever is sent, the API refuses it in words of its document, and honest events arrive."""

from hostile.attack import attack


def test_hostile_input_gets_a_clear_answer_and_costs_no_honest_event_its_place() -> None:
    tally = attack(2_000, seed=2)
    assert tally.inputs.total() >= 2_000
    assert tally.honest > 100
    assert len(tally.rejected) >= 5
