"""Profiles and lake come out as by a single pass, whatever the stream, Lambda and AWS do on the way."""

from streams.storm import rage


def test_a_storm_of_faults_loses_nothing_and_applies_nothing_twice() -> None:
    tally = rage(runs=8)
    assert tally.runs >= 8
    assert tally.books["applied"] > 0
