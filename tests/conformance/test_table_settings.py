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
