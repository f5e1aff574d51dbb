"""The CDK app: `cdk synth -c environment=local|dev|prod [-c name=…] [-c rollout=at-once]`."""

from aws_cdk import App

from infrastructure.constructs.closed_routes import ClosedRoutes
from infrastructure.constructs.data_key import encrypt_all
from infrastructure.environments import LOCAL, as_asked
from infrastructure.fields import Environment
from infrastructure.stacks.analytics import AnalyticsStack
from infrastructure.stacks.data import DataStack
from infrastructure.stacks.edge import EdgeStack
from infrastructure.stacks.experiments import ExperimentsStack
from infrastructure.stacks.ingestion import IngestionStack
from infrastructure.stacks.observability import ObservabilityStack
from infrastructure.stacks.serving import ServingStack
from infrastructure.stacks.training import TrainingStack
from infrastructure.suppressions import check_with_nag


def define(app: App, env: Environment) -> None:
    """Define the stacks of one environment in `app`."""
    data = DataStack(app, "data", environment=env)
    ingestion = IngestionStack(app, "ingestion", environment=env, data=data)
    experiments = ExperimentsStack(app, "experiments", environment=env)
    serving = ServingStack(
        app, "serving", environment=env, data=data, ingestion=ingestion, experiments=experiments
    )
    AnalyticsStack(app, "analytics", environment=env, data=data)
    training = TrainingStack(app, "training", environment=env, data=data, experiments=experiments)
    ObservabilityStack(
        app,
        "observability",
        environment=env,
        data=data,
        ingestion=ingestion,
        serving=serving,
        training=training,
        experiments=experiments,
    )
    if env.edge is not None:
        EdgeStack(app, "edge", environment=env, edge=env.edge)
    app.node.add_validation(ClosedRoutes(app, env))
    if data.key is not None:
        encrypt_all(app, data.key)
    check_with_nag(app)


def main() -> None:
    """Synthesize the environment that the context flags ask for; `local` without any."""
    app = App()
    environment, name, rollout = map(app.node.try_get_context, ("environment", "name", "rollout"))
    define(app, as_asked(environment or LOCAL.name, name=name, rollout=rollout))
    app.synth()


if __name__ == "__main__":
    main()
