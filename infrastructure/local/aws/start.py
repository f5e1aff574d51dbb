"""Starts ministack, put right in five places: `start.py INTERPRETER`.

- ministack runs a Python function with `sys.executable`, that is, with everything ministack depends on in
  reach. A handler could so import a package that neither its folder nor its layers hold, and fail only on
  AWS. Hence Lambdas get an interpreter of their own, whose environment holds boto3 and nothing else.
- Its CloudFormation refuses alarms on metric math, and with them the whole stack. They are accepted.
- Its CloudFormation does not know composite alarms, though its CloudWatch has them and judges their rules.
  They are brought together.
- It judges alarms on one metric itself, blind to their dimensions. That is left to the runner for every
  alarm (`infrastructure.local.runner`).
- Told to verify signatures (`AUTH=true`), it takes who sends another `Authorization` to a route for signed
  requests for the account's root. They are refused.
"""

import sys
from typing import Any

from ministack import app  # type: ignore[import-not-found]
from ministack.services import cloudwatch  # type: ignore[import-not-found]
from ministack.services.cloudformation import provisioners  # type: ignore[import-not-found]

_enforce_execute_api = app._enforce_execute_api
_record_of_plain_alarm = provisioners._cw_metric_alarm_record


def record_of_alarm(name: str, properties: dict[str, Any]) -> dict[str, Any]:
    """Return ministack's record of an alarm, on a metric or on an expression."""
    if not properties.get("Metrics"):
        return dict(_record_of_plain_alarm(name, properties))
    placeholder = {**properties, "Metrics": None, "Namespace": "-", "MetricName": "-"}
    record = dict(_record_of_plain_alarm(name, placeholder))
    return {**record, "Namespace": None, "MetricName": None, "Metrics": properties["Metrics"]}


def create_composite(
    logical_id: str, properties: dict[str, Any], stack_name: str
) -> tuple[str, dict[str, str]]:
    """Put a composite alarm; returns its name and what the template may ask of it."""
    name = properties.get("AlarmName") or provisioners._physical_name(stack_name, logical_id, max_len=255)
    status, _, body = cloudwatch._put_composite_alarm({}, {**properties, "AlarmName": name}, False, True)
    if status != 200:
        raise ValueError(f"AWS::CloudWatch::CompositeAlarm {name} is refused: {body!r}")
    return name, {"Arn": cloudwatch._composite_alarms[name]["AlarmArn"]}


def delete_composite(name: str, _: dict[str, Any]) -> None:
    """Delete a composite alarm."""
    cloudwatch._delete_alarms({}, {"AlarmNames": [name]}, False, True)


def leave_to_the_runner(_: dict[str, Any]) -> None:
    """Judge no alarm."""


def refuse_unsigned(
    api_id: str, stage: str, method: str, path: str, headers: dict[str, str], *rest: Any, **more: Any
) -> Any:
    """Refuse what is no signature where one is demanded; let ministack judge the rest."""
    demanded = app.AUTH and app._execute_api_authorization_type(api_id, stage, method, path) == "AWS_IAM"
    if demanded and not headers.get("authorization", "").startswith("AWS4-HMAC-SHA256"):
        return 403, {"Content-Type": "application/json"}, b'{"message":"Forbidden"}'
    return _enforce_execute_api(api_id, stage, method, path, headers, *rest, **more)


sys.executable = sys.argv.pop(1)
app._enforce_execute_api = refuse_unsigned
provisioners._cw_metric_alarm_record = record_of_alarm
provisioners._RESOURCE_HANDLERS["AWS::CloudWatch::CompositeAlarm"] = {
    "create": create_composite,
    "delete": delete_composite,
}
cloudwatch._evaluate_alarm = leave_to_the_runner
app.main()
