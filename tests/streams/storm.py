"""A storm of events and trouble over the fast loop, in any order that Hypothesis thinks of.

`PYTHONPATH=tests python -m streams --runs 200` raises one and prints what was met.
"""

from collections import Counter
from dataclasses import dataclass, field
from datetime import timedelta
from random import Random
from typing import Any

import hypothesis
import hypothesis.strategies as st
from hypothesis import HealthCheck, Phase, settings
from hypothesis.stateful import RuleBasedStateMachine, rule, run_state_machine_as_test

from factories import NOW, event
from personalization.events import Event, Item, upsert_item
from personalization.names import Consent
from personalization.profiles import LATE_WINDOW
from streams.faults import Fault
from streams.world import WINDOW, World

USERS = tuple(f"user-{number}" for number in range(3))
VISITORS = tuple(f"visitor-{number}" for number in range(4))
MINDS = tuple(f"mind-{number}" for number in range(2))
"""Who change their minds about consent, and are nobody's visitor."""
_SIGN_INS = 0.05
KINDS = ("impression", "view", "click", "like", "dislike", "purchase", "add_to_cart", "dwell")
RANDOM = st.randoms(use_true_random=True)
"""Seeded by Hypothesis, so that a storm comes again, but as varied as chance is."""
POISON = (b"", b"\x00\xff", b"[]", b"{", b'{"event_type":"click"}', b"[" * 5_000, b"x" * 200_000)


@dataclass
class Tally:
    """What all runs of a storm met."""

    runs: int = 0
    records: int = 0
    invocations: int = 0
    books: Counter[str] = field(default_factory=Counter)
    trouble: Counter[str] = field(default_factory=Counter)


class Storm(RuleBasedStateMachine):
    """Sends events and trouble in any order; in the end all must be well."""

    tally = Tally()

    def __init__(self) -> None:
        super().__init__()
        self.world = World(seed=0)
        self.trouble: Counter[str] = Counter()
        self.number = 0

    @rule(random=RANDOM, count=st.integers(1, 12))
    def send(self, random: Random, count: int) -> None:
        for _ in range(count):
            self.world.put(self._event(random))

    @rule(random=RANDOM)
    def send_shuffled(self, random: Random) -> None:
        self.trouble["events out of order"] += 1
        events = [self._event(random, hours=random.randint(0, 72)) for _ in range(6)]
        random.shuffle(events)
        for happened in events:
            self.world.put(happened)

    @rule(random=RANDOM)
    def send_again(self, random: Random) -> None:
        """A client's retry, within the window of the user's last ids."""
        user = random.choice(USERS + VISITORS)
        sent = [happened for happened in self.world.sent.events if happened.user_key == user]
        if sent:
            self.trouble["an event sent again by its client"] += 1
            self.world.put(random.choice(sent[-WINDOW // 2 :]))

    @rule(random=RANDOM)
    def sign_in(self, random: Random) -> None:
        """A visitor turns out to be a user, amid what both of them do; now and then a user is another one."""
        user, visitor = random.choice(USERS), random.choice(VISITORS * 3 + USERS)
        events = [self._event(random, user_key=random.choice([user, visitor])) for _ in range(4)]
        events.insert(random.randrange(5), self._sign_in(user, visitor))
        for happened in events:
            self.world.put(happened)

    @rule(random=RANDOM)
    def send_late_or_by_a_bot(self, random: Random) -> None:
        late = {"received_at": NOW + LATE_WINDOW + timedelta(seconds=1)}
        name, fields = random.choice([("an event days late", late), ("an event of a bot", {"bot": True})])
        self.trouble[name] += 1
        self.world.put(self._event(random, **fields))

    @rule(random=RANDOM)
    def change_mind(self, random: Random) -> None:
        """A word about consent, and what was accepted before it was known, or under nobody's name."""
        self.trouble["consent given or taken back among events"] += 1
        user, consent = random.choice(MINDS), random.choice(list(Consent))
        since = 0 if consent is Consent.PERSONALIZATION else random.randrange(1, 4)
        said = {one.since for one in self.world.sent.events if one.user_key == user and one.consent}
        known = sorted({0, since, *said})
        words = [
            self._event(random, kind="consent_changed", user_key=user, consent=consent.value, since=since),
            *(self._event(random, user_key=user, since=random.choice(known)) for _ in range(3)),
            self._event(random, kind="view", user_key="", anonymous=True),
        ]
        random.shuffle(words)
        for happened in words:
            self.world.put(happened)

    @rule(random=RANDOM)
    def send_poison(self, random: Random) -> None:
        self.trouble["a record nobody can read"] += 1
        self.world.put_poison(random.choice(USERS), random.choice(POISON))

    @rule(price=st.floats(1, 100), available=st.booleans())
    def change_item(self, price: float, available: bool) -> None:
        self.number += 1
        item = Item(item_id="sku-1", price=price, available=available)
        self.world.put(upsert_item(item, event_id=f"item-{self.number}", received_at=NOW))

    @rule(random=RANDOM, faults=st.lists(st.sampled_from(Fault), min_size=1, max_size=4))
    def send_under_faults(self, random: Random, faults: list[Fault]) -> None:
        self.send(random, 8)
        for fault in faults:
            if fault is Fault.NO_QUARANTINE:
                self.send_poison(random)
            self.world.faults.order(fault, after=0 if fault is Fault.NO_QUARANTINE else random.randint(0, 4))
        self.poll(8)

    @rule(times=st.integers(1, 6))
    def poll(self, times: int) -> None:
        for _ in range(times):
            for mapping in self.world.mappings:
                mapping.poll()

    @rule()
    def lose_checkpoint(self) -> None:
        self.trouble["a checkpoint lost"] += 1
        for mapping in self.world.mappings:
            mapping.lose_checkpoint()

    @rule()
    def deliver_again(self) -> None:
        self.trouble["a batch delivered again, out of turn"] += 1
        for mapping in self.world.mappings:
            mapping.deliver_again()

    @rule()
    def start_containers_anew(self) -> None:
        self.trouble["a container started anew"] += 1
        self.world.forget_container()

    @rule(random=RANDOM)
    def split(self, random: Random) -> None:
        if len(self.world.stream.open_shards) < 4:
            self.trouble["a shard split"] += 1
            self.world.stream.split(random.choice(self.world.stream.open_shards))

    @rule()
    def merge(self) -> None:
        shards = sorted(self.world.stream.open_shards, key=lambda shard: shard.low)
        if len(shards) > 1:
            self.trouble["two shards merged"] += 1
            self.world.stream.merge(*shards[:2])

    @rule()
    def recreate(self) -> None:
        self.trouble["the stream deleted and made anew"] += 1
        self.world.recreate_stream()

    def teardown(self) -> None:
        try:
            self.world.check()
            self._tell()
        finally:
            self.world.close()

    def _tell(self) -> None:
        tally, world = self.tally, self.world
        tally.runs += 1
        tally.records += world.sent.records
        tally.invocations += world.invocations
        tally.books += world.sent.books()
        tally.trouble += self.trouble
        tally.trouble.update({fault.value: count for fault, count in world.faults.injected.items()})

    def _event(self, random: Random, hours: int = 0, *, kind: str = "", **fields: Any) -> Event:
        if random.random() < _SIGN_INS and not fields and not kind:
            return self._sign_in(random.choice(USERS), random.choice(VISITORS))
        self.number += 1
        kind = kind or random.choice(KINDS)
        value = {"value": 3.5} if kind in ("purchase", "dwell") else {}
        return event(
            kind,
            None if kind == "consent_changed" else f"sku-{random.randrange(6)}",
            event_id=f"e-{self.number}",
            occurred_at=NOW - timedelta(hours=hours, seconds=random.randrange(5)),
            **({"received_at": NOW, "user_key": random.choice(USERS + VISITORS)} | value | fields),
        )

    def _sign_in(self, user: str, visitor: str) -> Event:
        self.trouble["a visitor who turns out to be a user"] += 1
        self.number += 1
        return event("identify", None, event_id=f"e-{self.number}", user_key=user, visitor_key=visitor)


def rage(runs: int, *, steps: int = 25, seed: int | None = None) -> Tally:
    """Raise a storm of so many runs; the first thing that goes wrong is an `AssertionError`."""
    machine = type("Storm", (Storm,), {"tally": Tally()})
    chosen = settings(
        max_examples=runs,
        stateful_step_count=steps,
        deadline=None,
        derandomize=seed is None,
        database=None,
        phases=(Phase.generate,),
        suppress_health_check=list(HealthCheck),
    )
    if seed is None:
        run_state_machine_as_test(machine, settings=chosen)
    else:
        run_state_machine_as_test(hypothesis.seed(seed)(machine), settings=chosen)
    return machine.tally
