"""What analysts need: the lake as tables, a workgroup that bounds a query's cost, the usual questions."""

from typing import Final

from aws_cdk import Aws
from aws_cdk import aws_athena as athena
from aws_cdk import aws_glue as glue
from aws_cdk import aws_kms as kms
from aws_cdk import aws_s3 as s3
from constructs import Construct

from infrastructure import queries
from infrastructure.constructs.lake_tables import DailyTable
from infrastructure.lake_schema import EVENTS, EXPOSURES, RESULTS

ANSWERS: Final = "athena/"
"""Where queries leave their answers, in the lake's bucket; they expire there."""
_MOST_SCANNED: Final = 100 * 1024**3
"""Bytes a query may read, $0.50 at $5 a TB: a question that forgets its days is stopped, not billed."""


class Analytics(Construct):
    """A database of the lake, and Athena's way to it.

    Athena demands physical names of databases and workgroups: they carry the environment's.
    """

    def __init__(
        self,
        scope: Construct,
        construct_id: str,
        *,
        name: str,
        lake: s3.IBucket,
        key: kms.IKey | None,
        named_queries: bool,
        fewest: int,
    ) -> None:
        super().__init__(scope, construct_id)
        self.database = glue.CfnDatabase(
            self,
            "Database",
            catalog_id=Aws.ACCOUNT_ID,
            database_input=glue.CfnDatabase.DatabaseInputProperty(
                name=f"attune_{name}", description="Attune's lake: events, exposures, results of experiments"
            ),
        )
        self._tables(lake)
        self.workgroup = self._workgroup(name, lake, key)
        if named_queries:
            self._questions(fewest)

    def _tables(self, lake: s3.IBucket) -> None:
        for name, prefix, columns, description in (
            ("events", "events/", EVENTS, "Every record of the stream, by day of arrival"),
            ("exposures", "exposures/", EXPOSURES, "Every answer of get_recommendations, by its day"),
            ("experiment_results", "experiments/results/", RESULTS, "Each experiment's results, by day"),
        ):
            DailyTable(
                self,
                name.title().replace("_", ""),
                name=name,
                database=self.database,
                bucket=lake,
                prefix=prefix,
                columns=columns,
                description=description,
            )

    def _workgroup(self, name: str, lake: s3.IBucket, key: kms.IKey | None) -> athena.CfnWorkGroup:
        encryption = athena.CfnWorkGroup.EncryptionConfigurationProperty(
            encryption_option="SSE_KMS" if key else "SSE_S3", kms_key=key.key_arn if key else None
        )
        return athena.CfnWorkGroup(
            self,
            "Analysts",
            name=f"attune-{name}",
            description="Questions to Attune's lake",
            recursive_delete_option=True,
            work_group_configuration=athena.CfnWorkGroup.WorkGroupConfigurationProperty(
                enforce_work_group_configuration=True,
                publish_cloud_watch_metrics_enabled=False,
                bytes_scanned_cutoff_per_query=_MOST_SCANNED,
                result_configuration=athena.CfnWorkGroup.ResultConfigurationProperty(
                    output_location=lake.s3_url_for_object(ANSWERS), encryption_configuration=encryption
                ),
            ),
        )

    def _questions(self, fewest: int) -> None:
        for question in queries.questions(fewest):
            named = athena.CfnNamedQuery(
                self,
                question.name,
                name=question.name,
                description=question.description,
                database=self.database.ref,
                work_group=self.workgroup.name,
                query_string=question.sql,
            )
            named.add_dependency(self.workgroup)
