"""The month's bill, watched by AWS Budgets."""

from typing import Final

from aws_cdk import aws_budgets as budgets
from aws_cdk import aws_iam as iam
from aws_cdk import aws_sns as sns
from constructs import Construct

_NOTICES: Final = (("FORECASTED", 100), ("ACTUAL", 80), ("ACTUAL", 100))
"""Kind of bill, and percent of the limit; a forecast needs five weeks of bills to learn from."""


def watch_bill(scope: Construct, topic: sns.Topic, *, account: str, monthly_dollars: int) -> None:
    """Tell `topic` when the account's bill of a month passes the limit, or is going to.

    The whole account's: a budget by tag sees nothing until somebody activates the tag for billing.
    """
    topic.add_to_resource_policy(
        iam.PolicyStatement(
            sid="AllowBudgetsOfThisAccount",
            principals=[iam.ServicePrincipal("budgets.amazonaws.com")],
            actions=["sns:Publish"],
            resources=[topic.topic_arn],
            conditions={"StringEquals": {"aws:SourceAccount": account}},
        )
    )
    subscriber = budgets.CfnBudget.SubscriberProperty(subscription_type="SNS", address=topic.topic_arn)
    budgets.CfnBudget(
        scope,
        "Budget",
        budget=budgets.CfnBudget.BudgetDataProperty(
            budget_type="COST",
            time_unit="MONTHLY",
            budget_limit=budgets.CfnBudget.SpendProperty(amount=monthly_dollars, unit="USD"),
        ),
        notifications_with_subscribers=[
            budgets.CfnBudget.NotificationWithSubscribersProperty(
                notification=budgets.CfnBudget.NotificationProperty(
                    comparison_operator="GREATER_THAN",
                    notification_type=kind,
                    threshold=percent,
                    threshold_type="PERCENTAGE",
                ),
                subscribers=[subscriber],
            )
            for kind, percent in _NOTICES
        ],
    )
