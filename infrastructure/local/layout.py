"""Where the local AWS keeps its files: one folder per port, all under `.local/`, which git ignores."""

from dataclasses import dataclass
from pathlib import Path
from typing import Final

ROOT: Final = Path(__file__).resolve().parents[2]
LOCAL: Final = ROOT / ".local"

EMULATOR_PYTHON: Final = LOCAL / "emulator" / "bin" / "python"
"""Interpreter that holds ministack."""
RUNTIME_PYTHON: Final = LOCAL / "runtime" / "bin" / "python"
"""Interpreter of the Lambdas: boto3 and nothing else."""
OPENMP: Final = LOCAL / "openmp"
"""Folder of `libgomp.so.1`, on machines that have none of their own."""
ASSEMBLY: Final = LOCAL / "cdk.out"
"""Cloud assembly of the environment `local`; kept between runs, for bundled layers are cached in it."""
DEPLOY_LOCK: Final = LOCAL / "deploy.lock"
"""Two deployments at once would write into one cloud assembly."""


@dataclass(frozen=True)
class Layout:
    """Files of the local AWS on one port."""

    port: int

    @property
    def directory(self) -> Path:
        """Everything below goes away with `down`."""
        return LOCAL / "aws" / str(self.port)

    @property
    def record(self) -> Path:
        """Which processes were started."""
        return self.directory / "processes.json"

    @property
    def emulator_log(self) -> Path:
        """Output of ministack, with what the Lambdas printed."""
        return self.directory / "ministack.log"

    @property
    def runner_log(self) -> Path:
        """Output of the runner: metrics forwarded, alarms switched."""
        return self.directory / "runner.log"

    @property
    def deploy_log(self) -> Path:
        """Output of the CDK command line."""
        return self.directory / "deploy.log"

    @property
    def outputs(self) -> Path:
        """Outputs of the stacks, as `cdk deploy --outputs-file` writes them."""
        return self.directory / "outputs.json"

    @property
    def temporary(self) -> Path:
        """Unpacked functions and layers of the running Lambdas."""
        return self.directory / "tmp"
