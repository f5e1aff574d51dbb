"""A bucket for data about people."""

from aws_cdk import Duration, RemovalPolicy
from aws_cdk import aws_kms as kms
from aws_cdk import aws_s3 as s3
from constructs import Construct

from infrastructure.suppressions import acknowledge


class PrivateBucket(s3.Bucket):
    """Encrypted, reached by TLS only, never public."""

    def __init__(
        self,
        scope: Construct,
        construct_id: str,
        *,
        key: kms.IKey | None,
        removal_policy: RemovalPolicy,
        replaced_live: Duration | None = None,
    ) -> None:
        """Define the bucket.

        Parameters
        ----------
        replaced_live
            How long what was overwritten or deleted can be brought back, against a slip; then it is gone for
            good, as a person may ask. Left out, at once.
        """
        super().__init__(
            scope,
            construct_id,
            encryption=s3.BucketEncryption.S3_MANAGED if key is None else s3.BucketEncryption.KMS,
            encryption_key=key,
            bucket_key_enabled=True if key is not None else None,
            block_public_access=s3.BlockPublicAccess.BLOCK_ALL,
            enforce_ssl=True,
            object_ownership=s3.ObjectOwnership.BUCKET_OWNER_ENFORCED,
            removal_policy=removal_policy,
            versioned=replaced_live is not None,
        )
        if replaced_live is not None:
            self.add_lifecycle_rule(
                noncurrent_version_expiration=replaced_live, expired_object_delete_marker=True
            )
        self.add_lifecycle_rule(abort_incomplete_multipart_upload_after=Duration.days(1))
        acknowledge(
            self,
            {
                "AwsSolutions-S1": "Who touches objects is told by CloudTrail data events, which name the "
                "role; access logs would need a third bucket and name it too."
            },
        )
