"""Alarms on alarms: one page an outage, whatever else the outage sets off.

Where a template can't hold them, the same rules are an output, which the local runner puts (decision 57).
"""

from typing import Any, Final

from aws_cdk import CfnOutput, Stack
from aws_cdk import aws_cloudwatch as cloudwatch
from aws_cdk import aws_cloudwatch_actions as actions
from aws_cdk import aws_sns as sns
from constructs import Construct

from infrastructure.constructs.runbooks import described

OUTPUT: Final = "CompositeAlarms"
"""Parameters of PutCompositeAlarm, a JSON array: whoever is named by a rule comes before it."""


class CompositeAlarms(Construct):
    """Composite alarms that tell `topic` when they begin and when they end."""

    def __init__(self, scope: Construct, construct_id: str, *, topic: sns.ITopic, in_template: bool) -> None:
        super().__init__(scope, construct_id)
        self._topic = topic
        self._in_template = in_template
        self._entries: list[dict[str, Any]] = []

    def add(self, name: str, rule: cloudwatch.IAlarmRule, feel: str, page: str) -> cloudwatch.IAlarm:
        """Define one more alarm; its rule may name those that were defined before."""
        description = described(feel, page)
        if not self._in_template:
            return self._entry(name, rule, description)
        alarm = cloudwatch.CompositeAlarm(self, name, alarm_rule=rule, alarm_description=description)
        alarm.add_alarm_action(actions.SnsAction(self._topic))
        alarm.add_ok_action(actions.SnsAction(self._topic))
        return alarm

    def output(self) -> None:
        """Leave what the template could not hold as an output of the stack."""
        if self._entries:
            CfnOutput(Stack.of(self), OUTPUT, value=Stack.of(self).to_json_string(self._entries))

    def _entry(self, name: str, rule: cloudwatch.IAlarmRule, description: str) -> cloudwatch.IAlarm:
        full_name = f"{Stack.of(self).stack_name}-{name}"
        self._entries.append(
            {
                "AlarmName": full_name,
                "AlarmDescription": description,
                "AlarmRule": rule.render_alarm_rule(),
                "AlarmActions": [self._topic.topic_arn],
                "OKActions": [self._topic.topic_arn],
            }
        )
        return cloudwatch.Alarm.from_alarm_name(self, name, full_name)
