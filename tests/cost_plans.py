"""Plans for tests of cost and capacity: a deployed environment and a month's traffic."""

from typing import Any

from infrastructure.cost.inventory import Function, Inventory
from infrastructure.cost.traffic import Traffic
from infrastructure.cost.usage import Plan
from infrastructure.environments import PROD
from infrastructure.fields import Environment

FUNCTIONS = {
    "ingest_events": 512,
    "update_profiles": 1024,
    "archive_events": 512,
    "refresh_recommendations": 1769,
    "get_recommendations": 1024,
    "archive_exposures": 512,
    "run_training_step": 1024,
    "analyze_experiments": 3008,
}


def inventory(**changes: Any) -> Inventory:
    """Build what is like `prod`, behind CloudFront and WAF."""
    values: dict[str, Any] = {
        "functions": {
            name: Function(memory_mb, 512, arm64=True, traced=True) for name, memory_mb in FUNCTIONS.items()
        },
        "alarms": 33,
        "alarm_metrics": 71,
        "composite_alarms": 2,
        "dashboards": 2,
        "secrets": 2,
        "keys": 1,
        "shards": None,
        "retention_hours": 168,
        "fan_out_readers": 1,
        "point_in_time_recovery": True,
        "queues_polled": 1,
        "repositories": 1,
        "web_acls": 1,
        "web_acl_rules": 2,
        "distributions": 1,
    }
    return Inventory(**values | changes)


def plan(users: int, environment: Environment = PROD, there: Inventory | None = None, **more: Any) -> Plan:
    """Build the plan of so many monthly users; `more` are fields of the traffic."""
    return Plan(environment, there or inventory(), Traffic(monthly_users=users, **more))
