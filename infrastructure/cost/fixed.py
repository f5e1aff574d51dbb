"""What is billed whether anybody comes or not."""

from collections.abc import Iterator
from functools import cache
from math import exp

from infrastructure.cost.quantities import ASSUMED
from infrastructure.cost.traffic import HOURS
from infrastructure.cost.usage import Basis, Plan, Usage
from infrastructure.definitions import read_definitions
from personalization.metric_catalogue import Extent, total_series
from personalization.names import Surface


def fixed(plan: Plan) -> Iterator[Usage]:
    """Return what the stack's resources use by being there, and the series of metrics."""
    there = plan.inventory
    template = Basis.TEMPLATE
    yield Usage("CloudWatch", f"{there.alarms} alarms", "alarm_metric", there.alarm_metrics, template)
    yield Usage("CloudWatch", "composite alarms", "composite_alarm", there.composite_alarms, template)
    yield Usage("CloudWatch", "dashboards", "dashboard", there.dashboards, template)
    yield Usage("CloudWatch", "metrics", "metric", _series(plan), Basis.MEASURED)
    yield Usage("Secrets Manager", "secrets", "secret", there.secrets, template)
    yield Usage("KMS", "keys", "key", there.keys, template)
    yield Usage("WAF", "web ACLs", "web_acl", there.web_acls, template)
    yield Usage("WAF", "rules", "web_acl_rule", there.web_acl_rules, template)
    polls = there.queues_polled * ASSUMED.queue_polls * HOURS
    yield Usage("SQS", "polls of waiting consumers", "queue_request", polls, Basis.ASSUMED)
    images = there.repositories * ASSUMED.image_gb
    yield Usage("ECR", "the jobs' image", "image_gb_month", images, Basis.ASSUMED)


def _series(plan: Plan) -> float:
    """Count the metrics' series, by the share of hours in which they get a value."""
    surfaces = min(plan.traffic.surfaces, len(Surface))
    busy_hours = 1 - exp(-plan.traffic.posts / HOURS)
    return total_series(Extent(surfaces, _variants())) * busy_hours


@cache
def _variants() -> tuple[int, ...]:
    """Return the number of variants of each experiment that is defined."""
    return tuple(len(experiment.variants) for experiment in read_definitions().experiments)
