"""What can go wrong around the local AWS; every message says what to do next.

LocalAwsError
├── PortTakenError      somebody else listens on the port
├── NotRunningError     nothing of ours runs on the port
├── StartError          ministack did not come up
├── DeployError         the CDK command line failed
└── MetricMathError     an alarm uses an expression the local runner can't evaluate
"""


class LocalAwsError(Exception):
    """Base of all errors of the local AWS."""


class PortTakenError(LocalAwsError):
    """Somebody else listens on the port."""


class NotRunningError(LocalAwsError):
    """Nothing of ours runs on the port."""


class StartError(LocalAwsError):
    """The local AWS did not come up."""


class DeployError(LocalAwsError):
    """The CDK command line failed."""


class MetricMathError(LocalAwsError):
    """An alarm uses an expression, or a function in it, that the local runner can't evaluate."""
