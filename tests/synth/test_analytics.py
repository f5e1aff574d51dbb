"""The lake as analysts find it: tables over the prefixes that are written, queries that are bounded."""

import re

from infrastructure.queries import questions
from tests.synth.assembly import Assembly, named

PREFIXES = {
    "events": "lake/events/",
    "exposures": "lake/exposures/",
    "experiment_results": "lake/experiments/results/",
}


def location(value: object) -> str:
    return named(value).removeprefix("s3://")


def test_each_table_reads_its_prefix_by_days_that_nobody_registers(assembly: Assembly) -> None:
    tables = {row.properties["TableInput"]["Name"]: row for row in assembly.of_type("AWS::Glue::Table")}
    assert tables.keys() == PREFIXES.keys()
    for name, table in tables.items():
        definition = table.properties["TableInput"]
        parameters = definition["Parameters"]
        assert location(definition["StorageDescriptor"]["Location"]) == PREFIXES[name]
        assert location(parameters["storage.location.template"]) == f"{PREFIXES[name]}date=${{day}}/"
        assert definition["PartitionKeys"] == [{"Name": "day", "Type": "string"}]
        assert parameters["projection.enabled"] == "true"
        assert re.fullmatch(r"\d{4}-01-01,NOW", parameters["projection.day.range"])


def test_a_query_is_stopped_at_its_limit_and_leaves_its_answer_encrypted_where_it_expires(
    assembly: Assembly,
) -> None:
    settings = assembly.one("AWS::Athena::WorkGroup").properties["WorkGroupConfiguration"]
    assert settings["EnforceWorkGroupConfiguration"] is True
    assert settings["BytesScannedCutoffPerQuery"] == 100 * 1024**3
    result = settings["ResultConfiguration"]
    assert location(result["OutputLocation"]) == "lake/athena/"
    encryption = result["EncryptionConfiguration"]["EncryptionOption"]
    assert encryption == ("SSE_KMS" if assembly.environment.customer_managed_key else "SSE_S3")
    rules = assembly.one("AWS::S3::Bucket", "Lake").properties["LifecycleConfiguration"]["Rules"]
    assert [rule["ExpirationInDays"] for rule in rules if rule.get("Prefix") == "athena/"] == [30]


def test_the_usual_questions_are_saved_where_athena_can_save_them(assembly: Assembly) -> None:
    saved = {
        row.properties["Name"]: row.properties["QueryString"]
        for row in assembly.of_type("AWS::Athena::NamedQuery")
    }
    asked = {question.name: question.sql for question in questions()}
    assert saved == (asked if assembly.environment.capabilities.named_queries else {})


def test_environments_share_an_account_without_sharing_tables(dev: Assembly, prod: Assembly) -> None:
    names = [
        assembly.one("AWS::Glue::Database").properties["DatabaseInput"]["Name"] for assembly in (dev, prod)
    ]
    assert names == ["attune_dev", "attune_prod"]
