"""What a variant chooses is what its users get: from the night, from a refresh, and from a request alike."""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from datetime import timedelta

import numpy as np
import pytest
from msgspec import structs
from scipy import sparse

from factories import NOW, event
from personalization import keys
from personalization.adapters.memory import FixedDefinitions, MemoryRefreshQueue, MemoryTable, StoredState
from personalization.builds import Build
from personalization.candidates import SOURCES, generate, history_of
from personalization.errors import ModelError, Unavailable
from personalization.experiments import (
    NO_EXPERIMENTS,
    Assignment,
    Changes,
    Definitions,
    Experiment,
    Unit,
    Variant,
    Visitor,
)
from personalization.lists import RecommendationList
from personalization.names import DEFAULT_LABEL, Ranker, Source
from personalization.policies import Policy
from personalization.ports import ActiveModel, RefreshRequest
from personalization.profile_encoding import encode
from personalization.profiles import Facts, Profile, apply
from personalization.ranking import REASONS, Model
from personalization.refreshing import Refresher
from personalization.serving import Query, Recommendations, Recommender
from personalization.targeting import Targeting
from personalization.tokens import verify
from toy_model import COUNT, toy_model
from training.lists import StoredList, user_lists

USERS = [f"user-{number}" for number in range(24)]


@pytest.fixture(scope="module")
def model() -> Model:
    return toy_model("v1")


@pytest.fixture(scope="module")
def tried() -> Model:
    return toy_model("v0")


def profile() -> Profile:
    made = Profile()
    apply(made, event("click", "sku-052", occurred_at=NOW - timedelta(hours=9)))
    return made


def experiment(name: str = "e", *, changes: dict, **fields: object) -> Experiment:
    variants = (Variant(name="control", weight=0.5), Variant(name="varied", weight=0.5, **changes))
    return Experiment(name=name, surface="home", variants=variants, **fields)


def defined(*experiments: Experiment, **defaults: Changes) -> Definitions:
    return Definitions(experiments=experiments, defaults=defaults)


@dataclass
class Platform:
    """One user base before three ways to a list: a night's, a refresh, a request."""

    definitions: Definitions | None
    models: Sequence[Model]
    table: MemoryTable = field(default_factory=lambda: MemoryTable(active=ActiveModel("v1", None, 0)))
    queue: MemoryRefreshQueue = field(default_factory=MemoryRefreshQueue)

    def __post_init__(self) -> None:
        self.table.states = {user: StoredState(encode(profile())) for user in USERS}
        source = FixedDefinitions(self.definitions)
        self.refresher = Refresher(
            self.table, self.table, self._model, source, lambda: NOW, lambda: "refreshed"
        )
        self.recommender = Recommender(self.table, self.queue, source, b"secret", lambda: NOW, lambda: "id")

    def _model(self, version: str) -> Model:
        for known in self.models:
            if known.version == version:
                return known
        raise ModelError(version)

    def night(self) -> list[StoredList]:
        model, *others = self.models
        owned = sparse.csr_array((len(USERS), COUNT))
        people = [profile() for _ in USERS]
        assert self.definitions
        lists = list(
            user_lists(
                model, USERS, people, self.definitions, now=NOW, owned=owned, tried=next(iter(others), None)
            )
        )
        for found in lists:
            self.table.write_list(found.key, found.recommendations, expires_at=0)
        return lists

    def refresh(self) -> None:
        """Do what requests and acts have asked for."""
        for request, _ in self.queue.requests:
            self.refresher.refresh(request)
        self.queue.requests.clear()

    def ask(self, user: str = USERS[0], **query: object) -> Recommendations:
        return self.recommender.recommend(Query(user, "home", 20, **query))


CHANGES = [
    {"ranker": Ranker.COVISITATION},
    {"model": "v0"},
    {"sources_off": ("covisitation", "popular")},
    {"policy": Policy(diversity=0.5)},
    {"label": "Because you viewed {title}"},
]


@pytest.mark.parametrize("changes", CHANGES, ids=lambda changes: next(iter(changes)))
def test_night_refresh_and_request_agree_on_what_a_variant_chooses(
    changes: dict, model: Model, tried: Model
) -> None:
    definitions = defined(experiment(changes=changes))
    night = Platform(definitions, [model, tried])
    stored = night.night()
    assert len({(found.pk, found.sk) for found in stored}) == len(stored) == len(USERS)
    live = Platform(definitions, [model, tried])
    seen = {}
    for user in USERS:
        assert live.refresher.refresh(RefreshRequest(user, ("home",))) == 1
        answers = night.ask(user), live.ask(user)
        assert [answer.source for answer in answers] == [Source.LIST] * 2
        assert answers[0].items == answers[1].items
        seen[answers[0].assignments[0].variant] = (
            answers[0].label,
            answers[0].model_version,
            answers[0].items,
        )
    assert seen["control"] != seen["varied"]
    assert not night.queue.requests


def test_no_list_is_built_for_a_visitor_who_turned_out_to_be_a_user(model: Model) -> None:
    platform = Platform(NO_EXPERIMENTS, [model])
    states = platform.table.load([USERS[0]])
    states[USERS[0]].merged_into = USERS[1]
    platform.table.save_together(states, version="merged", now=NOW)
    assert platform.refresher.refresh(RefreshRequest(USERS[0], ("home",))) == 0
    assert platform.refresher.refresh(RefreshRequest(USERS[1], ("home",))) == 1


def test_a_label_names_what_the_user_did_last_and_shares_the_list_with_the_control(model: Model) -> None:
    definitions = defined(experiment(changes={"label": "Because you viewed {title}"}))
    platform = Platform(definitions, [model])
    assert len({found.sk for found in platform.night()}) == 1
    labels = {platform.ask(user).label for user in USERS}
    assert labels == {DEFAULT_LABEL, "Because you viewed Item 52"}


def test_a_label_without_a_title_falls_back_to_the_usual_one() -> None:
    plain = RecommendationList(list_id="l", model_version="v1", ranker=None, revision=0, built_at=0, items=())
    assert plain.label("Because you viewed {title}") == DEFAULT_LABEL
    titled = structs.replace(plain, because="A {title} & <b>")
    assert titled.label("Like {title}") == "Like A {title} & <b>"


def test_sources_that_are_off_offer_nothing_and_give_no_reason(model: Model) -> None:
    off = ("covisitation", "transition", "propagation", "factors", "autoencoder", "trending", "content")
    (items,) = model.recommend([profile()], ranker=Ranker.LIGHTGBM, now=NOW, limit=20, sources_off=off)
    assert {item.reason for item in items} == {REASONS["popular"]}
    candidates = generate(history_of([profile()], model.tables), model.tables, off=off)
    columns = [SOURCES.index(name) for name in off]
    assert np.isnan(candidates.rank[:, columns]).all()


def test_a_model_that_is_not_published_gives_way_to_the_one_in_service_and_the_answer_says_so(
    model: Model,
) -> None:
    definitions = defined(experiment(changes={"model": "v7"}))
    platform = Platform(definitions, [model])
    platform.night()
    varied = next(user for user in USERS if platform.ask(user).assignments == (Assignment("e", "varied"),))
    answer = platform.ask(varied)
    assert (answer.source, answer.model_version) == (Source.STALE_LIST, "v1")
    assert answer.items
    assert platform.refresher.refresh(RefreshRequest(varied, ("home",))) == 0


def test_a_list_of_the_tried_model_takes_the_place_of_the_stand_in(model: Model, tried: Model) -> None:
    definitions = defined(experiment(changes={"model": "v0"}))
    platform = Platform(definitions, [model, tried])
    for user in USERS:
        key = keys.list_key(user, surface="home", version="v1")
        stand_in = next(
            user_lists(
                model, [user], [profile()], NO_EXPERIMENTS, now=NOW, owned=sparse.csr_array((1, COUNT))
            )
        )
        platform.table.write_list(key, stand_in.recommendations, expires_at=0)
    before = {user: platform.ask(user) for user in USERS}
    platform.refresh()
    after = {user: platform.ask(user) for user in USERS}
    changed = {user for user in USERS if after[user].model_version == "v0"}
    assert changed == {user for user in USERS if before[user].source is Source.STALE_LIST}
    assert {after[user].source for user in USERS} == {Source.LIST}
    assert 5 < len(changed) < len(USERS) - 5


def test_every_session_finds_a_list_of_its_variant(model: Model) -> None:
    by_session = experiment(changes={"policy": Policy(diversity=0.5)}, unit=Unit.SESSION)
    platform = Platform(defined(by_session), [model])
    assert len(platform.night()) == 2 * len(USERS)
    answers = [platform.ask(session_id=f"s{number}") for number in range(30)]
    assert {answer.source for answer in answers} == {Source.LIST}
    assert {answer.assignments[0].variant for answer in answers} == {"control", "varied"}
    assert platform.ask().assignments == ()


def test_a_request_that_tells_more_than_the_profile_gets_its_list_the_next_time(model: Model) -> None:
    targeted = experiment(changes={"ranker": Ranker.COVISITATION}, targeting=Targeting(devices=("tv",)))
    platform = Platform(defined(targeted), [model])
    platform.night()
    on_tv = Facts(device="tv")
    varied = next(
        user
        for user in USERS
        if defined(targeted).treatment(Visitor(user, facts=on_tv), "home", NOW).build != Build()
    )
    assert platform.ask(varied).source is Source.LIST
    assert platform.ask(varied, facts=on_tv).source is not Source.LIST
    platform.refresh()
    assert platform.ask(varied, facts=on_tv).source is Source.LIST


def test_lists_of_an_experiment_are_there_when_it_starts(model: Model) -> None:
    later = experiment(changes={"ranker": Ranker.COVISITATION}, starts_at=NOW + timedelta(hours=3))
    platform = Platform(defined(later), [model])
    platform.night()
    platform.recommender.clock = lambda: NOW + timedelta(hours=4)
    answers = [platform.ask(user) for user in USERS]
    assert {answer.source for answer in answers} == {Source.LIST}
    assert {answer.assignments[0].variant for answer in answers} == {"control", "varied"}


def test_a_forced_variant_is_built_on_demand_and_counts_for_nothing(model: Model) -> None:
    platform = Platform(defined(experiment(changes={"ranker": Ranker.COVISITATION})), [model])
    platform.night()
    control = next(user for user in USERS if platform.ask(user).assignments[0].variant == "control")
    forced = (Assignment("e", "varied"),)
    assert platform.ask(control, forced=forced).source is not Source.LIST
    platform.refresh()
    answer = platform.ask(control, forced=forced)
    assert (answer.source, answer.assignments) == (Source.LIST, ())
    receipt = verify(b"secret", answer.recommendation_id, user_key=control, now=NOW)
    assert receipt.assignments == ()


def test_while_nothing_is_known_of_experiments_the_defaults_are_served_and_nothing_is_built(
    model: Model,
) -> None:
    platform = Platform(defined(home=Changes(ranker=Ranker.COVISITATION, label="For you")), [model])
    platform.night()
    unknown = FixedDefinitions(None)
    assert platform.definitions
    cold = Recommender(
        platform.table, platform.queue, unknown, b"s", lambda: NOW, lambda: "id", platform.definitions
    )
    answer = cold.recommend(Query(USERS[0], "home", 20))
    assert (answer.source, answer.label, answer.assignments) == (Source.LIST, "For you", ())
    assert not answer.experiments_known
    assert platform.ask().experiments_known
    with pytest.raises(Unavailable):
        replace(platform.refresher, definitions=unknown).refresh(RefreshRequest(USERS[0]))
