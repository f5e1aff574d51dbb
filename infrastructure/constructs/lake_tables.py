"""The lake as tables: a partition a day, that nobody has to register."""

from typing import Final

from aws_cdk import aws_glue as glue
from aws_cdk import aws_s3 as s3
from constructs import Construct

from infrastructure.lake_schema import Columns

_FIRST_DAY: Final = "2010-01-01"
"""Imported histories that begin earlier are in the lake, and not in the table."""
_JSON: Final = "org.openx.data.jsonserde.JsonSerDe"


class DailyTable(glue.CfnTable):
    """A table over JSON lines under `<prefix>date=<day>/`, its column `day` read off the key.

    Partition projection: Athena computes the days that a query asks for, so new ones are there at once, and
    no crawler runs (https://docs.aws.amazon.com/athena/latest/ug/partition-projection.html).
    """

    def __init__(
        self,
        scope: Construct,
        construct_id: str,
        *,
        name: str,
        database: glue.CfnDatabase,
        bucket: s3.IBucket,
        prefix: str,
        columns: Columns,
        description: str,
    ) -> None:
        location = bucket.s3_url_for_object(prefix)
        super().__init__(
            scope,
            construct_id,
            catalog_id=database.catalog_id,
            database_name=database.ref,
            table_input=glue.CfnTable.TableInputProperty(
                name=name,
                description=description,
                table_type="EXTERNAL_TABLE",
                partition_keys=[glue.CfnTable.ColumnProperty(name="day", type="string")],
                parameters={
                    "classification": "json",
                    "projection.enabled": "true",
                    "projection.day.type": "date",
                    "projection.day.format": "yyyy-MM-dd",
                    "projection.day.range": f"{_FIRST_DAY},NOW",
                    "projection.day.interval": "1",
                    "projection.day.interval.unit": "DAYS",
                    "storage.location.template": f"{location}date=${{day}}/",
                },
                storage_descriptor=glue.CfnTable.StorageDescriptorProperty(
                    location=location,
                    columns=[
                        glue.CfnTable.ColumnProperty(name=column, type=kind)
                        for column, kind in columns.items()
                    ],
                    input_format="org.apache.hadoop.mapred.TextInputFormat",
                    output_format="org.apache.hadoop.hive.ql.io.HiveIgnoreKeyTextOutputFormat",
                    serde_info=glue.CfnTable.SerdeInfoProperty(
                        serialization_library=_JSON,
                        # A record may be any JSON: one that is no object reads as NULL, and fails no query.
                        parameters={"ignore.malformed.json": "true"},
                    ),
                ),
            ),
        )
