"""Reading: the time that a handler adds to its database call, and what its imports add to a cold start."""

import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager, redirect_stdout
from dataclasses import dataclass, field
from os import devnull
from pathlib import Path
from statistics import quantiles
from time import perf_counter, time
from typing import Any

import boto3
import pytest

from benchmarks.rows import Row
from factories import event, listed
from functions.get_recommendations.dependencies import dependencies
from functions.get_recommendations.handler import handler
from infrastructure.definitions import read_definitions
from infrastructure.local.lifecycle import emulator
from integration.conftest import CONTEXT, laid_out
from personalization import keys
from personalization.adapters.dynamodb import DynamoListStore, DynamoProfileStore
from personalization.experiments import Visitor
from personalization.identity import user_key
from personalization.lists import STORED_ITEMS
from personalization.names import NAMESPACE
from personalization.ports import ActiveModel
from personalization.profiles import apply
from personalization.runtime.clock import now
from personalization.runtime.observability import logger

USERS = 200
WARM_UP = 200
IMPORTS = 9
POWERTOOLS = {"POWERTOOLS_SERVICE_NAME": "get_recommendations", "POWERTOOLS_METRICS_NAMESPACE": NAMESPACE}
HANDLER = "functions.get_recommendations.handler"
BARE = "import boto3; boto3.client('dynamodb', region_name='eu-central-1')"


@dataclass
class Stopwatch:
    """Adds up the time inside of calls."""

    seconds: float = 0.0
    calls: int = 0
    last: Any = field(default=None, repr=False)

    def around(self, call: Callable[..., Any]) -> Callable[..., Any]:
        """Return the call, timed."""

        def timed(*args: Any, **kwargs: Any) -> Any:
            before = perf_counter()
            try:
                return call(*args, **kwargs)
            finally:
                self.seconds += perf_counter() - before
                self.calls += 1

        return timed


def rows(requests: int) -> Iterator[Row]:
    """Serve so many requests over HTTP from a local DynamoDB, then import the function again and again."""
    own, database = _served(requests)
    cuts, floor = quantiles(own, n=100), quantiles(database, n=100)
    for name, place, limit in (("median", 49, 1.0), ("99th percentile", 98, 2.0)):
        yield Row(
            what=f"get_recommendations beside its database call, {name}",
            figure=f"{cuts[place]:.2f} ms",
            against="the call itself, by boto3",
            baseline=f"{floor[place]:.2f} ms",
            ratio=cuts[place] / floor[place],
            target=f"{limit:.0f} ms",
            met=cuts[place] < limit,
        )
    bare, whole = _imports()
    yield Row(
        what="get_recommendations, imports and a client",
        figure=f"{whole * 1000:.0f} ms",
        against="boto3 and a client alone",
        baseline=f"{bare * 1000:.0f} ms",
        ratio=whole / bare,
        target="1.25 times",
        met=whole <= 1.25 * bare,
    )


def _served(requests: int) -> tuple[list[float], list[float]]:
    """Return each request's milliseconds outside and inside of the database call."""
    own, database = [], []
    with _platform(), Path(devnull).open("w") as nowhere, redirect_stdout(nowhere):
        logger.registered_handler.stream = nowhere
        watch = Stopwatch()
        client = dependencies().recommender().store._client
        client.batch_get_item = watch.around(client.batch_get_item)
        for number in range(WARM_UP + requests):
            request = {"pathParameters": {"user_id": f"user-{number % USERS}"}, "headers": {}}
            inside, before = watch.seconds, perf_counter()
            answer = handler(request, CONTEXT)
            whole = perf_counter() - before
            assert '"source":"list"' in answer["body"]
            if number >= WARM_UP:
                database.append((watch.seconds - inside) * 1000)
                own.append(whole * 1000 - database[-1])
    return own, database


@contextmanager
def _platform() -> Iterator[None]:
    """Hold a platform with profiles and fresh lists up, in the local AWS."""
    with pytest.MonkeyPatch.context() as patch, emulator() as aws:
        for name, value in {**aws.environment, **POWERTOOLS}.items():
            patch.setenv(name, value)
        with laid_out(patch):
            _fill()
            yield


def _fill() -> None:
    client = boto3.client("dynamodb")
    profiles, lists = DynamoProfileStore(client, "table"), DynamoListStore(client, "table")
    lists.activate(ActiveModel("v1", None, 0))
    definitions = read_definitions()
    items = [f"sku-{number}" for number in range(STORED_ITEMS)]
    for name in (keys.POPULAR, keys.TRENDING):
        lists.write_list(
            keys.segment_key(name, version="v1"), listed(*items), expires_at=int(time()) + 86_400
        )
    for number in range(USERS):
        key = user_key(b"user-key-secret", f"user-{number}")
        state = profiles.load([key])[key]
        for act in range(30):
            apply(state.profile, event("view", f"sku-{act}"))
        profiles.save(key, state, version="w", now=now())
        own = listed(*items, revision=state.profile.revision)
        for build in definitions.builds(Visitor(key), "home", now(), any_facts=True):
            place = keys.list_key(key, surface="home", version="v1", build=build)
            lists.write_list(place, own, expires_at=int(time()) + 86_400)


def _imports() -> tuple[float, float]:
    """Return the least seconds of each, of processes started in turn."""
    took = {BARE: [], f"import {HANDLER}; {BARE}": []}
    for _ in range(IMPORTS):
        for code, seconds in took.items():
            timed = f"import time; t = time.perf_counter(); {code}; print(time.perf_counter() - t)"
            done = subprocess.run([sys.executable, "-c", timed], capture_output=True, text=True, check=True)
            seconds.append(float(done.stdout))
    bare, whole = (min(seconds) for seconds in took.values())
    return bare, whole
