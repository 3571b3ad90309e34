"""Table operations through boto3: life of a table, descriptions, paging, every refusal's sentence."""

import json
import urllib.request
import uuid

import pytest
from botocore.exceptions import ClientError

from conftest import ACCOUNT, wait_for

HASH = {
    "KeySchema": [{"AttributeName": "pk", "KeyType": "HASH"}],
    "AttributeDefinitions": [{"AttributeName": "pk", "AttributeType": "S"}],
}
ON_DEMAND = {**HASH, "BillingMode": "PAY_PER_REQUEST"}
PROVISIONED = {**HASH, "ProvisionedThroughput": {"ReadCapacityUnits": 5, "WriteCapacityUnits": 6}}


def new_name():
    return "tables-" + uuid.uuid4().hex[:12]


@pytest.fixture
def table(client):
    name = new_name()
    client.create_table(TableName=name, **ON_DEMAND)
    yield name
    try:
        client.delete_table(TableName=name)
    except client.exceptions.ResourceNotFoundException:
        pass


def refused(code, call, **arguments):
    with pytest.raises(ClientError) as caught:
        call(**arguments)
    assert caught.value.response["Error"]["Code"] == code, caught.value
    return caught.value.response["Error"]["Message"]


def invalid(call, **arguments):
    return refused("ValidationException", call, **arguments)


def raw(region, operation, body):
    """A request that boto3 would not send: status, exception's name and message."""
    request = urllib.request.Request(
        region.url,
        data=body if isinstance(body, bytes) else json.dumps(body).encode(),
        headers={
            "X-Amz-Target": "DynamoDB_20120810." + operation,
            "Content-Type": "application/x-amz-json-1.0",
            "Authorization": "AWS4-HMAC-SHA256 Credential=test/20261121/us-east-1/dynamodb/aws4_request, "
            "SignedHeaders=host;x-amz-date, Signature=" + "0" * 64,
            "X-Amz-Date": "20261121T000000Z",
        },
    )
    try:
        with urllib.request.urlopen(request, timeout=30) as reply:
            return reply.status, None, json.load(reply)
    except urllib.error.HTTPError as e:
        error = json.load(e)
        return e.code, error["__type"].split("#")[1], error.get("message", error.get("Message"))


# --- the life of a table ---


def test_create_answers_creating_and_describe_active(client):
    name = new_name()
    created = client.create_table(TableName=name, **PROVISIONED)["TableDescription"]
    assert created["TableStatus"] == "CREATING"
    described = client.describe_table(TableName=name)["Table"]
    assert described["TableStatus"] == "ACTIVE"
    assert described["TableId"] == created["TableId"]
    assert described["KeySchema"] == HASH["KeySchema"]
    assert described["AttributeDefinitions"] == HASH["AttributeDefinitions"]
    assert described["ItemCount"] == 0 and described["TableSizeBytes"] == 0
    assert described["TableArn"] == f"arn:aws:dynamodb:us-east-1:{ACCOUNT}:table/{name}"
    units = described["ProvisionedThroughput"]
    assert (units["ReadCapacityUnits"], units["WriteCapacityUnits"], units["NumberOfDecreasesToday"]) == (5, 6, 0)
    assert described["WarmThroughput"] == {"ReadUnitsPerSecond": 5, "WriteUnitsPerSecond": 6, "Status": "ACTIVE"}
    assert described["DeletionProtectionEnabled"] is False
    for absent in ("Replicas", "GlobalTableVersion", "StreamSpecification", "LatestStreamArn", "BillingModeSummary",
                   "GlobalSecondaryIndexes", "SSEDescription"):
        assert absent not in described
    deleted = client.delete_table(TableName=name)["TableDescription"]
    assert deleted["TableStatus"] == "DELETING"
    assert "KeySchema" not in deleted and "CreationDateTime" not in deleted
    assert (
        refused("ResourceNotFoundException", client.describe_table, TableName=name)
        == f"Requested resource not found: Table: {name} not found"
    )


def test_an_on_demand_table_shows_its_mode(client, table):
    described = client.describe_table(TableName=table)["Table"]
    assert described["BillingModeSummary"]["BillingMode"] == "PAY_PER_REQUEST"
    assert "LastUpdateToPayPerRequestDateTime" in described["BillingModeSummary"]
    units = described["ProvisionedThroughput"]
    assert (units["ReadCapacityUnits"], units["WriteCapacityUnits"]) == (0, 0)


def test_items_are_counted_at_once(client, table):
    client.put_item(TableName=table, Item={"pk": {"S": "a"}, "v": {"S": "123"}})
    client.put_item(TableName=table, Item={"pk": {"S": "b"}})
    described = client.describe_table(TableName=table)["Table"]
    assert described["ItemCount"] == 2
    assert described["TableSizeBytes"] == (2 + 1 + 1 + 3) + (2 + 1)
    client.delete_item(TableName=table, Key={"pk": {"S": "a"}})
    assert client.describe_table(TableName=table)["Table"]["ItemCount"] == 1


def test_a_table_can_be_named_by_its_arn(client, table):
    arn = client.describe_table(TableName=table)["Table"]["TableArn"]
    assert client.describe_table(TableName=arn)["Table"]["TableName"] == table
    other = arn.replace("us-east-1", "eu-north-1")
    assert "Invalid AWS region in" in invalid(client.describe_table, TableName=other)


def test_a_name_is_taken_while_its_table_lives(client, table):
    assert refused("ResourceInUseException", client.create_table, TableName=table, **ON_DEMAND) == f"Table already exists: {table}"
    client.put_item(TableName=table, Item={"pk": {"S": "old"}})
    client.delete_table(TableName=table)
    client.create_table(TableName=table, **ON_DEMAND)
    assert client.scan(TableName=table)["Items"] == []


def test_items_of_no_table(client):
    for call, arguments in (
        (client.get_item, {"Key": {"pk": {"S": "a"}}}),
        (client.put_item, {"Item": {"pk": {"S": "a"}}}),
        (client.scan, {}),
    ):
        assert refused("ResourceNotFoundException", call, TableName="no-such-table", **arguments) == "Requested resource not found"
    for call in (client.delete_table, client.describe_table):
        assert (
            refused("ResourceNotFoundException", call, TableName="no-such-table")
            == "Requested resource not found: Table: no-such-table not found"
        )


def test_tables_outlive_the_process(fresh_region):
    client = fresh_region.client()
    client.create_table(TableName="kept", **ON_DEMAND, StreamSpecification={"StreamEnabled": True, "StreamViewType": "OLD_IMAGE"})
    client.create_table(TableName="removed", **ON_DEMAND)
    client.delete_table(TableName="removed")
    client.put_item(TableName="kept", Item={"pk": {"S": "a"}})
    before = client.describe_table(TableName="kept")["Table"]
    assert fresh_region.stop() == 0
    fresh_region.start()
    assert client.describe_table(TableName="kept")["Table"] == before
    assert before["ItemCount"] == 1
    assert client.list_tables()["TableNames"] == ["kept"]
    fresh_region.stop(number=9)
    fresh_region.start()
    assert client.describe_table(TableName="kept")["Table"] == before


# --- listing ---


def test_list_pages_through_all_names(fresh_region):
    client = fresh_region.client()
    names = sorted(f"Table.{i:02}" for i in range(7)) + sorted(f"table-{i}" for i in range(3))
    assert client.list_tables() ["TableNames"] == []
    for name in reversed(names):
        client.create_table(TableName=name, **ON_DEMAND)
    assert client.list_tables()["TableNames"] == names
    assert "LastEvaluatedTableName" not in client.list_tables()
    pages, start = [], {}
    while True:
        page = client.list_tables(Limit=4, **start)
        pages.append(page["TableNames"])
        if "LastEvaluatedTableName" not in page:
            break
        assert page["LastEvaluatedTableName"] == page["TableNames"][-1]
        start = {"ExclusiveStartTableName": page["LastEvaluatedTableName"]}
    assert [len(p) for p in pages] == [4, 4, 2] and sum(pages, []) == names
    assert client.list_tables(ExclusiveStartTableName="Table.99")["TableNames"] == names[7:]


@pytest.mark.parametrize("limit", [0, 101])
def test_list_limit_out_of_range(region, limit):
    status, code, message = raw(region, "ListTables", {"Limit": limit})
    assert (status, code) == (400, "ValidationException")
    assert message.startswith(f"1 validation error detected: Value '{limit}' at 'limit' failed to satisfy constraint: Member must have value")


# --- refusals of CreateTable ---

INVALID = "One or more parameter values were invalid: "


def attributes(*names):
    return [{"AttributeName": n, "AttributeType": "S"} for n in names]


def keys(**types):
    return [{"AttributeName": n, "KeyType": t} for n, t in types.items()]


@pytest.mark.parametrize(
    "body,message",
    [
        ({"BillingMode": "PROVISIONED"}, INVALID + "ReadCapacityUnits and WriteCapacityUnits must both be specified when BillingMode is PROVISIONED"),
        ({}, INVALID + "ReadCapacityUnits and WriteCapacityUnits must both be specified when BillingMode is PROVISIONED"),
        (
            {"BillingMode": "PAY_PER_REQUEST", "ProvisionedThroughput": {"ReadCapacityUnits": 1, "WriteCapacityUnits": 1}},
            INVALID + "Neither ReadCapacityUnits nor WriteCapacityUnits can be specified when BillingMode is PAY_PER_REQUEST",
        ),
        ({"BillingMode": "FREE"}, "1 validation error detected: Value 'FREE' at 'billingMode' failed to satisfy constraint: Member must satisfy enum value set: [PROVISIONED, PAY_PER_REQUEST]"),
        (
            {"ProvisionedThroughput": {"ReadCapacityUnits": 0, "WriteCapacityUnits": -1}},
            "2 validation errors detected: Value '0' at 'provisionedThroughput.readCapacityUnits' failed to satisfy constraint: Member must have value greater than or equal to 1; "
            "Value '-1' at 'provisionedThroughput.writeCapacityUnits' failed to satisfy constraint: Member must have value greater than or equal to 1",
        ),
        ({"BillingMode": "PAY_PER_REQUEST", "KeySchema": keys(pk="RANGE")}, "Invalid KeySchema: The first KeySchemaElement is not a HASH key type"),
        (
            {"BillingMode": "PAY_PER_REQUEST", "KeySchema": keys(pk="HASH", sk="HASH"), "AttributeDefinitions": attributes("pk", "sk")},
            "Invalid KeySchema: The second KeySchemaElement is not a RANGE key type",
        ),
        (
            {"BillingMode": "PAY_PER_REQUEST", "KeySchema": keys(pk="HASH") + keys(pk="RANGE")},
            "Both the Hash Key and the Range Key element in the KeySchema have the same name",
        ),
        ({"BillingMode": "PAY_PER_REQUEST", "KeySchema": keys(other="HASH")}, "Invalid KeySchema: Some index key attribute have no definition"),
        (
            {"BillingMode": "PAY_PER_REQUEST", "AttributeDefinitions": attributes("pk", "unused")},
            INVALID + "Number of attributes in KeySchema does not exactly match number of attributes defined in AttributeDefinitions",
        ),
        ({"BillingMode": "PAY_PER_REQUEST", "AttributeDefinitions": attributes("pk", "pk")}, "Attribute Name is duplicated: pk"),
        (
            {"BillingMode": "PAY_PER_REQUEST", "KeySchema": []},
            "1 validation error detected: Value '[]' at 'keySchema' failed to satisfy constraint: Member must have length greater than or equal to 1",
        ),
        (
            {"BillingMode": "PAY_PER_REQUEST", "AttributeDefinitions": [{"AttributeName": "pk", "AttributeType": "BOOL"}]},
            "1 validation error detected: Value 'BOOL' at 'attributeDefinitions.1.member.attributeType' failed to satisfy constraint: Member must satisfy enum value set: [S, N, B]",
        ),
        ({"BillingMode": "PAY_PER_REQUEST", "StreamSpecification": {"StreamEnabled": True}}, INVALID + "Table is being created with a stream enabled, UpdateViewType is required"),
        (
            {"BillingMode": "PAY_PER_REQUEST", "StreamSpecification": {"StreamEnabled": False, "StreamViewType": "NEW_IMAGE"}},
            INVALID + "Table is being created with a stream disabled, UpdateViewType should not be specified",
        ),
        ({"BillingMode": "PAY_PER_REQUEST", "TableName": "ab"}, "1 validation error detected: Value 'ab' at 'tableName' failed to satisfy constraint: Member must have length greater than or equal to 3"),
        ({"BillingMode": "PAY_PER_REQUEST", "TableName": "a" * 256}, "1 validation error detected: Value '" + "a" * 256 + "' at 'tableName' failed to satisfy constraint: Member must have length less than or equal to 255"),
        (
            {"TableName": "a;", "KeySchema": None, "AttributeDefinitions": None},
            "4 validation errors detected: Value null at 'attributeDefinitions' failed to satisfy constraint: Member must not be null; "
            "Value 'a;' at 'tableName' failed to satisfy constraint: Member must satisfy regular expression pattern: [a-zA-Z0-9_.-]+; "
            "Value 'a;' at 'tableName' failed to satisfy constraint: Member must have length greater than or equal to 3; "
            "Value null at 'keySchema' failed to satisfy constraint: Member must not be null",
        ),
        ({"BillingMode": "PAY_PER_REQUEST", "TableName": "tidemark.mine"}, INVALID + "table names that begin with 'tidemark.' are reserved"),
    ],
)
def test_create_refuses(region, body, message):
    status, code, said = raw(region, "CreateTable", {"TableName": "refused", **HASH, **body})
    assert (status, code, said) == (400, "ValidationException", message)


@pytest.mark.parametrize(
    "member,value",
    [
        ("VectorIndexes", []),
        ("GlobalTableSettingsReplicationMode", "ENABLED"),
    ],
)
def test_what_is_not_built_is_refused_not_ignored(region, client, member, value):
    status, code, message = raw(region, "CreateTable", {"TableName": "refused", **ON_DEMAND, member: value})
    assert (status, code) == (400, "ValidationException")
    assert member in message and "not supported" in message
    assert "refused" not in client.list_tables()["TableNames"]


@pytest.mark.parametrize(
    "body,message",
    [
        ({"TableName": 1}, "NUMBER_VALUE cannot be converted to String"),
        ({"TableName": True}, "TRUE_VALUE cannot be converted to String"),
        ({"TableName": []}, "Unrecognized collection type class java.lang.String"),
        ({"TableName": {}}, "Start of structure or map found where not expected"),
        ({"KeySchema": "pk"}, "Unexpected field type"),
        ({"KeySchema": {}}, "Start of structure or map found where not expected"),
        ({"KeySchema": ["pk"]}, "Unexpected field type"),
        ({"ProvisionedThroughput": {"ReadCapacityUnits": "1"}}, "STRING_VALUE cannot be converted to Long"),
        ({"DeletionProtectionEnabled": "true"}, "Unexpected token received from parser"),
        ({"DeletionProtectionEnabled": 1}, "NUMBER_VALUE cannot be converted to Boolean"),
    ],
)
def test_wrong_json_types(region, body, message):
    assert raw(region, "CreateTable", {"TableName": "refused", **ON_DEMAND, **body}) == (400, "SerializationException", message)


@pytest.mark.parametrize("name", ["a" + "\u00e9" * 400, "a" + "\U0001f600" * 300, "\u0000" * 3, "x" * 5000])
def test_sentences_stay_whole_characters(region, name):
    """What is quoted of a long or strange name is cut, but never inside a character."""
    for operation in ("CreateTable", "DescribeTable", "GetItem"):
        status, code, message = raw(region, operation, {**ON_DEMAND, "Key": {"pk": {"S": "a"}}, "TableName": name})
        assert (status, code) == (400, "ValidationException")
        assert "at 'tableName' failed to satisfy constraint" in message


# --- UpdateTable ---


def test_billing_mode_there_and_back(client, table):
    updated = client.update_table(
        TableName=table, BillingMode="PROVISIONED", ProvisionedThroughput={"ReadCapacityUnits": 3, "WriteCapacityUnits": 4}
    )["TableDescription"]
    assert updated["TableStatus"] == "UPDATING"
    described = client.describe_table(TableName=table)["Table"]
    assert described["TableStatus"] == "ACTIVE"
    assert described["BillingModeSummary"]["BillingMode"] == "PROVISIONED"
    assert described["ProvisionedThroughput"]["WriteCapacityUnits"] == 4
    message = invalid(client.update_table, TableName=table, ProvisionedThroughput={"ReadCapacityUnits": 3, "WriteCapacityUnits": 4})
    assert message.startswith("The provisioned throughput for the table will not change.")
    client.update_table(TableName=table, BillingMode="PAY_PER_REQUEST")
    assert client.describe_table(TableName=table)["Table"]["BillingModeSummary"]["BillingMode"] == "PAY_PER_REQUEST"


def test_stream_settings(client, table):
    on = {"StreamEnabled": True, "StreamViewType": "KEYS_ONLY"}
    updated = client.update_table(TableName=table, StreamSpecification=on)["TableDescription"]
    assert updated["StreamSpecification"] == on
    label = updated["LatestStreamLabel"]
    assert updated["LatestStreamArn"] == f"{updated['TableArn']}/stream/{label}"
    assert invalid(client.update_table, TableName=table, StreamSpecification=on) == f"Table already has an enabled stream: TableName: {table}"
    client.update_table(TableName=table, StreamSpecification={"StreamEnabled": False})
    described = client.describe_table(TableName=table)["Table"]
    assert "StreamSpecification" not in described and described["LatestStreamLabel"] == label
    assert (
        invalid(client.update_table, TableName=table, StreamSpecification={"StreamEnabled": False})
        == f"Table has no stream to disable: TableName: {table}"
    )


def test_deletion_protection(client, table):
    client.update_table(TableName=table, DeletionProtectionEnabled=True)
    assert client.describe_table(TableName=table)["Table"]["DeletionProtectionEnabled"] is True
    assert (
        invalid(client.delete_table, TableName=table)
        == "Resource cannot be deleted as it is currently protected against deletion. Disable deletion protection first."
    )
    client.update_table(TableName=table, DeletionProtectionEnabled=False)
    client.delete_table(TableName=table)


@pytest.mark.parametrize(
    "body,message",
    [
        ({}, "At least one of ProvisionedThroughput, BillingMode, "),
        ({"ReplicaUpdates": [{}]}, "There are no actions specified in the Replica Update Action of the request."),
        (
            {"ReplicaUpdates": [{"Create": {"RegionName": "us-east-1"}}]},
            "Cannot add or delete the local region through ReplicaUpdates. Use CreateTable, DeleteTable, or UpdateTable as required.",
        ),
        (
            {"ReplicaUpdates": [{"Create": {"RegionName": "mars-1"}}]},
            "Region mars-1 is not supported. The latest version of global tables are only supported in the following regions: [us-east-1]",
        ),
        (
            {"ReplicaUpdates": [{"Create": {"RegionName": "a"}}, {"Create": {"RegionName": "b"}}]},
            "Update table operation with more than one create or delete replica actions not allowed",
        ),
        (
            {"ReplicaUpdates": [{"Create": {"RegionName": "a"}}, {"Delete": {"RegionName": "b"}}]},
            "Update table operation with more than one type of replica actions not allowed.",
        ),
        (
            {"ReplicaUpdates": [{"Create": {"RegionName": "a"}}], "BillingMode": "PAY_PER_REQUEST"},
            INVALID + "Requests that modify replicas or witnesses must not also modify other fields",
        ),
        ({"ReplicaUpdates": [{"Update": {"RegionName": "a"}}]}, "There are no actions specified in the Replica Update Action of the request."),
        ({"ReplicaUpdates": [{"Disassociate": {"RegionName": "a"}}]}, INVALID + "Disassociate is not supported"),
        ({"ReplicaUpdates": [{"Create": {"RegionName": "a", "KMSMasterKeyId": "k"}}]}, INVALID + "KMSMasterKeyId is not supported"),
        ({"MultiRegionConsistency": "STRONG"}, INVALID + "MultiRegionConsistency STRONG is not supported"),
        ({"VectorIndexUpdates": []}, INVALID + "VectorIndexUpdates is not supported"),
        ({"BillingMode": "PROVISIONED"}, INVALID + "ProvisionedThroughput must be specified when BillingMode is PROVISIONED"),
        ({"StreamSpecification": {"StreamEnabled": True}}, INVALID + "If stream is being enabled then UpdateViewType is required"),
    ],
)
def test_update_refuses(region, table, body, message):
    status, code, said = raw(region, "UpdateTable", {"TableName": table, **body})
    assert (status, code) == (400, "ValidationException")
    assert said.startswith(message)


# --- the rest ---


def test_the_conflict_log_is_readable_only(client):
    log = "tidemark.conflicts"
    assert client.describe_table(TableName=log)["Table"]["TableStatus"] == "ACTIVE"
    assert log not in client.list_tables()["TableNames"]
    assert client.scan(TableName=log)["Items"] == []
    invalid(client.put_item, TableName=log, Item={"Item": {"S": "a"}, "Version": {"S": "b"}})
    invalid(client.delete_table, TableName=log)
    invalid(client.update_table, TableName=log, BillingMode="PAY_PER_REQUEST")
    invalid(client.create_table, TableName=log, **ON_DEMAND)


def test_global_tables_of_2017_are_retired(client):
    group = [{"RegionName": "us-east-1"}]
    assert "version 2017.11.29 is not supported" in invalid(client.create_global_table, GlobalTableName="old", ReplicationGroup=group)
    assert client.list_global_tables()["GlobalTables"] == []
    for call in (client.describe_global_table, client.describe_global_table_settings, client.update_global_table_settings):
        assert "does not exist" in refused("GlobalTableNotFoundException", call, GlobalTableName="old")


def test_limits_and_endpoints(region, client):
    assert client.describe_limits()["TableMaxReadCapacityUnits"] == 40000
    assert client.describe_endpoints()["Endpoints"][0]["Address"] == f"127.0.0.1:{region.http_port}"




# --- global tables: processes that replicate ---


def replicas(client, name):
    return {r["RegionName"]: r["ReplicaStatus"] for r in client.describe_table(TableName=name)["Table"].get("Replicas", [])}


def exists(client, name):
    try:
        return client.describe_table(TableName=name)["Table"]
    except client.exceptions.ResourceNotFoundException:
        return None


def test_a_replica_comes_lives_and_goes(cluster):
    one, two, three = (r.client() for r in cluster)
    name = new_name()
    wait_for(lambda: one.list_tables() is not None, "the first region answers")
    one.create_table(TableName=name, **ON_DEMAND)
    for i in range(20):
        one.put_item(TableName=name, Item={"pk": {"S": str(i)}})
    # Terraform looks for these words when a replica is gone before it deletes it.
    assert invalid(one.update_table, TableName=name, ReplicaUpdates=[{"Delete": {"RegionName": "eu-west-1"}}]) == (
        "Replica specified in the Replica Update or Replica Delete action of the request was not found."
    )
    updated = one.update_table(TableName=name, ReplicaUpdates=[{"Create": {"RegionName": "eu-west-1"}}])["TableDescription"]
    assert updated["TableStatus"] == "UPDATING"
    wait_for(lambda: replicas(one, name) == {"eu-west-1": "ACTIVE"}, "eu-west-1 ACTIVE")
    assert (
        invalid(one.update_table, TableName=name, ReplicaUpdates=[{"Create": {"RegionName": "eu-west-1"}}])
        == f"Failed to create a the new replica of table with name: ‘{name}’ because one or more replicas already existed as tables."
    )
    assert invalid(one.update_table, TableName=name, ReplicaUpdates=[{"Delete": {"RegionName": "ap-southeast-1"}}]) == (
        "Update global table operation failed because one or more replicas were not part of the global table. "
        "Please retry the request without these replicas: [ap-southeast-1]."
    )
    described = two.describe_table(TableName=name)["Table"]
    assert [r["RegionName"] for r in described["Replicas"]] == ["us-east-1"]
    assert described["GlobalTableVersion"] == "2019.11.21"
    assert described["StreamSpecification"] == {"StreamEnabled": True, "StreamViewType": "NEW_AND_OLD_IMAGES"}
    assert described["TableArn"] == f"arn:aws:dynamodb:eu-west-1:{ACCOUNT}:table/{name}"
    assert "Disabling Stream is not allowed" in invalid(one.update_table, TableName=name, StreamSpecification={"StreamEnabled": False})
    assert two.describe_table(TableName=name)["Table"]["ItemCount"] == 20
    two.put_item(TableName=name, Item={"pk": {"S": "from two"}})
    wait_for(lambda: one.get_item(TableName=name, Key={"pk": {"S": "from two"}}).get("Item"), "a write of the second region in the first")

    # Issued in the second region for the third.
    two.update_table(TableName=name, ReplicaUpdates=[{"Create": {"RegionName": "ap-southeast-1"}}])
    wait_for(lambda: exists(three, name) and replicas(three, name) == {"us-east-1": "ACTIVE", "eu-west-1": "ACTIVE"}, "all see all")
    wait_for(lambda: replicas(one, name) == {"eu-west-1": "ACTIVE", "ap-southeast-1": "ACTIVE"}, "the first sees both")
    wait_for(lambda: len(three.scan(TableName=name)["Items"]) == 21, "all items in the third")

    # DeleteTable in one region removes that replica only.
    two.delete_table(TableName=name)
    wait_for(lambda: exists(two, name) is None, "the second has left")
    wait_for(lambda: replicas(one, name) == {"ap-southeast-1": "ACTIVE"}, "the first has seen it")
    one.update_table(TableName=name, ReplicaUpdates=[{"Delete": {"RegionName": "ap-southeast-1"}}])
    wait_for(lambda: exists(three, name) is None, "the third has left")
    wait_for(lambda: replicas(one, name) == {}, "the first is alone")
    described = one.describe_table(TableName=name)["Table"]
    assert "Replicas" not in described and "GlobalTableVersion" not in described
    assert described["StreamSpecification"]["StreamEnabled"] is True
    assert described["ItemCount"] == 21
    one.delete_table(TableName=name)
    assert exists(one, name) is None


def test_a_taken_name_refuses_the_replica(cluster):
    one, two, _ = (r.client() for r in cluster)
    name = new_name()
    two.create_table(TableName=name, **PROVISIONED)
    one.create_table(TableName=name, **ON_DEMAND)
    one.update_table(TableName=name, ReplicaUpdates=[{"Create": {"RegionName": "eu-west-1"}}])
    wait_for(lambda: replicas(one, name) == {"eu-west-1": "CREATION_FAILED"}, "the refusal shows")
    assert "Replicas" not in two.describe_table(TableName=name)["Table"]
    one.update_table(TableName=name, ReplicaUpdates=[{"Delete": {"RegionName": "eu-west-1"}}])
    wait_for(lambda: replicas(one, name) == {}, "the refused replica is gone")
    two.delete_table(TableName=name)
    one.delete_table(TableName=name)


def test_a_replica_that_was_removed_comes_back(cluster):
    one, two, _ = (r.client() for r in cluster)
    name = new_name()
    one.create_table(TableName=name, **ON_DEMAND)
    for turn in range(2):
        one.put_item(TableName=name, Item={"pk": {"S": f"one {turn}"}})
        one.update_table(TableName=name, ReplicaUpdates=[{"Create": {"RegionName": "eu-west-1"}}])
        wait_for(lambda: replicas(one, name) == {"eu-west-1": "ACTIVE"}, "ACTIVE")
        two.put_item(TableName=name, Item={"pk": {"S": f"two {turn}"}})
        one.update_table(TableName=name, ReplicaUpdates=[{"Delete": {"RegionName": "eu-west-1"}}])
        wait_for(lambda: replicas(one, name) == {} and exists(two, name) is None, "gone")
    # What the leaving region had accepted is not lost with it.
    assert one.describe_table(TableName=name)["Table"]["ItemCount"] == 4
    one.delete_table(TableName=name)
