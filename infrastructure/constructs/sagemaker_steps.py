"""Steps of the slow loop as SageMaker jobs: the same entry points, over the same folders, on larger machines.

The channels of a step are those of `functions.run_training_step.channels`, which a test compares.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from aws_cdk import Duration, Stack
from aws_cdk import aws_kms as kms
from aws_cdk import aws_s3 as s3
from aws_cdk import aws_stepfunctions as sfn
from constructs import Construct

from infrastructure.constructs.code_version import code_version
from infrastructure.constructs.job_roles import JobRoles, allow_jobs
from infrastructure.constructs.lambda_steps import OF_RUN, LambdaSteps
from infrastructure.fields import SageMakerEngine

_LONGEST: Final = Duration.hours(4)
_SPOT_WAIT: Final = Duration.hours(6)
"""From the start of a training job to its end, waiting for spare capacity included."""
_PROVISIONING: Final = Duration.minutes(30)
_NOW: Final = "'--now', $.now"
_ROOT: Final = "/opt/ml/processing"
_THE_MODEL: Final = "$.train.address"
"""Where the training job says that it left the model."""
_CHANNELS: Final[Mapping[str, tuple[Sequence[str], Sequence[str]]]] = {
    "prepare": (["events"], ["dataset", "users"]),
    "evaluate": (["dataset", "model", "champion"], ["report"]),
    "rank": (["users", "model", "experiments", "tried"], ["lists"]),
    "share": (["dataset", "model"], ["lists"]),
    "publish": (["model", "lists", "report"], ["published"]),
}
"""What the processing jobs read and write."""


@dataclass(frozen=True)
class JobSurroundings:
    """What every job is given."""

    image: str
    roles: JobRoles
    lake: s3.IBucket
    models: s3.IBucket
    table_name: str
    key: kms.IKey | None
    name_prefix: str
    """Of the names of jobs: `attune-prod`."""
    fewest_users: int
    """Distinct users behind shared lists."""


class SageMakerSteps:
    """Large steps are jobs; what is small, and needs to count or to look things up, stays a Lambda.

    A job's name is made of execution, redrive and retry: asked for twice, it exists once. Jobs have no
    network but for *publish*, which writes to the table.
    """

    night: Final = Duration.hours(18)
    hyperparameters: Final = (
        "{% $merge($append([{}], $each($exists($states.input.hyperparameters) ? "
        "$states.input.hyperparameters : {}, function($value, $name) { {$name: $string($value)} }))) %}"
    )
    announces: Final = True

    def __init__(
        self,
        scope: Construct,
        engine: SageMakerEngine,
        lambdas: LambdaSteps,
        surroundings: JobSurroundings,
        *,
        shard_count: int,
    ) -> None:
        self._scope = scope
        self._engine = engine
        self._lambdas = lambdas
        self._around = surroundings
        self._shard_count = shard_count

    def step(self, name: str) -> sfn.TaskStateBase | sfn.CustomState:
        """Return a step's state."""
        if name in ("champion", "soundness"):
            return self._lambdas.step(name)
        if name in ("gate", "announce"):
            payload = OF_RUN | {"model": sfn.JsonPath.string_at(_THE_MODEL)}
            return self._lambdas.invoke(name, payload, "$.gate" if name == "gate" else None)
        return self._training() if name == "train" else self._processing(name)

    def rank(self) -> sfn.CustomState:
        """Return the state that ranks all users: each instance those of the shard files that it is given."""
        return self._processing("rank")

    def allow(self, machine: sfn.StateMachine) -> None:
        """Let the state machine start, follow and stop its own jobs, and hand them their roles."""
        allow_jobs(machine, name_prefix=self._around.name_prefix, roles=self._around.roles)

    def _processing(self, name: str) -> sfn.CustomState:
        inputs, outputs = _CHANNELS[name]
        instances = self._engine.ranking_instances if name == "rank" else 1
        line = ", ".join([f"'{name}'", _NOW, *self._options(name)])
        parameters = {
            "ProcessingJobName.$": self._name(name),
            "RoleArn": self._around.roles.of(name).role_arn,
            "AppSpecification": {
                "ImageUri": self._around.image,
                "ContainerArguments.$": f"States.Array({line})",
            },
            "ProcessingResources": {"ClusterConfig": self._instances(instances)},
            "ProcessingInputs": [self._input(channel) for channel in inputs],
            "ProcessingOutputConfig": {
                "Outputs": [self._output(channel) for channel in outputs],
                **self._encrypted(),
            },
            "NetworkConfig": {
                "EnableNetworkIsolation": name != "publish",
                "EnableInterContainerTrafficEncryption": instances > 1,
            },
            "Environment": {"AWS_DEFAULT_REGION": Stack.of(self._scope).region},
            "StoppingCondition": {"MaxRuntimeInSeconds": _LONGEST.to_seconds()},
        }
        return self._job(name, "createProcessingJob", parameters, _LONGEST, {"ResultPath": None})

    def _options(self, name: str) -> Sequence[str]:
        if name == "prepare":
            return [
                f"'--shard-count', '{self._shard_count}'",
                "'--split', $.split",
                "'--accept', $.accept",
            ]
        if name == "share":
            return [f"'--fewest-users', '{self._around.fewest_users}'"]
        if name == "publish":
            bucket = self._around.models.bucket_name
            return [f"'--table', '{self._around.table_name}'", f"'--model-bucket', '{bucket}'"]
        return []

    def _training(self) -> sfn.CustomState:
        engine = self._engine
        version = f"'--version', $.run_id, '--code-version', '{code_version()}'"
        wait = {"MaxWaitTimeInSeconds": _SPOT_WAIT.to_seconds()} if engine.spot else {}
        parameters = {
            "TrainingJobName.$": self._name("train"),
            "RoleArn": self._around.roles.of("train").role_arn,
            "AlgorithmSpecification": {
                "TrainingImage": self._around.image,
                "TrainingInputMode": "File",
                "ContainerEntrypoint": ["python", "-m", "training.jobs"],
                "ContainerArguments.$": f"States.Array('train', {_NOW}, {version})",
            },
            "HyperParameters.$": "$.hyperparameters",
            "InputDataConfig": [
                {
                    "ChannelName": "dataset",
                    "DataSource": {
                        "S3DataSource": {
                            "S3DataType": "S3Prefix",
                            "S3DataDistributionType": "FullyReplicated",
                            "S3Uri.$": self._address("dataset/"),
                        }
                    },
                }
            ],
            # Not packed, so that the next jobs read the model as they do on the other engine.
            "OutputDataConfig": {
                "S3OutputPath.$": self._address("training"),
                "CompressionType": "NONE",
                **self._encrypted(),
            },
            "CheckpointConfig": {
                "S3Uri.$": self._address("checkpoints"),
                "LocalPath": "/opt/ml/checkpoints",
            },
            "ResourceConfig": self._instances(engine.training_instances),
            "StoppingCondition": {"MaxRuntimeInSeconds": _LONGEST.to_seconds(), **wait},
            "EnableManagedSpotTraining": engine.spot,
            "EnableNetworkIsolation": True,
            "EnableInterContainerTrafficEncryption": engine.training_instances > 1,
        }
        result = {
            "ResultSelector": {"address.$": "$.ModelArtifacts.S3ModelArtifacts"},
            "ResultPath": "$.train",
        }
        longest = _SPOT_WAIT if engine.spot else _LONGEST
        return self._job("train", "createTrainingJob", parameters, longest, result)

    def _job(
        self,
        name: str,
        call: str,
        parameters: Mapping[str, Any],
        longest: Duration,
        result: Mapping[str, Any],
    ) -> sfn.CustomState:
        state = sfn.CustomState(
            self._scope,
            name,
            state_json={
                "Type": "Task",
                "Resource": f"arn:{Stack.of(self._scope).partition}:states:::sagemaker:{call}.sync",
                "Parameters": parameters,
                "TimeoutSeconds": longest.plus(_PROVISIONING).to_seconds(),
                **result,
            },
        )
        # Of the call, not of the job: throttling, or no room within the account's quota yet.
        state.add_retry(
            errors=["SageMaker.AmazonSageMakerException"],
            interval=Duration.seconds(30),
            backoff_rate=2,
            max_attempts=5,
            jitter_strategy=sfn.JitterType.FULL,
        )
        return state

    def _name(self, step: str) -> str:
        prefix = f"{self._around.name_prefix}-{step}"
        return (
            f"States.Format('{prefix}-{{}}-{{}}-{{}}', States.Hash($$.Execution.Id, 'MD5'), "
            "$$.Execution.RedriveCount, $$.State.RetryCount)"
        )

    def _address(self, channel: str) -> str:
        return f"States.Format('s3://{self._around.models.bucket_name}/runs/{{}}/{channel}', $.run_id)"

    def _input(self, channel: str) -> Mapping[str, Any]:
        address = {
            "events": {"S3Uri": f"s3://{self._around.lake.bucket_name}/events/"},
            "model": {"S3Uri.$": _THE_MODEL},
        }.get(channel, {"S3Uri.$": self._address(f"{channel}/")})
        return {
            "InputName": channel,
            "S3Input": {
                **address,
                "LocalPath": f"{_ROOT}/input/{channel}",
                "S3DataType": "S3Prefix",
                "S3InputMode": "File",
                "S3DataDistributionType": "ShardedByS3Key" if channel == "users" else "FullyReplicated",
            },
        }

    def _output(self, channel: str) -> Mapping[str, Any]:
        return {
            "OutputName": channel,
            "S3Output": {
                "S3Uri.$": self._address(channel),
                "LocalPath": f"{_ROOT}/output/{channel}",
                "S3UploadMode": "EndOfJob",
            },
        }

    def _instances(self, count: int) -> Mapping[str, Any]:
        key = {"VolumeKmsKeyId": self._around.key.key_arn} if self._around.key else {}
        engine = self._engine
        return {
            "InstanceCount": count,
            "InstanceType": engine.instance_type,
            "VolumeSizeInGB": engine.volume_gb,
            **key,
        }

    def _encrypted(self) -> Mapping[str, str]:
        return {"KmsKeyId": self._around.key.key_arn} if self._around.key else {}
