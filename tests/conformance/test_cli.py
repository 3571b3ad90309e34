"""The AWS CLI as anyone has it: the tour that README takes, one command after the other, then errors, pages, files."""

import base64
import json
import os
import pathlib
import subprocess
import sys
import uuid

import pytest

from conftest import wait_for

CLI = pathlib.Path(sys.executable).parent / "aws"


class Cli:
    def __init__(self, region, home):
        self.region = region
        self.environment = {k: v for k, v in os.environ.items() if not k.startswith("AWS_")}
        self.environment |= {
            "HOME": str(home),
            "AWS_ACCESS_KEY_ID": "test",
            "AWS_SECRET_ACCESS_KEY": "test",
            "AWS_DEFAULT_REGION": region.name,
            "AWS_PAGER": "",
        }

    def run(self, operation, *arguments, **options):
        """One command; keywords become options, values that are not text become JSON."""
        command = [str(CLI), "--endpoint-url", self.region.url, "dynamodb", *operation.split(), *arguments]
        for name, value in options.items():
            command.append("--" + name.replace("_", "-"))
            if value is not True:
                command.append(value if isinstance(value, str) else json.dumps(value))
        return subprocess.run(command, env=self.environment, capture_output=True, text=True, timeout=120)

    def __call__(self, operation, *arguments, **options):
        done = self.run(operation, *arguments, **options)
        assert done.returncode == 0, done.stderr
        return json.loads(done.stdout) if done.stdout.strip() else None

    def fails(self, operation, *arguments, **options):
        done = self.run(operation, *arguments, **options)
        assert done.returncode != 0, done.stdout
        return done.stderr


@pytest.fixture(scope="module")
def aws(region, tmp_path_factory):
    if not CLI.exists():
        pytest.skip(f"no AWS CLI at {CLI}")
    return Cli(region, tmp_path_factory.mktemp("home"))


@pytest.fixture(scope="module")
def table(aws):
    name = "cli-" + uuid.uuid4().hex[:8]
    made = aws(
        "create-table",
        "--attribute-definitions", "AttributeName=artist,AttributeType=S", "AttributeName=year,AttributeType=N",
        "--key-schema", "AttributeName=artist,KeyType=HASH", "AttributeName=year,KeyType=RANGE",
        table_name=name,
        billing_mode="PAY_PER_REQUEST",
    )  # fmt: skip
    assert made["TableDescription"]["TableName"] == name
    assert aws("wait table-exists", table_name=name) is None
    yield name
    assert aws("delete-table", table_name=name)["TableDescription"]["TableStatus"] == "DELETING"
    assert aws("wait table-not-exists", table_name=name) is None


def key(artist, year):
    return {"artist": {"S": artist}, "year": {"N": str(year)}}


def test_tables(aws, table):
    assert table in aws("list-tables")["TableNames"]
    described = aws("describe-table", table_name=table)["Table"]
    assert described["TableStatus"] == "ACTIVE"
    assert [k["KeyType"] for k in described["KeySchema"]] == ["HASH", "RANGE"]
    assert aws("describe-limits")["TableMaxReadCapacityUnits"] > 0
    assert "ResourceInUseException" in aws.fails(
        "create-table", "--attribute-definitions", "AttributeName=a,AttributeType=S", "--key-schema", "AttributeName=a,KeyType=HASH",
        table_name=table, billing_mode="PAY_PER_REQUEST",
    )  # fmt: skip


def test_the_tour(aws, table):
    assert aws("put-item", table_name=table, item={**key("cash", 1969), "title": {"S": "At San Quentin \u2014 live"}}) is None
    got = aws("get-item", "--consistent-read", table_name=table, key=key("cash", 1969))
    assert got["Item"]["title"]["S"] == "At San Quentin \u2014 live"
    refused = aws.fails("put-item", table_name=table, item=key("cash", 1969), condition_expression="attribute_not_exists(artist)")
    assert "(ConditionalCheckFailedException)" in refused and "The conditional request failed" in refused
    updated = aws(
        "update-item",
        table_name=table,
        key=key("cash", 1969),
        update_expression="SET plays = if_not_exists(plays, :zero) + :one ADD tags :t",
        condition_expression="attribute_exists(artist)",
        expression_attribute_values={":zero": {"N": "0"}, ":one": {"N": "1"}, ":t": {"SS": ["live"]}},
        return_values="ALL_NEW",
    )
    assert updated["Attributes"]["plays"] == {"N": "1"} and updated["Attributes"]["tags"] == {"SS": ["live"]}
    gone = aws("delete-item", table_name=table, key=key("cash", 1969), return_values="ALL_OLD")
    assert gone["Attributes"]["plays"] == {"N": "1"}
    assert aws("get-item", table_name=table, key=key("cash", 1969)) is None


def test_an_index_is_added_read_and_deleted(aws, table):
    for n in range(5):
        aws("put-item", table_name=table, item={**key("simone", 1950 + n), "label": {"S": f"l{n % 2}"}})
    create = {"IndexName": "by-label", "KeySchema": [{"AttributeName": "label", "KeyType": "HASH"}], "Projection": {"ProjectionType": "KEYS_ONLY"}}
    made = aws(
        "update-table", "--attribute-definitions", "AttributeName=label,AttributeType=S",
        table_name=table, global_secondary_index_updates=[{"Create": create}],
    )  # fmt: skip
    assert made["TableDescription"]["GlobalSecondaryIndexes"][0]["IndexStatus"] == "CREATING"

    def status():
        found = aws("describe-table", table_name=table)["Table"].get("GlobalSecondaryIndexes", [{"IndexStatus": "gone"}])
        return found[0]["IndexStatus"]

    wait_for(lambda: status() == "ACTIVE", "the index is ACTIVE")
    query = {"table_name": table, "index_name": "by-label", "key_condition_expression": "label = :l"}
    found = aws("query", **query, expression_attribute_values={":l": {"S": "l0"}})
    assert sorted(i["year"]["N"] for i in found["Items"]) == ["1950", "1952", "1954"]
    refused = aws.fails("query", "--consistent-read", **query, expression_attribute_values={":l": {"S": "l0"}})
    assert "Consistent reads are not supported on global secondary indexes" in refused
    aws("update-table", table_name=table, global_secondary_index_updates=[{"Delete": {"IndexName": "by-label"}}])
    wait_for(lambda: status() == "gone", "the index is gone")
    for n in range(5):
        aws("delete-item", table_name=table, key=key("simone", 1950 + n))


def test_query_and_scan_with_pages(aws, table, tmp_path):
    for first in (1950, 1975):
        writes = [{"PutRequest": {"Item": {**key("many", year), "even": {"BOOL": year % 2 == 0}}}} for year in range(first, first + 25)]
        path = tmp_path / "writes.json"
        path.write_text(json.dumps({table: writes}))
        assert aws("batch-write-item", request_items=f"file://{path}") == {"UnprocessedItems": {}}
    query = {
        "table_name": table,
        "key_condition_expression": "artist = :a AND #y BETWEEN :from AND :to",
        "expression_attribute_names": {"#y": "year"},
        "expression_attribute_values": {":a": {"S": "many"}, ":from": {"N": "1960"}, ":to": {"N": "1979"}},
    }
    # The CLI follows LastEvaluatedKey itself; --page-size makes it.
    for way in ("--scan-index-forward", "--no-scan-index-forward"):
        found = aws("query", way, page_size="3", **query)
        years = [int(i["year"]["N"]) for i in found["Items"]]
        assert years == sorted(range(1960, 1980), reverse=way.startswith("--no"))
        assert found["Count"] == 20
    assert aws("query", "--no-paginate", limit="5", **query)["LastEvaluatedKey"] == key("many", 1964)
    part = aws("query", max_items="4", **query)
    assert len(part["Items"]) == 4
    assert aws("query", max_items="4", starting_token=part["NextToken"], **query)["Items"][0]["year"]["N"] == "1964"
    scanned = aws("scan", table_name=table, page_size="7", filter_expression="even = :t", expression_attribute_values={":t": {"BOOL": True}})
    assert scanned["Count"] == 25 and scanned["ScannedCount"] >= 50
    segments = [aws("scan", table_name=table, total_segments="3", segment=str(n))["Count"] for n in range(3)]
    assert sum(segments) == aws("scan", table_name=table, select="COUNT")["Count"]
    text = aws.run("scan", "--output", "text", "--query", "Items[?year.N=='1950'].artist.S", table_name=table)
    assert text.stdout.strip() == "many"
    got = aws("batch-get-item", request_items={table: {"Keys": [key("many", 1950), key("many", 1), key("many", 1999)], "ProjectionExpression": "artist"}})
    assert got["Responses"][table] == [{"artist": {"S": "many"}}] * 2 and got["UnprocessedKeys"] == {}


def test_transactions(aws, table):
    one, two = ({"Put": {"TableName": table, "Item": {**key("transact", n), "n": {"N": str(n)}}}} for n in (1, 2))
    hash_name = aws("describe-table", table_name=table)["Table"]["KeySchema"][0]["AttributeName"]
    for action in (one, two):
        action["Put"]["ConditionExpression"] = f"attribute_not_exists({hash_name})"
    used = aws("transact-write-items", transact_items=[one, two], client_request_token="cli", return_consumed_capacity="TOTAL")["ConsumedCapacity"]
    assert used == [{"TableName": table, "CapacityUnits": 4.0, "WriteCapacityUnits": 4.0}]
    assert aws("transact-write-items", transact_items=[one, two], client_request_token="cli") in (None, {})
    assert "[ConditionalCheckFailed, ConditionalCheckFailed]" in aws.fails("transact-write-items", transact_items=[one, two])
    assert "IdempotentParameterMismatchException" in aws.fails("transact-write-items", transact_items=[one], client_request_token="cli")
    got = aws("transact-get-items", transact_items=[{"Get": {"TableName": table, "Key": key("transact", n)}} for n in (2, 3)])["Responses"]
    assert got == [{"Item": two["Put"]["Item"]}, {}]


def test_binary_and_shorthand(aws, table, tmp_path):
    raw = bytes(range(256))
    (tmp_path / "raw").write_bytes(raw)
    aws(
        "update-item",
        "--key", "artist={S=bin},year={N=1}",
        "--update-expression", "SET b = :b",
        "--expression-attribute-values", f":b={{B@=fileb://{tmp_path}/raw}}",
        table_name=table,
    )  # fmt: skip
    assert base64.b64decode(aws("get-item", table_name=table, key=key("bin", 1))["Item"]["b"]["B"]) == raw


def test_errors_are_named(aws, table):
    assert "(ResourceNotFoundException) when calling the GetItem operation: Requested resource not found" in aws.fails(
        "get-item", table_name="cli-none", key={"a": {"S": "a"}}
    )
    assert "(ValidationException) when calling the GetItem operation: The provided key element does not match the schema" in aws.fails(
        "get-item", table_name=table, key={"artist": {"S": "a"}}
    )
    assert "reserved keyword; reserved keyword: year" in aws.fails("get-item", table_name=table, key=key("a", 1), projection_expression="year")
    assert "not supported" in aws.fails("list-backups")


def test_settings(aws, table):
    assert aws("update-table", "--stream-specification", "StreamEnabled=true,StreamViewType=NEW_IMAGE", table_name=table)
    assert aws("describe-table", table_name=table)["Table"]["StreamSpecification"] == {"StreamEnabled": True, "StreamViewType": "NEW_IMAGE"}
    aws("update-table", "--stream-specification", "StreamEnabled=false", table_name=table)
    aws("update-table", "--deletion-protection-enabled", table_name=table)
    assert "(ValidationException)" in aws.fails("delete-table", table_name=table)
    aws("update-table", "--no-deletion-protection-enabled", table_name=table)


def test_settings_of_a_table(aws, table):
    arn = aws("describe-table", table_name=table)["Table"]["TableArn"]
    assert aws("tag-resource", resource_arn=arn, tags="Key=team,Value=music") is None
    assert aws("list-tags-of-resource", resource_arn=arn)["Tags"] == [{"Key": "team", "Value": "music"}]
    assert aws("untag-resource", resource_arn=arn, tag_keys="team") is None
    assert aws("list-tags-of-resource", resource_arn=arn)["Tags"] == []
    aws("update-time-to-live", table_name=table, time_to_live_specification="Enabled=true,AttributeName=expires")
    assert aws("describe-time-to-live", table_name=table)["TimeToLiveDescription"]["TimeToLiveStatus"] == "ENABLED"
    aws("update-time-to-live", table_name=table, time_to_live_specification="Enabled=false,AttributeName=expires")
    policy = {"Version": "2012-10-17", "Statement": [{"Effect": "Deny", "Principal": "*", "Action": "dynamodb:DeleteTable", "Resource": arn}]}
    revision = aws("put-resource-policy", resource_arn=arn, policy=json.dumps(policy))["RevisionId"]
    got = aws("get-resource-policy", resource_arn=arn)
    assert json.loads(got["Policy"]) == policy and got["RevisionId"] == revision
    assert aws("delete-resource-policy", resource_arn=arn)["RevisionId"] == revision
    assert "PolicyNotFoundException" in aws.fails("get-resource-policy", resource_arn=arn)
