"""Settings of tables by operations of their own: tags, time to live, resource policies. The sentences are AWS's."""

import json
import time
import uuid

import pytest

from conftest import ACCOUNT, wait_for
from test_tables import ON_DEMAND, PROVISIONED, invalid, new_name, raw, refused, table  # noqa: F401 (a fixture)


def arn_of(client, name):
    return client.describe_table(TableName=name)["Table"]["TableArn"]


def tags_of(client, arn):
    return {t["Key"]: t["Value"] for t in client.list_tags_of_resource(ResourceArn=arn)["Tags"]}


# --- tags ---


def test_tags_are_put_replaced_and_removed(client, table):
    arn = arn_of(client, table)
    assert client.list_tags_of_resource(ResourceArn=arn)["Tags"] == []
    client.tag_resource(ResourceArn=arn, Tags=[{"Key": "b", "Value": "1"}, {"Key": "a", "Value": ""}])
    client.tag_resource(ResourceArn=arn, Tags=[{"Key": "b", "Value": "2"}, {"Key": "ключ表 +-=._:/@", "Value": "café"}])
    assert tags_of(client, arn) == {"a": "", "b": "2", "ключ表 +-=._:/@": "café"}
    client.untag_resource(ResourceArn=arn, TagKeys=["a", "not there"])
    assert tags_of(client, arn) == {"b": "2", "ключ表 +-=._:/@": "café"}


def test_create_table_with_tags(client):
    name = new_name()
    client.create_table(TableName=name, Tags=[{"Key": "team", "Value": "x"}], **ON_DEMAND)
    assert tags_of(client, arn_of(client, name)) == {"team": "x"}
    client.delete_table(TableName=name)
    client.create_table(TableName=name, Tags=[], **ON_DEMAND)
    assert tags_of(client, arn_of(client, name)) == {}
    client.delete_table(TableName=name)


@pytest.mark.parametrize(
    "tags, sentence",
    [
        ([], "Atleast one Tag needs to be provided as Input."),
        ([{"Key": "k" * 129, "Value": ""}], "The Tag Key provided is invalid, Key: " + "k" * 129),
        ([{"Key": "k", "Value": "v" * 257}], "The Tag Value provided is invalid, Value: " + "v" * 257),
        ([{"Key": "", "Value": ""}], "The Tag Key provided is invalid, Key: "),
        ([{}], "The Tag Key provided is invalid, Key: null"),
        ([{"Key": "k"}], "The Tag Value provided is invalid, Value: null"),
        ([{"Key": "aws:k", "Value": ""}], "Tag Key cannot be prefixed with aws:, Key: aws:k"),
        ([{"Key": "dup", "Value": "1"}, {"Key": "dup", "Value": "2"}], "Duplicate Tag Keys provided as input: Duplicate Tag Key found dup"),
        ([{"Key": "a,b", "Value": ""}], "The Tag Key provided is invalid, Key: a,b"),
        ([{"Key": "k", "Value": "100%"}], "The Tag Value provided is invalid, Value: 100%"),
        ([{"Key": "k", "Value": "🔑"}], "The Tag Value provided is invalid, Value: 🔑"),
        ([{"Key": f"k{i}", "Value": ""} for i in range(51)], "Number of Tags exceed the current limit for the provided ResourceArn"),
    ],
)
def test_wrong_tags_are_refused_all_or_nothing(client, table, tags, sentence):
    arn = arn_of(client, table)
    good = [{"Key": "good", "Value": "1"}]
    assert invalid(client.tag_resource, ResourceArn=arn, Tags=good + tags if tags else tags) == sentence
    assert tags_of(client, arn) == {}
    if tags:
        name = new_name()
        assert invalid(client.create_table, TableName=name, Tags=tags, **ON_DEMAND) == sentence
        refused("ResourceNotFoundException", client.describe_table, TableName=name)


def test_a_table_has_fifty_tags(client, table):
    arn = arn_of(client, table)
    client.tag_resource(ResourceArn=arn, Tags=[{"Key": "k" * 126 + f"{i:02}", "Value": "v" * 256} for i in range(50)])
    assert len(tags_of(client, arn)) == 50
    assert "Number of Tags exceed" in invalid(client.tag_resource, ResourceArn=arn, Tags=[{"Key": "one more", "Value": ""}])
    client.tag_resource(ResourceArn=arn, Tags=[{"Key": "k" * 126 + "07", "Value": "replaced"}])
    assert tags_of(client, arn)["k" * 126 + "07"] == "replaced"


def test_wrong_tag_keys(client, table):
    arn = arn_of(client, table)
    assert invalid(client.untag_resource, ResourceArn=arn, TagKeys=[]) == "Atleast one Tag Key needs to be provided as Input."
    assert invalid(client.untag_resource, ResourceArn=arn, TagKeys=[""]) == "The Tag Key provided is invalid, Key: "
    assert "Number of Tags exceed" in invalid(client.untag_resource, ResourceArn=arn, TagKeys=[f"k{i}" for i in range(51)])


PREFIX = "One or more parameter values were invalid: "


def test_arns_of_tags(client, table):
    arn = arn_of(client, table)
    call = client.list_tags_of_resource
    assert invalid(call, ResourceArn=table) == f"{PREFIX}ARNs must start with 'arn:': {table}"
    other = arn.replace("us-east-1", "eu-north-1")
    assert invalid(call, ResourceArn=other) == f"Invalid TableArn: Invalid ResourceArn provided as input {other}"
    assert (
        invalid(call, ResourceArn=arn + "/index/x")
        == f"{PREFIX}Invalid resource arn provided, only table or stream is accepted. Provided resource arn: {arn}/index/x"
    )
    for wrong in ("arn:aws:s3:::bucket", arn + "/backup/0170", arn.replace("table/", "export/")):
        assert invalid(call, ResourceArn=wrong) == f"{PREFIX}Provided Arn is not a DynamoDB resource arn: {wrong}"
    for call, more in (
        (client.list_tags_of_resource, {}),
        (client.tag_resource, {"Tags": [{"Key": "a", "Value": "b"}]}),
        (client.untag_resource, {"TagKeys": ["a"]}),
    ):
        missing = arn + "-missing"
        assert (
            refused("ResourceNotFoundException", call, ResourceArn=missing, **more)
            == f"Requested resource not found: ResourceArn: {missing} not found"
        )


def test_settings_survive_a_restart(fresh_region):
    client = fresh_region.client()
    name = new_name()
    client.create_table(TableName=name, Tags=[{"Key": "a", "Value": "1"}], **ON_DEMAND)
    arn = arn_of(client, name)
    client.update_time_to_live(TableName=name, TimeToLiveSpecification={"Enabled": True, "AttributeName": "ttl"})
    fresh_region.stop()
    fresh_region.start()
    client = fresh_region.client()
    assert tags_of(client, arn) == {"a": "1"}
    assert client.describe_time_to_live(TableName=name)["TimeToLiveDescription"] == {"TimeToLiveStatus": "ENABLED", "AttributeName": "ttl"}
    client.delete_table(TableName=name)
    client.create_table(TableName=name, **ON_DEMAND)
    assert tags_of(client, arn) == {}
    assert client.describe_time_to_live(TableName=name)["TimeToLiveDescription"] == {"TimeToLiveStatus": "DISABLED"}


# --- time to live ---


def ttl(on, name):
    return {"TimeToLiveSpecification": {"Enabled": on, "AttributeName": name}}


def test_time_to_live_is_turned_on_and_off(client, table):
    call = client.update_time_to_live
    shown = lambda: client.describe_time_to_live(TableName=table)["TimeToLiveDescription"]
    assert shown() == {"TimeToLiveStatus": "DISABLED"}
    assert invalid(call, TableName=table, **ttl(False, "x")) == "TimeToLive is already disabled"
    assert call(TableName=table, **ttl(True, "pk"))["TimeToLiveSpecification"] == {"Enabled": True, "AttributeName": "pk"}
    assert shown() == {"TimeToLiveStatus": "ENABLED", "AttributeName": "pk"}
    assert invalid(call, TableName=table, **ttl(True, "pk")) == "TimeToLive is already enabled"
    for on in (True, False):
        assert (
            invalid(call, TableName=table, **ttl(on, "y"))
            == "TimeToLive is active on a different AttributeName: current AttributeName is pk"
        )
    call(TableName=table, **ttl(False, "pk"))
    assert shown() == {"TimeToLiveStatus": "DISABLED"}


def test_wrong_time_to_live(client, region, table):
    length = "1 validation error detected: Value '{}' at 'timeToLiveSpecification.attributeName' failed to satisfy constraint: Member must have length {} than or equal to {}"
    assert invalid(client.update_time_to_live, TableName=table, **ttl(True, "")) == length.format("", "greater", 1)
    assert invalid(client.update_time_to_live, TableName=table, **ttl(True, "x" * 256)) == length.format("x" * 256, "less", 255)
    null = "Value null at 'timeToLiveSpecification{}' failed to satisfy constraint: Member must not be null"
    assert null.format("") in raw(region, "UpdateTimeToLive", {"TableName": table})[2]
    message = raw(region, "UpdateTimeToLive", {"TableName": table, "TimeToLiveSpecification": {}})[2]
    assert null.format(".enabled") in message and null.format(".attributeName") in message
    for call, more in ((client.describe_time_to_live, {}), (client.update_time_to_live, ttl(True, "x"))):
        assert (
            refused("ResourceNotFoundException", call, TableName="no-such-table", **more)
            == "Requested resource not found: Table: no-such-table not found"
        )


def items_of(client, name):
    return {i["pk"]["S"] for p in client.get_paginator("scan").paginate(TableName=name) for i in p["Items"]}


def test_items_expire(client, table):
    now = int(time.time())
    number = lambda n: {"N": str(n)}
    items = {
        "past": number(now - 10),
        "fraction": number(f"{now - 10}.5"),
        "long ago": number(now - 4 * 365 * 86400),
        "too long ago": number(now - 5 * 365 * 86400 - 86400),
        "future": number(now + 3600),
        "milliseconds": number(now * 1000),
        "string": {"S": str(now - 10)},
        "set": {"NS": [str(now - 10)]},
        "inside": {"M": {"ttl": number(now - 10)}},
        "zero": number(0),
    }
    for key, value in items.items():
        client.put_item(TableName=table, Item={"pk": {"S": key}, "a": {"L": [{"M": {"ttl": number(1)}}]}, "ttl": value})
    client.put_item(TableName=table, Item={"pk": {"S": "without"}, "zz": number(now - 10)})
    client.update_time_to_live(TableName=table, **ttl(True, "ttl"))
    stay = {"too long ago", "future", "milliseconds", "string", "set", "inside", "zero", "without"}
    wait_for(lambda: items_of(client, table) == stay, "the expired items are gone")
    assert client.describe_table(TableName=table)["Table"]["ItemCount"] == len(stay)


def test_an_item_expires_when_its_time_has_come_and_not_when_it_is_off(client, table):
    client.update_time_to_live(TableName=table, **ttl(True, "ttl"))
    client.put_item(TableName=table, Item={"pk": {"S": "soon"}, "ttl": {"N": str(int(time.time()) + 2)}})
    client.put_item(TableName=table, Item={"pk": {"S": "later"}, "ttl": {"N": str(int(time.time()) + 3600)}})
    assert items_of(client, table) == {"soon", "later"}
    wait_for(lambda: items_of(client, table) == {"later"}, "the item is gone")
    client.update_time_to_live(TableName=table, **ttl(False, "ttl"))
    client.put_item(TableName=table, Item={"pk": {"S": "kept"}, "ttl": {"N": "1700000000"}})
    other = new_name()
    client.create_table(TableName=other, **ON_DEMAND)
    client.update_time_to_live(TableName=other, **ttl(True, "ttl"))
    client.put_item(TableName=other, Item={"pk": {"S": "goes"}, "ttl": {"N": str(int(time.time()) - 1)}})
    # The round that takes this one has passed the other table.
    wait_for(lambda: items_of(client, other) == set(), "the item of the other table is gone")
    assert items_of(client, table) == {"later", "kept"}
    client.delete_table(TableName=other)


# --- global tables ---


def shown_replicas(client, name):
    return {r["RegionName"]: r["ReplicaStatus"] for r in client.describe_table(TableName=name)["Table"].get("Replicas", [])}


def global_table(clients, name, **more):
    """A table with a replica in each region; `more` is said when it is created."""
    clients[0].create_table(TableName=name, **{**ON_DEMAND, **more})
    for client in clients[1:]:
        region = client.meta.region_name
        clients[0].update_table(TableName=name, ReplicaUpdates=[{"Create": {"RegionName": region}}])
        wait_for(lambda: shown_replicas(clients[0], name).get(region) == "ACTIVE", f"the replica in {region}")
    for client in clients:
        wait_for(lambda: client.describe_table(TableName=name)["Table"]["TableStatus"] == "ACTIVE", "all replicas are active")
    return name


def test_time_to_live_is_the_whole_tables_and_tags_are_each_replicas_own(cluster):
    clients = [r.client() for r in cluster]
    name = global_table(clients, new_name(), Tags=[{"Key": "where", "Value": "first"}])
    arns = [arn_of(c, name) for c in clients]
    clients[1].tag_resource(ResourceArn=arns[1], Tags=[{"Key": "where", "Value": "second"}])
    assert [tags_of(c, a) for c, a in zip(clients, arns)] == [{"where": "first"}, {"where": "second"}, {}]
    clients[1].update_time_to_live(TableName=name, **ttl(True, "ttl"))
    for client in clients:
        wait_for(
            lambda: client.describe_time_to_live(TableName=name)["TimeToLiveDescription"] == {"TimeToLiveStatus": "ENABLED", "AttributeName": "ttl"},
            "time to live is on everywhere",
        )
    past = {"N": str(int(time.time()) - 5)}
    for i, client in enumerate(clients):
        client.put_item(TableName=name, Item={"pk": {"S": f"from {i}"}, "ttl": past})
        client.put_item(TableName=name, Item={"pk": {"S": f"kept {i}"}})
    kept = {f"kept {i}" for i in range(len(clients))}
    for client in clients:
        wait_for(lambda: items_of(client, name) == kept, "what expired is gone everywhere")
    for client in clients:
        log = client.scan(TableName="tidemark.conflicts")["Items"]
        assert [i for i in log if i["Table"]["S"] == name] == []


# --- resource policies ---


def statement(**more):
    return {
        "Effect": "Allow",
        "Principal": {"AWS": f"arn:aws:iam::{ACCOUNT}:user/x"},
        "Action": "dynamodb:GetItem",
        "Resource": "*",
        **more,
    }


def policy(*statements, **more):
    return json.dumps({"Version": "2012-10-17", "Statement": list(statements or (statement(),)), **more})


NO_POLICY = "Resource-based policy not found for the provided ResourceArn: "


def test_a_policy_is_kept_given_back_and_deleted(client, table):
    arn = arn_of(client, table)
    assert refused("PolicyNotFoundException", client.get_resource_policy, ResourceArn=arn) == NO_POLICY + arn
    assert "RevisionId" not in client.delete_resource_policy(ResourceArn=arn)
    revision = client.put_resource_policy(ResourceArn=arn, Policy=policy())["RevisionId"]
    got = client.get_resource_policy(ResourceArn=arn)
    assert got["RevisionId"] == revision and json.loads(got["Policy"]) == json.loads(policy())
    # The same in other words is no change.
    same = json.dumps(
        {"Statement": statement(Action=["dynamodb:GetItem"], Resource=["*"]), "Version": "2012-10-17"}, indent=4
    )
    assert client.put_resource_policy(ResourceArn=arn, Policy=same)["RevisionId"] == revision
    changed = client.put_resource_policy(ResourceArn=arn, Policy=policy(statement(Action="dynamodb:Query")))["RevisionId"]
    assert int(changed) > int(revision)
    for call, more in ((client.put_resource_policy, {"Policy": policy()}), (client.delete_resource_policy, {})):
        message = refused("PolicyNotFoundException", call, ResourceArn=arn, ExpectedRevisionId=revision, **more)
        assert message.startswith(f"{NO_POLICY}Requested update for policy with revision id {revision}, but the policy associated to target table {table}")
    assert client.delete_resource_policy(ResourceArn=arn, ExpectedRevisionId=changed)["RevisionId"] == changed
    refused("PolicyNotFoundException", client.get_resource_policy, ResourceArn=arn)
    again = client.put_resource_policy(ResourceArn=arn, Policy=policy(), ExpectedRevisionId="NO_POLICY")["RevisionId"]
    assert int(again) > int(changed)
    refused("PolicyNotFoundException", client.put_resource_policy, ResourceArn=arn, Policy=same, ExpectedRevisionId="NO_POLICY")


def test_create_table_with_a_policy(client):
    name = new_name()
    arn = client.create_table(TableName=name, ResourcePolicy=policy(), **ON_DEMAND)["TableDescription"]["TableArn"]
    assert json.loads(client.get_resource_policy(ResourceArn=arn)["Policy"]) == json.loads(policy())
    client.delete_table(TableName=name)
    assert "invalid Json" in invalid(client.create_table, TableName=name, ResourcePolicy="{", **ON_DEMAND)
    missing = f"Requested resource not found: Table: {name} not found"
    for call, more in ((client.get_resource_policy, {}), (client.delete_resource_policy, {}), (client.put_resource_policy, {"Policy": policy()})):
        assert refused("ResourceNotFoundException", call, ResourceArn=arn, **more) == missing


@pytest.mark.parametrize(
    "text,sentence",
    [
        ("{not json", "This policy contains invalid Json"),
        ("", "This policy contains invalid Json"),
        ("[]", "This policy contains invalid Json"),
        ("null", "This text appears not to be a policy"),
        ("{}", "Syntax error at position (1,3)"),
        ('{"Statement": []}', "Could not parse the policy: Statement is empty!"),
        ('{"Statement": [{}]}', "Missing required field Effect"),
        (json.dumps({"Statement": [{k: v for k, v in statement().items() if k != "Resource"}]}), "Missing required field Resource"),
        (policy(statement(Sid="a"), statement(Sid="a")), "The Statement Ids in the policy are not unique"),
    ],
)
def test_wrong_policies(client, table, text, sentence):
    arn = arn_of(client, table)
    assert invalid(client.put_resource_policy, ResourceArn=arn, Policy=text) == f"{PREFIX}Invalid policy document: {sentence}"


def test_the_size_of_a_policy_and_its_arn(client, table):
    arn = arn_of(client, table)
    text = policy()
    client.put_resource_policy(ResourceArn=arn, Policy=text + " " * (20480 - len(text)))
    assert invalid(client.put_resource_policy, ResourceArn=arn, Policy=text + " " * (20481 - len(text))) == f"{PREFIX}Maximum policy size of 20480 bytes exceeded"
    get = client.get_resource_policy
    assert invalid(get, ResourceArn=table) == f"{PREFIX}ARNs must start with 'arn:': {table}"
    for other in (arn.replace("us-east-1", "eu-west-1"), arn.replace("arn:aws:", "arn:aws-cn:")):
        assert invalid(get, ResourceArn=other) == f"{PREFIX}Invalid resource Arn: {other}"
    assert (
        invalid(get, ResourceArn=arn.replace(ACCOUNT, "999999999999"))
        == "This action is only supported by accounts that match the resource owner’s account."
    )
    assert (
        refused("ResourceNotFoundException", get, ResourceArn=arn + "/stream/2000-01-01T00:00:00.000")
        == f"Requested resource not found: Stream: 2000-01-01T00:00:00.000 not found for Table: {table}"
    )


# --- settings of CreateTable and UpdateTable ---


def shown(client, name):
    return client.describe_table(TableName=name)["Table"]


def test_table_class(client, table):
    assert "TableClassSummary" not in shown(client, table)
    client.update_table(TableName=table, TableClass="STANDARD")
    assert "TableClassSummary" not in shown(client, table)
    client.update_table(TableName=table, TableClass="STANDARD_INFREQUENT_ACCESS")
    summary = shown(client, table)["TableClassSummary"]
    assert summary["TableClass"] == "STANDARD_INFREQUENT_ACCESS" and "LastUpdateDateTime" in summary
    wrong = "Invalid table-class parameter provided. Please try again with a valid table-class value: [STANDARD, STANDARD_INFREQUENT_ACCESS]."
    assert invalid(client.update_table, TableName=table, TableClass="BAD") == wrong
    name = new_name()
    assert invalid(client.create_table, TableName=name, TableClass="BAD", **ON_DEMAND) == wrong
    client.create_table(TableName=name, TableClass="STANDARD_INFREQUENT_ACCESS", **ON_DEMAND)
    assert shown(client, name)["TableClassSummary"] == {"TableClass": "STANDARD_INFREQUENT_ACCESS"}
    client.delete_table(TableName=name)


def test_encryption_is_described_and_only_the_default_key_is_known(client, table):
    call = client.update_table
    assert "SSEDescription" not in shown(client, table)
    assert invalid(call, TableName=table, SSESpecification={"Enabled": False}) == PREFIX + "Table is already encrypted by default"
    call(TableName=table, SSESpecification={"Enabled": True})
    description = shown(client, table)["SSEDescription"]
    assert description["Status"] == "ENABLED" and description["SSEType"] == "KMS"
    key = description["KMSMasterKeyArn"]
    assert key.startswith(f"arn:aws:kms:us-east-1:{ACCOUNT}:key/")
    assert "already encrypted with given KMSMasterKeyId" in invalid(call, TableName=table, SSESpecification={"Enabled": True})
    call(TableName=table, SSESpecification={"Enabled": False})
    assert "SSEDescription" not in shown(client, table)
    for known in ("alias/aws/dynamodb", key, key.rsplit("/", 1)[1]):
        call(TableName=table, SSESpecification={"Enabled": True, "SSEType": "KMS", "KMSMasterKeyId": known})
        call(TableName=table, SSESpecification={"Enabled": False})
    kms = "KMS validation error: com.amazonaws.services.kms.model.NotFoundException: "
    for unknown, sentence in (
        ("alias/mine", f"Alias arn:aws:kms:us-east-1:{ACCOUNT}:alias/mine is not found."),
        ("mine", f"Key 'arn:aws:kms:us-east-1:{ACCOUNT}:key/mine' does not exist"),
        (key + "0", f"Key '{key}0' does not exist"),
    ):
        for operation, more in ((call, {"TableName": table}), (client.create_table, {"TableName": new_name(), **ON_DEMAND})):
            assert invalid(operation, SSESpecification={"Enabled": True, "SSEType": "KMS", "KMSMasterKeyId": unknown}, **more) == kms + sentence
    for wrong, sentence in (
        ({"Enabled": False, "SSEType": "KMS"}, "SSEType can not be specified if Enabled is false"),
        ({"Enabled": False, "KMSMasterKeyId": "x"}, "KMSMasterKeyId can not be specified if Enabled is false"),
        ({"Enabled": True, "SSEType": "AES256"}, "SSEType AES256 is not supported"),
        ({"Enabled": True, "KMSMasterKeyId": "x"}, "SSEType KMS is required if KMSMasterKeyId is specified"),
    ):
        assert invalid(client.create_table, TableName=new_name(), SSESpecification=wrong, **ON_DEMAND) == PREFIX + sentence


def test_maximums_of_an_on_demand_table(client, table):
    call = client.update_table
    maximum = lambda: shown(client, table).get("OnDemandThroughput")
    assert maximum() is None
    call(TableName=table, OnDemandThroughput={"MaxReadRequestUnits": 1000, "MaxWriteRequestUnits": 500})
    call(TableName=table, OnDemandThroughput={"MaxReadRequestUnits": 2000})
    assert maximum() == {"MaxReadRequestUnits": 2000, "MaxWriteRequestUnits": 500}
    call(TableName=table, OnDemandThroughput={"MaxReadRequestUnits": -1})
    assert maximum() == {"MaxWriteRequestUnits": 500}
    for wrong in (0, -2):
        assert (
            invalid(call, TableName=table, OnDemandThroughput={"MaxWriteRequestUnits": wrong})
            == f"{PREFIX}Requested MaxWriteRequestUnits for OnDemandThroughput for table is outside of valid range"
        )
    call(TableName=table, BillingMode="PROVISIONED", ProvisionedThroughput={"ReadCapacityUnits": 5, "WriteCapacityUnits": 5})
    assert maximum() is None
    provisioned = f"{PREFIX}MaxReadRequestUnits for OnDemandThroughput cannot be specified when the table BillingMode is PROVISIONED"
    assert invalid(call, TableName=table, OnDemandThroughput={"MaxReadRequestUnits": 1}) == provisioned
    assert invalid(client.create_table, TableName=new_name(), OnDemandThroughput={"MaxReadRequestUnits": 1}, **PROVISIONED) == provisioned
    call(TableName=table, BillingMode="PAY_PER_REQUEST", OnDemandThroughput={"MaxReadRequestUnits": 7})
    assert maximum() == {"MaxReadRequestUnits": 7}
    assert invalid(client.create_table, TableName=new_name(), OnDemandThroughput={"MaxReadRequestUnits": 0}, **ON_DEMAND).endswith("outside of valid range")


def test_warm_throughput_only_grows(client, table):
    warm = lambda name: {k: v for k, v in shown(client, name)["WarmThroughput"].items() if k != "Status"}
    assert warm(table) == {"ReadUnitsPerSecond": 12000, "WriteUnitsPerSecond": 4000}
    client.update_table(TableName=table, WarmThroughput={"ReadUnitsPerSecond": 13000})
    client.update_table(TableName=table, WarmThroughput={"WriteUnitsPerSecond": 4000})
    assert warm(table) == {"ReadUnitsPerSecond": 13000, "WriteUnitsPerSecond": 4000}
    for wrong in (12999, 0):
        assert invalid(client.update_table, TableName=table, WarmThroughput={"ReadUnitsPerSecond": wrong}) == (
            f"{PREFIX}Requested ReadUnitsPerSecond for WarmThroughput for table is lower than current WarmThroughput, "
            "decreasing WarmThroughput is not supported"
        )
    client.update_table(TableName=table, BillingMode="PROVISIONED", ProvisionedThroughput={"ReadCapacityUnits": 5, "WriteCapacityUnits": 5})
    assert warm(table) == {"ReadUnitsPerSecond": 13000, "WriteUnitsPerSecond": 4000}
    name = new_name()
    assert "lower than initial throughput for OnDemand" in invalid(client.create_table, TableName=name, WarmThroughput={"ReadUnitsPerSecond": 1}, **ON_DEMAND)
    assert invalid(client.create_table, TableName=name, WarmThroughput={"WriteUnitsPerSecond": 1}, **PROVISIONED) == (
        f"{PREFIX}Requested WriteUnitsPerSecond for WarmThroughput for table is lower than WriteCapacityUnits of ProvisionedThroughput"
    )
    client.create_table(TableName=name, WarmThroughput={"ReadUnitsPerSecond": 20000}, **ON_DEMAND)
    assert warm(name) == {"ReadUnitsPerSecond": 20000, "WriteUnitsPerSecond": 4000}
    client.delete_table(TableName=name)


@pytest.mark.parametrize(
    "members,sentence",
    [
        (("SSESpecification", "TableClass"), "Server-Side Encryption modification must be the only operation in the request"),
        (("TableClass", "DeletionProtectionEnabled"), "TableClass modification must be the only operation in the request"),
        (("DeletionProtectionEnabled", "WarmThroughput"), "DeletionProtection modification must be the only operation in the request"),
        (("WarmThroughput", "StreamSpecification"), "WarmThroughput must be the only operation in the request"),
        (("OnDemandThroughput", "StreamSpecification"), "OnDemandThroughput can only be combined with BillingMode in an UpdateTable request"),
        (("TableClass", "ReplicaUpdates"), "Requests that modify replicas or witnesses must not also modify other fields"),
    ],
)
def test_one_change_per_update(client, table, members, sentence):
    values = {
        "SSESpecification": {"Enabled": True},
        "TableClass": "STANDARD_INFREQUENT_ACCESS",
        "DeletionProtectionEnabled": True,
        "WarmThroughput": {"ReadUnitsPerSecond": 13000},
        "OnDemandThroughput": {"MaxReadRequestUnits": 5},
        "StreamSpecification": {"StreamEnabled": True, "StreamViewType": "KEYS_ONLY"},
        "ReplicaUpdates": [{"Create": {"RegionName": "eu-west-1"}}],
    }
    before = shown(client, table)
    assert invalid(client.update_table, TableName=table, **{m: values[m] for m in members}) == PREFIX + sentence
    assert shown(client, table) == before


def test_settings_of_the_whole_table_are_the_same_in_all_replicas(cluster):
    clients = [r.client() for r in cluster]
    name = global_table(clients[:2], new_name(), TableClass="STANDARD_INFREQUENT_ACCESS", ResourcePolicy=policy())
    clients[1].update_table(TableName=name, SSESpecification={"Enabled": True})
    clients[1].update_table(TableName=name, OnDemandThroughput={"MaxReadRequestUnits": 9})
    clients[0].update_table(TableName=name, WarmThroughput={"ReadUnitsPerSecond": 15000})
    for client in clients[:2]:
        def same():
            table = shown(client, name)
            return (
                table.get("OnDemandThroughput") == {"MaxReadRequestUnits": 9}
                and table["WarmThroughput"]["ReadUnitsPerSecond"] == 15000
                and table["TableClassSummary"]["TableClass"] == "STANDARD_INFREQUENT_ACCESS"
                and f":{client.meta.region_name}:" in table.get("SSEDescription", {}).get("KMSMasterKeyArn", "")
                and table["GlobalTableSettingsReplicationMode"] == "ENABLED_WITH_OVERRIDES"
            )

        wait_for(same, f"all settings in {client.meta.region_name}")
    # A policy is one replica's.
    assert clients[0].get_resource_policy(ResourceArn=arn_of(clients[0], name))["Policy"]
    refused("PolicyNotFoundException", clients[1].get_resource_policy, ResourceArn=arn_of(clients[1], name))


# --- what there is nothing for: Kinesis, contributor insights, replica auto scaling ---

STREAM = f"arn:aws:kinesis:us-east-1:{ACCOUNT}:stream/changes"
KINESIS = "Table is not in a valid state to enable Kinesis Streaming Destination: "


def test_kinesis_destinations_cannot_be_enabled(client, table):
    assert client.describe_kinesis_streaming_destination(TableName=table)["KinesisDataStreamDestinations"] == []
    of = {"TableName": table, "StreamArn": STREAM}
    assert invalid(client.enable_kinesis_streaming_destination, **of) == KINESIS + "User does not have a permission to use kinesis stream"
    assert invalid(client.disable_kinesis_streaming_destination, **of) == KINESIS + "KinesisStreamingDestination must be ACTIVE to perform DISABLE operation."
    update = client.update_kinesis_streaming_destination
    assert "cannot be null or contain only null values" in invalid(update, **of)
    to = {"UpdateKinesisStreamingConfiguration": {"ApproximateCreationDateTimePrecision": "MICROSECOND"}}
    assert invalid(update, **of, **to) == (
        f"{KINESIS}Kinesis streaming is not in ACTIVE state. Updates are only allowed in ACTIVE state. TableName: {table}, kdsArn: {STREAM}"
    )
    assert "length greater than or equal to 37" in invalid(client.enable_kinesis_streaming_destination, TableName=table, StreamArn="not-an-arn")
    refused("ResourceNotFoundException", client.describe_kinesis_streaming_destination, TableName="no-such-table")


def test_contributor_insights_are_off(client, table):
    off = {"TableName": table, "ContributorInsightsStatus": "DISABLED"}
    plain = lambda reply: {k: v for k, v in reply.items() if k != "ResponseMetadata"}
    assert plain(client.describe_contributor_insights(TableName=table)) == off
    assert plain(client.update_contributor_insights(TableName=table, ContributorInsightsAction="DISABLE")) == off
    assert "not supported" in invalid(client.update_contributor_insights, TableName=table, ContributorInsightsAction="ENABLE")
    assert client.list_contributor_insights()["ContributorInsightsSummaries"] == []
    assert client.list_contributor_insights(TableName=table)["ContributorInsightsSummaries"] == []
    refused("ResourceNotFoundException", client.list_contributor_insights, TableName="no-such-table")
    assert (
        refused("ResourceNotFoundException", client.describe_contributor_insights, TableName=table, IndexName="ghost")
        == f"Requested resource not found: Index: ghost not found for table: {table}"
    )


def test_replica_auto_scaling_of_a_regional_table(client, table):
    for call in (client.describe_table_replica_auto_scaling, client.update_table_replica_auto_scaling):
        assert refused("ResourceNotFoundException", call, TableName=table) == f"Global table with name: {table} does not exist."


def test_replica_auto_scaling_begins_as_off(cluster):
    clients = [r.client() for r in cluster]
    name = global_table(clients[:2], new_name())
    off = {"AutoScalingDisabled": True, "ScalingPolicies": []}
    described = clients[0].describe_table_replica_auto_scaling(TableName=name)["TableAutoScalingDescription"]
    assert described["TableName"] == name and described["TableStatus"] == "ACTIVE"
    assert {r["RegionName"]: r["ReplicaStatus"] for r in described["Replicas"]} == {"us-east-1": "ACTIVE", "eu-west-1": "ACTIVE"}
    (own,) = [r for r in described["Replicas"] if r["RegionName"] == "us-east-1"]
    assert own["ReplicaProvisionedReadCapacityAutoScalingSettings"] == own["ReplicaProvisionedWriteCapacityAutoScalingSettings"] == off
    update = clients[0].update_table_replica_auto_scaling
    update(TableName=name, ProvisionedWriteCapacityAutoScalingUpdate={"AutoScalingDisabled": True})
    assert "at least one update parameter must be specified" in invalid(update, TableName=name)
    both = {"AutoScalingDisabled": True, "MinimumUnits": 1}
    assert "must be left blank when disabling auto scaling." in invalid(update, TableName=name, ProvisionedWriteCapacityAutoScalingUpdate=both)
    assert "must be specified" in invalid(update, TableName=name, ProvisionedWriteCapacityAutoScalingUpdate={"MinimumUnits": 1})
    elsewhere = [{"RegionName": "ap-southeast-1", "ReplicaProvisionedReadCapacityAutoScalingUpdate": {"AutoScalingDisabled": True}}]
    assert invalid(update, TableName=name, ReplicaUpdates=elsewhere).endswith("[ap-southeast-1].")
