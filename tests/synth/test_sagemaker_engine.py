"""Engine SageMaker: its states, its image, and what each of its roles may do."""

import os
import re
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path
from typing import Any

import pytest
from uv import find_uv_bin

from functions.run_training_step.channels import Channel, Wiring, wiring
from infrastructure.constructs.layer_build import ROOT
from infrastructure.fields import SageMakerEngine
from tests.synth.assembly import Assembly
from tests.synth.test_workflow import definition_of
from training.jobs.__main__ import STEPS

JOBS = ("prepare", "train", "evaluate", "rank", "share", "publish")
OF_EVERY_JOB = {
    ("s3:ListBucket", "models"),
    ("s3:GetObject", "models/runs/*"),
    ("s3:PutObject", "models/runs/*"),
    ("ecr:BatchCheckLayerAvailability", "repository"),
    ("ecr:BatchGetImage", "repository"),
    ("ecr:GetDownloadUrlForLayer", "repository"),
    ("ecr:GetAuthorizationToken", "*"),
    ("cloudwatch:PutMetricData", "*"),
}
OF_A_ROLE = {
    "JobRolesPreparing": {("s3:ListBucket", "lake"), ("s3:GetObject", "lake/events/*")},
    "JobRolesWorking": set(),
    "JobRolesPublishing": {
        ("s3:GetObject", "models/models/*"),
        ("s3:PutObject", "models/models/*"),
        ("s3:PutObject", "models/shared/*"),
        ("dynamodb:BatchGetItem", "table"),
        ("dynamodb:PutItem", "table"),
    },
}


@pytest.fixture
def engine(prod: Assembly) -> SageMakerEngine:
    chosen = prod.environment.training.engine
    assert isinstance(chosen, SageMakerEngine)
    return chosen


@pytest.fixture
def states(prod: Assembly) -> dict[str, Any]:
    definition = definition_of(prod)
    inside = [branch["States"] for branch in definition["States"]["lists"]["Branches"]]
    return {name: state for part in [definition["States"], *inside] for name, state in part.items()}


def test_large_steps_are_jobs_and_small_ones_stay_lambdas(states: dict[str, Any]) -> None:
    calls = {
        name: state["Resource"].rpartition(":")[2]
        for name, state in states.items()
        if state["Type"] == "Task"
    }
    assert {name for name, call in calls.items() if call == "createProcessingJob.sync"} == {*JOBS} - {"train"}
    assert calls["train"] == "createTrainingJob.sync"
    assert {name for name in calls if name not in JOBS} == {"champion", "soundness", "gate", "announce"}


@pytest.mark.parametrize("step", JOBS)
def test_a_job_reads_and_writes_the_channels_of_its_step(states: dict[str, Any], step: str) -> None:
    """One definition for both engines would need CDK to import functions; this holds the two together."""
    wires = wiring(step, run_id="{}", model_bucket="Models", model="s3://Models/address")
    if step == "prepare":
        # It replays the whole lake: snapshots are of the other engine, which chooses what to read.
        wires = Wiring([Channel("Lake", "events/", "processing/input/events")], wires.outputs[:2])
    given = states[step]["Parameters"]
    if step == "train":
        (channel,) = given["InputDataConfig"]
        assert channel["ChannelName"] == "dataset"
        assert _address(channel["DataSource"]["S3DataSource"]) == "s3://Models/runs/{}/dataset/"
        assert [(wire.prefix, wire.folder) for wire in wires.inputs] == [
            ("runs/{}/dataset/", "input/data/dataset")
        ]
        return
    inputs = [each["S3Input"] for each in given["ProcessingInputs"]]
    outputs = [each["S3Output"] for each in given["ProcessingOutputConfig"]["Outputs"]]
    assert {(_address(each), each["LocalPath"]) for each in inputs} == set(map(_expected, wires.inputs))
    assert {(_address(each) + "/", each["LocalPath"]) for each in outputs} == set(
        map(_expected, wires.outputs)
    )


def test_the_model_is_where_the_training_job_says(states: dict[str, Any]) -> None:
    assert states["train"]["ResultSelector"] == {"address.$": "$.ModelArtifacts.S3ModelArtifacts"}
    assert states["train"]["ResultPath"] == "$.train"
    assert states["train"]["Parameters"]["OutputDataConfig"]["CompressionType"] == "NONE"
    assert states["gate"]["Parameters"]["model.$"] == "$.train.address"


def test_each_ranking_instance_sees_its_own_shards_only(
    states: dict[str, Any], engine: SageMakerEngine
) -> None:
    rank = states["rank"]["Parameters"]
    assert rank["ProcessingResources"]["ClusterConfig"]["InstanceCount"] == engine.ranking_instances > 1
    spread = {
        each["InputName"]: each["S3Input"]["S3DataDistributionType"] for each in rank["ProcessingInputs"]
    }
    whole = dict.fromkeys(("model", "experiments", "tried"), "FullyReplicated")
    assert spread == {"users": "ShardedByS3Key"} | whole


def test_there_are_shards_enough_for_the_instances(
    prod: Assembly, engine: SageMakerEngine, states: dict
) -> None:
    shards = prod.environment.training.ranking_shards
    assert (
        f"'--shard-count', '{shards}'"
        in states["prepare"]["Parameters"]["AppSpecification"]["ContainerArguments.$"]
    )
    assert shards >= engine.ranking_instances


@pytest.mark.parametrize("step", JOBS)
def test_a_job_runs_its_entry_point_in_the_image_with_an_end_in_sight(
    states: dict[str, Any], engine: SageMakerEngine, step: str
) -> None:
    given = states[step]["Parameters"]
    container = given.get("AppSpecification") or given["AlgorithmSpecification"]
    assert container["ContainerArguments.$"].startswith(f"States.Array('{step}', '--now', $.now")
    assert step in STEPS
    assert (container.get("ImageUri") or container["TrainingImage"]).endswith("/JobImage:JobImage")
    cluster = given.get("ResourceConfig") or given["ProcessingResources"]["ClusterConfig"]
    assert (cluster["InstanceType"], cluster["VolumeSizeInGB"]) == (engine.instance_type, engine.volume_gb)
    limit = given["StoppingCondition"]
    assert states[step]["TimeoutSeconds"] > max(limit.values())


def test_training_takes_spare_capacity_and_keeps_what_an_interruption_would_lose(
    states: dict[str, Any], engine: SageMakerEngine
) -> None:
    given = states["train"]["Parameters"]
    assert given["EnableManagedSpotTraining"] is engine.spot is True
    assert (
        given["StoppingCondition"]["MaxWaitTimeInSeconds"]
        >= given["StoppingCondition"]["MaxRuntimeInSeconds"]
    )
    assert given["CheckpointConfig"]["LocalPath"] == "/opt/ml/checkpoints"
    assert _address(given["CheckpointConfig"]) == "s3://Models/runs/{}/checkpoints"


def test_hyperparameters_are_text_as_sagemaker_demands(prod: Assembly, states: dict[str, Any]) -> None:
    assert states["train"]["Parameters"]["HyperParameters.$"] == "$.hyperparameters"
    assert "$string($value)" in states["begin"]["Output"]["hyperparameters"]


@pytest.mark.parametrize("step", JOBS)
def test_a_jobs_name_is_new_for_each_retry_and_redrive_and_short_enough(
    states: dict[str, Any], step: str
) -> None:
    given = states[step]["Parameters"]
    name = given.get("ProcessingJobName.$") or given["TrainingJobName.$"]
    pattern = re.fullmatch(r"States\.Format\('(attune-prod-[a-z]+-\{\}-\{\}-\{\})', (.*)\)", name)
    assert pattern is not None
    assert pattern[2] == "States.Hash($$.Execution.Id, 'MD5'), $$.Execution.RedriveCount, $$.State.RetryCount"
    longest = pattern[1].format("f" * 32, "99", "99")
    assert re.fullmatch(r"[a-zA-Z0-9](-*[a-zA-Z0-9]){0,62}", longest)


@pytest.mark.parametrize("step", JOBS)
def test_nothing_but_the_publish_has_a_network(states: dict[str, Any], step: str) -> None:
    given = states[step]["Parameters"]
    network = given.get("NetworkConfig", given)
    assert network["EnableNetworkIsolation"] is (step != "publish")


@pytest.mark.parametrize("step", JOBS)
def test_whatever_a_job_stores_is_encrypted_under_the_environments_key(
    states: dict[str, Any], step: str
) -> None:
    given = states[step]["Parameters"]
    cluster = given.get("ResourceConfig") or given["ProcessingResources"]["ClusterConfig"]
    output = given.get("OutputDataConfig") or given["ProcessingOutputConfig"]
    assert (cluster["VolumeKmsKeyId"], output["KmsKeyId"]) == ("Key", "Key")


def test_the_key_trusts_sagemaker_where_it_encrypts_volumes(prod: Assembly) -> None:
    policy = prod.one("AWS::KMS::Key").properties["KeyPolicy"]["Statement"]
    (statement,) = [each for each in policy if each["Principal"] == {"AWS": "*"}]
    assert "sagemaker." in str(statement["Condition"]["StringEquals"]["kms:ViaService"])


@pytest.mark.parametrize("step", JOBS)
def test_each_job_has_the_role_of_its_kind(states: dict[str, Any], step: str) -> None:
    kinds = {"prepare": "Preparing", "publish": "Publishing"}
    assert states[step]["Parameters"]["RoleArn"] == f"JobRoles{kinds.get(step, 'Working')}"


@pytest.mark.parametrize("name", OF_A_ROLE)
def test_a_role_may_do_what_its_jobs_need_and_no_more(prod: Assembly, name: str) -> None:
    role = prod.one("AWS::IAM::Role", name)
    allowed = set(prod.allowed(role.stack, role.logical_id))
    logs = {(action, resource) for action, resource in allowed if action.startswith("logs:")}
    assert allowed - logs == OF_EVERY_JOB | OF_A_ROLE[name]
    assert {resource.rpartition("log-group:")[2] for _, resource in logs} == {
        "/aws/sagemaker/ProcessingJobs:*",
        "/aws/sagemaker/TrainingJobs:*",
    }
    assert "sagemaker.amazonaws.com" in str(role.properties["AssumeRolePolicyDocument"])


def test_conditions_narrow_what_has_no_resource(prod: Assembly) -> None:
    statements = [
        statement
        for policy in prod.of_type("AWS::IAM::Policy")
        if "JobRoles" in policy.logical_id
        for statement in policy.properties["PolicyDocument"]["Statement"]
    ]
    listing = [each for each in statements if each["Action"] == "s3:ListBucket"]
    prefixes = {each["Condition"]["StringLike"]["s3:prefix"] for each in listing}
    assert prefixes == {"events/*", "runs/*"}
    for each in statements:
        if each["Action"] == "cloudwatch:PutMetricData":
            assert "cloudwatch:namespace" in each["Condition"]["StringEquals"]


def test_the_state_machine_passes_only_these_roles_and_only_to_sagemaker(prod: Assembly) -> None:
    policy = prod.one("AWS::IAM::Policy", "WorkflowRole").properties["PolicyDocument"]["Statement"]
    (passing,) = [each for each in policy if each["Action"] == "iam:PassRole"]
    assert passing["Condition"] == {"StringEquals": {"iam:PassedToService": "sagemaker.amazonaws.com"}}
    passed = {role["Fn::GetAtt"][0][:-8] for role in passing["Resource"]}
    assert passed == set(OF_A_ROLE)
    jobs = [each for each in policy if "sagemaker:" in str(each["Action"])]
    assert jobs
    for each in jobs:
        assert "-job/attune-prod-*" in str(each["Resource"])


def test_an_image_is_named_by_what_it_is_made_of_and_never_changes(prod: Assembly) -> None:
    repository = prod.one("AWS::ECR::Repository").properties
    assert repository["ImageTagMutability"] == "IMMUTABLE"
    assert repository["ImageScanningConfiguration"] == {"ScanOnPush": True}
    assert "imageCountMoreThan" in repository["LifecyclePolicy"]["LifecyclePolicyText"]
    project = prod.one("AWS::CodeBuild::Project").properties
    variables = {each["Name"]: each["Value"] for each in project["Environment"]["EnvironmentVariables"]}
    tag = variables["IMAGE_TAG"]
    assert re.fullmatch("[0-9a-f]{64}", tag)
    assert prod.one("Custom::JobImage").properties["Tag"] == tag
    assert f"/{tag}.zip" in str(project["Source"]["Location"])
    assert _source(prod).is_dir()


def test_the_build_may_read_its_source_and_push_its_image(prod: Assembly) -> None:
    role = prod.one("AWS::IAM::Role", "JobImageBuildRole")
    allowed = set(prod.allowed(role.stack, role.logical_id))
    assert {resource for action, resource in allowed if action.startswith("ecr:")} == {"repository", "*"}
    assert {action for action, resource in allowed if resource == "*"} == {"ecr:GetAuthorizationToken"}
    (source,) = {resource for action, resource in allowed if action.startswith("s3:")}
    assert source.endswith(".zip")


def test_a_deployment_waits_as_long_as_a_build_may_take(prod: Assembly) -> None:
    build = prod.one("AWS::CodeBuild::Project").properties["TimeoutInMinutes"] * 60
    timeout = prod.lambdas["build_image"].resource.properties["Timeout"]
    waited = int(prod.one("Custom::JobImage").properties["ServiceTimeout"])
    assert build < timeout < waited


def test_the_source_holds_all_that_the_image_copies_and_nothing_else(prod: Assembly) -> None:
    source = _source(prod)
    assert {path.name for path in source.iterdir()} == {"training", "layers", "pyproject.toml", "uv.lock"}
    assert {path.name for path in (source / "layers").iterdir()} == {"personalization"}
    copied = re.findall(r"^COPY (.*) \S+$", _dockerfile(), re.M)
    for path in " ".join(copied).split():
        assert (source / path).exists(), path
    assert (source / prod.one("AWS::CodeBuild::Project").properties["Source"]["BuildSpec"]).exists()
    assert not list(source.rglob("__pycache__"))


def test_the_image_installs_with_the_uv_of_the_lock_file() -> None:
    packages = tomllib.loads((ROOT / "uv.lock").read_text())["package"]
    (locked,) = [package["version"] for package in packages if package["name"] == "uv"]
    assert f"uv=={locked}" in _dockerfile()


def test_what_the_image_installs_runs_its_entry_point(prod: Assembly, tmp_path: Path) -> None:
    """The Dockerfile's own commands, but for Docker: install by the lock file, then run a step that fails."""
    image = tmp_path / "attune"
    shutil.copytree(_source(prod), image)
    (install,) = re.findall(r"uv (sync (?:.*\\\n)*.*)$", _dockerfile(), re.M)
    options = install.replace("\\\n", " ").replace("--no-cache", "").replace("--compile-bytecode", "").split()
    options += ["--python", sys.executable, "--quiet"]
    subprocess.run([find_uv_bin(), *options], cwd=image, check=True, env=_bare())
    variables = {"PYTHONPATH": f"{image}:{image}/layers/personalization/python"}
    command = [image / ".venv" / "bin" / "python", "-m", "training.jobs", "rank", "--root", tmp_path / "ml"]
    ended = subprocess.run(
        [*map(str, command), "--now", "2026-01-15T03:00:00Z"],
        cwd=tmp_path,
        env=_bare() | variables,
        capture_output=True,
        text=True,
        check=False,
    )
    assert ended.returncode == 1
    told = (tmp_path / "ml" / "output" / "failure").read_text()
    assert told == "rank: ModelError: model holds no metadata.json", ended.stderr


def _bare() -> dict[str, str]:
    """The environment without what leads to the environment of the tests."""
    return {name: value for name, value in os.environ.items() if name not in ("VIRTUAL_ENV", "PYTHONPATH")}


def _dockerfile() -> str:
    return (ROOT / "training" / "container" / "Dockerfile").read_text()


def _source(prod: Assembly) -> Path:
    return prod.directory / f"asset.{prod.one('Custom::JobImage').properties['Tag']}"


def _address(source: dict[str, Any]) -> str:
    """The S3 address of a channel; that of a run, `{}`, or of the trained model is known at run time."""
    if "S3Uri" in source:
        return str(source["S3Uri"])
    if source["S3Uri.$"] == "$.train.address":
        return "s3://Models/address/"
    (address,) = re.findall(r"^States\.Format\('(.*)', \$\.run_id\)$", source["S3Uri.$"])
    return str(address)


def _expected(channel: Channel) -> tuple[str, str]:
    return f"s3://{channel.bucket}/{channel.prefix}", f"/opt/ml/{channel.folder}"
