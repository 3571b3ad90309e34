"""The parameters from before expressions, through boto3's client and its resource layer."""

import decimal
import uuid

import boto3
import pytest
from botocore.config import Config
from botocore.exceptions import ClientError

D = decimal.Decimal
INVALID = "One or more parameter values were invalid: "
OPERATORS = "[IN, NULL, BETWEEN, LT, NOT_CONTAINS, EQ, GT, NOT_NULL, NE, LE, BEGINS_WITH, GE, CONTAINS]"


@pytest.fixture(scope="module")
def table(client):
    name = "legacy-" + uuid.uuid4().hex[:12]
    client.create_table(
        TableName=name,
        KeySchema=[{"AttributeName": "pk", "KeyType": "HASH"}, {"AttributeName": "sk", "KeyType": "RANGE"}],
        AttributeDefinitions=[{"AttributeName": "pk", "AttributeType": "S"}, {"AttributeName": "sk", "AttributeType": "N"}],
        BillingMode="PAY_PER_REQUEST",
    )
    client.get_waiter("table_exists").wait(TableName=name, WaiterConfig={"Delay": 1, "MaxAttempts": 30})
    yield name
    client.delete_table(TableName=name)


@pytest.fixture(scope="module")
def resource(region, table):
    """The same table with Python's own types."""
    session = boto3.resource("dynamodb", endpoint_url=region.url, region_name=region.name, aws_access_key_id="test", aws_secret_access_key="test", config=Config())
    return session.Table(table)


@pytest.fixture
def key():
    return {"pk": {"S": uuid.uuid4().hex}, "sk": {"N": "1"}}


def refused(code, call, **arguments):
    with pytest.raises(ClientError) as caught:
        call(**arguments)
    assert caught.value.response["Error"]["Code"] == code, caught.value
    return caught.value.response["Error"]["Message"]


def invalid(call, **arguments):
    return refused("ValidationException", call, **arguments)


def compare(operator, *values):
    return {"ComparisonOperator": operator, "AttributeValueList": list(values)}


# --- AttributesToGet ---


def test_attributes_to_get(client, table, key):
    client.put_item(TableName=table, Item={**key, "a": {"S": "x"}, "b": {"N": "1"}, "m.k": {"S": "dotted"}, "m": {"M": {"k": {"S": "v"}}}})
    names = ["b", "m.k", "missing"]
    part = {"b": {"N": "1"}, "m.k": {"S": "dotted"}}
    assert client.get_item(TableName=table, Key=key, AttributesToGet=names)["Item"] == part
    answer = client.batch_get_item(RequestItems={table: {"Keys": [key], "AttributesToGet": names}})
    assert answer["Responses"][table] == [part]
    conditions = {"pk": compare("EQ", key["pk"])}
    assert client.query(TableName=table, KeyConditions=conditions, AttributesToGet=names)["Items"] == [part]
    assert part in client.scan(TableName=table, AttributesToGet=names)["Items"]
    assert client.get_item(TableName=table, Key=key, AttributesToGet=["missing"])["Item"] == {}


def test_attributes_to_get_refused(client, table, key):
    for call, arguments in (
        (client.get_item, {"TableName": table, "Key": key}),
        (client.query, {"TableName": table, "KeyConditions": {"pk": compare("EQ", key["pk"])}}),
        (client.scan, {"TableName": table}),
    ):
        assert invalid(call, AttributesToGet=["a", "b", "b", "a"], **arguments) == INVALID + "Duplicate value in attribute name: b"
        assert invalid(call, AttributesToGet=["a"], ProjectionExpression="a", **arguments) == (
            "Can not use both expression and non-expression parameters in the same request: "
            "Non-expression parameters: {AttributesToGet} Expression parameters: {ProjectionExpression}"
        )
    assert invalid(client.scan, TableName=table, AttributesToGet=["a"], Select="COUNT") == "Cannot specify the AttributesToGet when choosing to get only the Count"


# --- Expected ---


def test_put_if_absent_and_optimistic_locking(client, table, key):
    """What the older object mappers do."""
    item = {**key, "version": {"N": "1"}}
    client.put_item(TableName=table, Item=item, Expected={"pk": {"Exists": False}})
    refused("ConditionalCheckFailedException", client.put_item, TableName=table, Item=item, Expected={"pk": {"Exists": False}})
    next_version = {"AttributeUpdates": {"version": {"Action": "PUT", "Value": {"N": "2"}}}, "Expected": {"version": {"Value": {"N": "1"}}}}
    client.update_item(TableName=table, Key=key, **next_version)
    refused("ConditionalCheckFailedException", client.update_item, TableName=table, Key=key, **next_version)
    refused("ConditionalCheckFailedException", client.delete_item, TableName=table, Key=key, Expected={"version": {"Value": {"N": "1"}}})
    assert client.get_item(TableName=table, Key=key)["Item"] == {**key, "version": {"N": "2"}}
    client.delete_item(TableName=table, Key=key, Expected={"version": {"Exists": True, "Value": {"N": "2"}}})
    assert "Item" not in client.get_item(TableName=table, Key=key)


def test_a_failed_condition_returns_the_item(client, table, key):
    item = {**key, "a": {"S": "x"}}
    client.put_item(TableName=table, Item=item)
    with pytest.raises(ClientError) as caught:
        client.delete_item(TableName=table, Key=key, Expected={"a": {"Exists": False}}, ReturnValuesOnConditionCheckFailure="ALL_OLD")
    assert caught.value.response["Item"] == item


ITEM = {"n": {"N": "5"}, "s": {"S": "hello"}, "ss": {"SS": ["x", "y"]}, "l": {"L": [{"S": "e"}]}}


@pytest.mark.parametrize(
    "name, condition, holds",
    [
        ("n", compare("EQ", {"N": "5.0"}), True),
        ("n", compare("NE", {"N": "5"}), False),
        ("zz", compare("NE", {"N": "5"}), True),
        ("n", compare("LE", {"N": "5"}), True),
        ("n", compare("LT", {"N": "5"}), False),
        ("n", compare("GE", {"N": "6"}), False),
        ("n", compare("GT", {"S": "4"}), False),
        ("n", {"ComparisonOperator": "NOT_NULL"}, True),
        ("zz", {"ComparisonOperator": "NULL"}, True),
        ("ss", compare("CONTAINS", {"S": "x"}), True),
        ("l", compare("CONTAINS", {"S": "q"}), False),
        ("s", compare("NOT_CONTAINS", {"S": "ell"}), False),
        ("zz", compare("NOT_CONTAINS", {"S": "ell"}), False),
        ("s", compare("BEGINS_WITH", {"S": "he"}), True),
        ("n", compare("IN", {"N": "4"}, {"N": "5"}), True),
        ("n", compare("BETWEEN", {"N": "5"}, {"N": "9"}), True),
        ("ss", compare("EQ", {"SS": ["y", "x"]}), True),
    ],
)
def test_operators_in_every_place(client, table, key, name, condition, holds):
    client.put_item(TableName=table, Item={**key, **ITEM})
    if holds:
        client.put_item(TableName=table, Item={**key, **ITEM}, Expected={name: condition})
    else:
        refused("ConditionalCheckFailedException", client.put_item, TableName=table, Item={**key, **ITEM}, Expected={name: condition})
    found = client.query(TableName=table, KeyConditions={"pk": compare("EQ", key["pk"])}, QueryFilter={name: condition})
    assert (found["Count"], found["ScannedCount"]) == (int(holds), 1)
    scanned = client.scan(TableName=table, ScanFilter={name: condition, "pk": compare("EQ", key["pk"])})
    assert scanned["Count"] == int(holds)


def test_conditional_operator(client, table, key):
    client.put_item(TableName=table, Item={**key, **ITEM})
    expected = {"n": {"Value": {"N": "5"}}, "s": {"Value": {"S": "other"}}}
    write = {"TableName": table, "Key": key, "AttributeUpdates": {"a": {"Action": "ADD", "Value": {"N": "1"}}}, "Expected": expected}
    refused("ConditionalCheckFailedException", client.update_item, **write)
    refused("ConditionalCheckFailedException", client.update_item, ConditionalOperator="AND", **write)
    client.update_item(ConditionalOperator="OR", **write)
    assert client.get_item(TableName=table, Key=key, AttributesToGet=["a"])["Item"] == {"a": {"N": "1"}}


@pytest.mark.parametrize(
    "expected, sentence",
    [
        ({"a": {"Exists": True}}, INVALID + "Value must be provided when Exists is true for Attribute: a"),
        ({"a": {}}, INVALID + "Value must be provided when Exists is null for Attribute: a"),
        ({"a": {"Exists": False, "Value": {"N": "1"}}}, INVALID + "Value cannot be used when Exists is false for Attribute: a"),
        ({"a": {"Value": {"N": "1"}, "AttributeValueList": []}}, INVALID + "Value and AttributeValueList cannot be used together for Attribute: a"),
        ({"a": {"AttributeValueList": []}}, INVALID + "AttributeValueList can only be used with a ComparisonOperator for Attribute: a"),
        ({"a": {"Exists": True, "ComparisonOperator": "NULL"}}, INVALID + "Exists and ComparisonOperator cannot be used together for Attribute: a"),
        ({"a": {"ComparisonOperator": "EQ"}}, INVALID + "Value or AttributeValueList must be used with ComparisonOperator: EQ for Attribute: a"),
        ({"a": compare("BETWEEN", {"N": "1"})}, INVALID + "Invalid number of argument(s) for the BETWEEN ComparisonOperator"),
        ({"a": compare("LT", {"SS": ["x"]})}, INVALID + "ComparisonOperator LT is not valid for SS AttributeValue type"),
        ({"a": compare("IN", {"N": "1"}, {"S": "x"})}, INVALID + "AttributeValues inside AttributeValueList must be of same type"),
        ({"a": compare("BETWEEN", {"N": "2"}, {"N": "1"})}, "The BETWEEN condition was provided a range where the lower bound is greater than the upper bound"),
        (
            {"a": compare("XX", {"N": "1"})},
            "1 validation error detected: Value 'XX' at 'expected.a.member.comparisonOperator' failed to satisfy constraint: Member must satisfy enum value set: " + OPERATORS,
        ),
    ],
)
def test_expected_refused(client, table, key, expected, sentence):
    for call, arguments in ((client.put_item, {"Item": key}), (client.delete_item, {"Key": key}), (client.update_item, {"Key": key})):
        assert invalid(call, TableName=table, Expected=expected, **arguments) == sentence


def test_conditional_operator_refused(client, table, key):
    put = {"TableName": table, "Item": key}
    assert invalid(client.put_item, ConditionalOperator="AND", **put) == "ConditionalOperator cannot be used without Filter or Expected"
    assert (
        invalid(client.put_item, ConditionalOperator="OR", Expected={"a": {"Exists": False}}, **put)
        == "ConditionalOperator can only be used when Filter or Expected has two or more elements"
    )
    assert invalid(client.put_item, ConditionalOperator="XOR", **put) == (
        "1 validation error detected: Value 'XOR' at 'conditionalOperator' failed to satisfy constraint: Member must satisfy enum value set: [OR, AND]"
    )


# --- AttributeUpdates ---


def test_updates(client, table, key):
    client.put_item(TableName=table, Item={**key, **ITEM})
    answer = client.update_item(
        TableName=table,
        Key=key,
        AttributeUpdates={
            "n": {"Action": "ADD", "Value": {"N": "-1.5"}},
            "s": {"Action": "DELETE"},
            "ss": {"Action": "DELETE", "Value": {"SS": ["x", "q"]}},
            "l": {"Action": "ADD", "Value": {"L": [{"N": "1"}]}},
            "new": {"Action": "PUT", "Value": {"BOOL": True}},
            "plain": {"Value": {"S": "PUT without saying so"}},
        },
        ReturnValues="ALL_NEW",
    )
    assert answer["Attributes"] == {
        **key,
        "n": {"N": "3.5"},
        "ss": {"SS": ["y"]},
        "l": {"L": [{"S": "e"}, {"N": "1"}]},
        "new": {"BOOL": True},
        "plain": {"S": "PUT without saying so"},
    }
    changed = {"n": {"Action": "ADD", "Value": {"N": "1"}}, "gone": {"Action": "DELETE"}}
    assert client.update_item(TableName=table, Key=key, AttributeUpdates=changed, ReturnValues="UPDATED_OLD")["Attributes"] == {"n": {"N": "3.5"}}


def test_what_creates_an_item(client, table, key):
    for updates, item in (
        ({"a": {"Action": "DELETE"}}, None),
        ({"a": {"Action": "DELETE", "Value": {"SS": ["x"]}}}, None),
        ({"a": {"Action": "ADD", "Value": {"N": "1"}}}, {**key, "a": {"N": "1"}}),
        ({"a": {"Action": "ADD", "Value": {"NS": ["1"]}}}, {**key, "a": {"NS": ["1"]}}),
        ({"a": {"Action": "PUT", "Value": {"N": "1"}}, "b": {"Action": "DELETE"}}, {**key, "a": {"N": "1"}}),
        ({}, key),
    ):
        client.update_item(TableName=table, Key=key, AttributeUpdates=updates)
        assert client.get_item(TableName=table, Key=key).get("Item") == item, updates
        client.delete_item(TableName=table, Key=key)


@pytest.mark.parametrize(
    "updates, sentence",
    [
        ({"a": {"Action": "PUT"}}, INVALID + "Only DELETE action is allowed when no attribute value is specified"),
        ({"a": {"Action": "ADD", "Value": {"S": "x"}}}, INVALID + "ADD action is not supported for the type S"),
        ({"a": {"Action": "DELETE", "Value": {"N": "1"}}}, INVALID + "DELETE action with value is not supported for the type N"),
        ({"n": {"Action": "ADD", "Value": {"SS": ["x"]}}}, "Type mismatch for attribute to update"),
        ({"n": {"Action": "DELETE", "Value": {"SS": ["x"]}}}, "Type mismatch for attribute to update"),
        ({"pk": {"Action": "PUT", "Value": {"S": "x"}}}, INVALID + "Cannot update attribute pk. This attribute is part of the key"),
        ({"a": {"Action": "PUT", "Value": {"SS": []}}}, INVALID + "An string set  may not be empty"),
        (
            {"a": {"Action": "APPEND", "Value": {"S": "x"}}},
            "1 validation error detected: Value 'APPEND' at 'attributeUpdates.a.member.action' failed to satisfy constraint: Member must satisfy enum value set: [ADD, DELETE, PUT]",
        ),
    ],
)
def test_updates_refused(client, table, key, updates, sentence):
    client.put_item(TableName=table, Item={**key, **ITEM})
    assert invalid(client.update_item, TableName=table, Key=key, AttributeUpdates=updates) == sentence
    assert client.get_item(TableName=table, Key=key)["Item"] == {**key, **ITEM}


def test_both_kinds_in_one_update(client, table, key):
    assert invalid(
        client.update_item,
        TableName=table,
        Key=key,
        AttributeUpdates={"a": {"Action": "DELETE"}},
        Expected={"a": {"Exists": False}},
        UpdateExpression="REMOVE a",
        ConditionExpression="attribute_exists(a)",
    ) == (
        "Can not use both expression and non-expression parameters in the same request: "
        "Non-expression parameters: {AttributeUpdates, Expected} Expression parameters: {UpdateExpression, ConditionExpression}"
    )


# --- KeyConditions, QueryFilter, ScanFilter ---


@pytest.fixture(scope="module")
def numbered(client, table):
    pk = uuid.uuid4().hex
    for n in range(10):
        client.put_item(TableName=table, Item={"pk": {"S": pk}, "sk": {"N": str(n)}, "even": {"BOOL": n % 2 == 0}})
    return pk


@pytest.mark.parametrize(
    "condition, wanted",
    [
        (None, range(10)),
        (compare("EQ", {"N": "4"}), [4]),
        (compare("LT", {"N": "3"}), [0, 1, 2]),
        (compare("LE", {"N": "3"}), [0, 1, 2, 3]),
        (compare("GT", {"N": "7"}), [8, 9]),
        (compare("GE", {"N": "7"}), [7, 8, 9]),
        (compare("BETWEEN", {"N": "2"}, {"N": "4"}), [2, 3, 4]),
    ],
)
def test_key_conditions(client, table, numbered, condition, wanted):
    conditions = {"pk": compare("EQ", {"S": numbered})}
    if condition:
        conditions["sk"] = condition
    found = client.query(TableName=table, KeyConditions=conditions)["Items"]
    assert [int(item["sk"]["N"]) for item in found] == list(wanted)
    backward = client.get_paginator("query").paginate(TableName=table, KeyConditions=conditions, ScanIndexForward=False, Limit=3)
    assert [int(item["sk"]["N"]) for page in backward for item in page["Items"]] == list(wanted)[::-1]


def test_key_conditions_beside_expressions(client, table, numbered):
    conditions = {"pk": compare("EQ", {"S": numbered})}
    found = client.query(
        TableName=table, KeyConditions=conditions, FilterExpression="even = :e", ProjectionExpression="sk", ExpressionAttributeValues={":e": {"BOOL": True}}
    )
    assert [int(item["sk"]["N"]) for item in found["Items"]] == [0, 2, 4, 6, 8]
    assert invalid(
        client.query, TableName=table, KeyConditions=conditions, KeyConditionExpression="pk = :p", ExpressionAttributeValues={":p": {"S": "x"}}
    ) == (
        "Can not use both expression and non-expression parameters in the same request: "
        "Non-expression parameters: {KeyConditions} Expression parameters: {KeyConditionExpression}"
    )


P = {"pk": compare("EQ", {"S": "p"})}


@pytest.mark.parametrize(
    "arguments, sentence",
    [
        ({"KeyConditions": {}}, "Conditions can be of length 1 or 2 only"),
        ({"KeyConditions": {**P, "sk": compare("EQ", {"N": "1"}), "x": compare("NULL")}}, "Conditions can be of length 1 or 2 only"),
        ({"KeyConditions": {"sk": compare("EQ", {"N": "1"})}}, "Query condition missed key schema element: pk"),
        ({"KeyConditions": {**P, "x": compare("EQ", {"N": "1"})}}, "Query condition missed key schema element: sk"),
        ({"KeyConditions": {"pk": compare("GT", {"S": "p"})}}, "Query key condition not supported"),
        ({"KeyConditions": {**P, "sk": compare("NE", {"N": "1"})}}, "Attempted conditional constraint is not an indexable operation"),
        ({"KeyConditions": {**P, "sk": compare("IN", {"N": "1"})}}, "Attempted conditional constraint is not an indexable operation"),
        ({"KeyConditions": {**P, "sk": compare("EQ", {"S": "1"})}}, INVALID + "Condition parameter type does not match schema type"),
        ({"KeyConditions": P, "QueryFilter": {"sk": compare("NOT_NULL")}}, "QueryFilter can only contain non-primary key attributes: Primary key attribute: sk"),
        ({"KeyConditions": P, "ConditionalOperator": "AND"}, "ConditionalOperator cannot be used without Filter or Expected"),
        (
            {"KeyConditions": P, "QueryFilter": {"a": compare("NULL")}, "FilterExpression": "attribute_exists(a)"},
            "Can not use both expression and non-expression parameters in the same request: Non-expression parameters: {QueryFilter} Expression parameters: {FilterExpression}",
        ),
    ],
)
def test_query_refused(client, table, arguments, sentence):
    assert invalid(client.query, TableName=table, **arguments) == sentence


def test_filters_joined(client, table, numbered):
    both = {"even": compare("EQ", {"BOOL": True}), "missing": compare("NOT_NULL")}
    conditions = {"pk": compare("EQ", {"S": numbered})}
    assert client.query(TableName=table, KeyConditions=conditions, QueryFilter=both)["Count"] == 0
    assert client.query(TableName=table, KeyConditions=conditions, QueryFilter=both, ConditionalOperator="OR")["Count"] == 5
    either = {"pk": compare("EQ", {"S": numbered}), "missing": compare("NOT_NULL")}
    assert client.scan(TableName=table, ScanFilter=either)["Count"] == 0
    assert client.scan(TableName=table, ScanFilter=either, ConditionalOperator="OR")["Count"] == 10


# --- the resource layer ---


def test_the_resource_layer_takes_python_values(resource):
    key = {"pk": uuid.uuid4().hex, "sk": D(1)}
    resource.put_item(Item={**key, "n": D("1.5"), "tags": {"a", "b"}}, Expected={"pk": {"Exists": False}})
    answer = resource.update_item(
        Key=key,
        AttributeUpdates={"n": {"Action": "ADD", "Value": D(1)}, "tags": {"Action": "DELETE", "Value": {"a"}}, "m": {"Value": {"x": [1, None]}}},
        Expected={"n": compare("BETWEEN", D(1), D(2))},
        ReturnValues="ALL_NEW",
    )
    item = {**key, "n": D("2.5"), "tags": {"b"}, "m": {"x": [D(1), None]}}
    assert answer["Attributes"] == item
    assert resource.get_item(Key=key, AttributesToGet=["m", "n"])["Item"] == {"m": item["m"], "n": item["n"]}
    found = resource.query(KeyConditions={"pk": compare("EQ", key["pk"]), "sk": compare("GE", D(1))}, QueryFilter={"tags": compare("CONTAINS", "b")})
    assert found["Items"] == [item]
    assert resource.scan(ScanFilter={"pk": compare("EQ", key["pk"]), "n": compare("IN", D("2.5"), D(3))})["Items"] == [item]
    refused("ConditionalCheckFailedException", resource.delete_item, Key=key, Expected={"n": {"Value": D(7)}})
    resource.delete_item(Key=key, Expected={"n": {"Value": D("2.5")}})
