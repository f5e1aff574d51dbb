"""The sections of the console, each a read or two: what one can't reach leaves the others as they are."""

from datetime import UTC, datetime
from typing import Any, Final

import msgspec

from functions.get_console_data.dependencies import Dependencies
from personalization import keys
from personalization.alarms import shown_alarms
from personalization.click_rates import click_rates as rates_of
from personalization.click_rates import series_of, window
from personalization.experiments import Experiment
from personalization.inspection import Inspection
from personalization.ports import ActiveModel
from personalization.registry import Version, versions
from personalization.serving import Query

MAX_VERSIONS: Final = 12
"""Models that are listed beside those in service: each takes three reads."""
Json = dict[str, Any]


def alarms(deps: Dependencies, now: datetime) -> Json:
    """Return the platform's alarms, ringing ones first."""
    return {"as_of": now, "alarms": shown_alarms(deps.monitor.alarms(deps.alarm_prefix))}


def click_rates(deps: Dependencies, hours: str, now: datetime) -> Json:
    """Return what was shown and clicked over the last hours, by variant."""
    chosen = window(hours, now)
    series = series_of(deps.definitions().experiments)
    return {
        "as_of": now,
        "start": chosen.start,
        "end": chosen.end,
        "period_seconds": int(chosen.period.total_seconds()),
        "variants": rates_of(series, deps.monitor.counts(series, chosen) if series else {}),
    }


def experiments(deps: Dependencies, now: datetime) -> Json:
    """Return every experiment as it is defined, with its latest results, if it has any."""
    defined = deps.definitions().experiments
    found = deps.results.results([experiment.name for experiment in defined])
    results = {one.experiment: one for one in found}
    return {
        "as_of": now,
        "experiments": [{**_definition(one), "results": results.get(one.name)} for one in defined],
    }


def _definition(experiment: Experiment) -> Json:
    return {
        "name": experiment.name,
        "surface": experiment.surface,
        "coverage": experiment.coverage,
        "variants": [{"name": variant.name, "weight": variant.weight} for variant in experiment.variants],
    }


def models(deps: Dependencies, now: datetime) -> Json:
    """Return which model is in service, which was before, and the newest ones."""
    active = deps.lists.read([keys.ACTIVE_MODEL]).active
    names = dict.fromkeys(deps.models.newest(keys.MODELS, keys.MANIFEST, MAX_VERSIONS))
    if active is not None:
        names |= dict.fromkeys(filter(None, (active.version, active.previous)))
    found = versions(names, deps.models, active)
    return {"as_of": now, "active": _active(active), "versions": [_version(one) for one in found]}


def _active(active: ActiveModel | None) -> Json | None:
    if active is None:
        return None
    published_at = datetime.fromtimestamp(active.published_at, UTC)
    return {
        "version": active.version,
        "previous": active.previous,
        "published_at": published_at,
        "rolled_back": active.rolled_back,
    }


def _version(version: Version) -> Json:
    metadata = msgspec.structs.asdict(version.metadata)
    del metadata["parameters"]
    return {
        **metadata,
        "features": len(version.metadata.features),
        "state": version.state,
        "quality": version.quality,
    }


def user(deps: Dependencies, query: Query, now: datetime) -> Inspection:
    """Return what each variant would show a user, and what is known of them."""
    return deps.inspector.inspect(query, deps.definitions(), now)
