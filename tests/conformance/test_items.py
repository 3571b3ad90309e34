"""PutItem, GetItem, UpdateItem, DeleteItem through boto3: results, conditions, return values, sentences."""

import decimal
import uuid
from concurrent.futures import ThreadPoolExecutor

import pytest
from botocore.exceptions import ClientError


@pytest.fixture(scope="module")
def table(client):
    name = "items-" + uuid.uuid4().hex[:12]
    client.create_table(
        TableName=name,
        KeySchema=[{"AttributeName": "pk", "KeyType": "HASH"}],
        AttributeDefinitions=[{"AttributeName": "pk", "AttributeType": "S"}],
        BillingMode="PAY_PER_REQUEST",
    )
    client.get_waiter("table_exists").wait(TableName=name, WaiterConfig={"Delay": 1, "MaxAttempts": 30})
    yield name
    client.delete_table(TableName=name)


def key():
    return {"pk": {"S": uuid.uuid4().hex}}


def refused(code, call, **arguments):
    """The message of the error with which a call is refused."""
    with pytest.raises(ClientError) as caught:
        call(**arguments)
    assert caught.value.response["Error"]["Code"] == code, caught.value
    assert caught.value.response["ResponseMetadata"]["HTTPStatusCode"] == 400
    return caught.value.response["Error"]["Message"]


def invalid(call, **arguments):
    return refused("ValidationException", call, **arguments)


ALL_TYPES = {
    "s": {"S": "text with \u0000 and \u00e9 and \U0001f600"},
    "empty": {"S": ""},
    "n": {"N": "-12345678901234567890123456789012345678"},
    "b": {"B": b"\x00\xff\x80"},
    "ss": {"SS": ["a", "b"]},
    "ns": {"NS": ["1", "2.5"]},
    "bs": {"BS": [b"x", b"y"]},
    "m": {"M": {"k": {"M": {}}, "l": {"L": []}}},
    "l": {"L": [{"S": "a"}, {"N": "1"}, {"NULL": True}]},
    "null": {"NULL": True},
    "bool": {"BOOL": False},
}


def test_all_types_come_back_as_they_were_put(client, table):
    k = key()
    client.put_item(TableName=table, Item={**k, **ALL_TYPES})
    got = client.get_item(TableName=table, Key=k, ConsistentRead=True)["Item"]
    for name in ("ss", "ns", "bs"):
        kind = name.upper()
        assert sorted(got[name][kind]) == sorted(ALL_TYPES[name][kind])
    assert {n: v for n, v in got.items() if n not in ("pk", "ss", "ns", "bs")} == {
        n: v for n, v in ALL_TYPES.items() if n not in ("ss", "ns", "bs")
    }


def test_a_missing_item_has_no_item_member(client, table):
    answer = client.get_item(TableName=table, Key=key())
    assert "Item" not in answer


@pytest.mark.parametrize(
    "text, canonical",
    [
        ("1.0", "1"),
        ("-0", "0"),
        ("1e3", "1000"),
        ("0.00000", "0"),
        ("1E-130", "0." + "0" * 129 + "1"),
        ("9.9999999999999999999999999999999999999E+125", "99999999999999999999999999999999999999" + "0" * 88),
        ("00012", "12"),
    ],
)
def test_numbers_are_exact(client, table, text, canonical):
    k = key()
    client.put_item(TableName=table, Item={**k, "n": {"N": text}})
    got = client.get_item(TableName=table, Key=k)["Item"]["n"]["N"]
    assert got == canonical
    assert decimal.Decimal(got) == decimal.Decimal(text)


@pytest.mark.parametrize("text", ["", "abc", "1e126", "1e-131", "1" * 39, "NaN", "0x10", "1 2"])
def test_bad_numbers_are_refused(client, table, text):
    invalid(client.put_item, TableName=table, Item={**key(), "n": {"N": text}})


def test_put_returns_the_old_item(client, table):
    k = key()
    assert "Attributes" not in client.put_item(TableName=table, Item={**k, "a": {"N": "1"}}, ReturnValues="ALL_OLD")
    answer = client.put_item(TableName=table, Item={**k, "a": {"N": "2"}}, ReturnValues="ALL_OLD")
    assert answer["Attributes"] == {**k, "a": {"N": "1"}}
    assert "Attributes" not in client.put_item(TableName=table, Item={**k, "a": {"N": "3"}}, ReturnValues="NONE")


@pytest.mark.parametrize("value", ["UPDATED_OLD", "UPDATED_NEW", "ALL_NEW"])
def test_put_and_delete_return_old_values_only(client, table, value):
    sentence = "Return values set to invalid value"
    assert invalid(client.put_item, TableName=table, Item=key(), ReturnValues=value) == sentence
    assert invalid(client.delete_item, TableName=table, Key=key(), ReturnValues=value) == sentence


def test_conditions(client, table):
    k = key()
    absent = {"ConditionExpression": "attribute_not_exists(pk)"}
    client.put_item(TableName=table, Item={**k, "v": {"N": "1"}}, **absent)
    message = refused("ConditionalCheckFailedException", client.put_item, TableName=table, Item=k, **absent)
    assert message == "The conditional request failed"
    client.delete_item(
        TableName=table, Key=k, ConditionExpression="v BETWEEN :a AND :b", ExpressionAttributeValues={":a": {"N": "0"}, ":b": {"N": "2"}}
    )
    assert "Item" not in client.get_item(TableName=table, Key=k)


def test_a_failed_condition_can_return_the_item(client, table):
    k = key()
    client.put_item(TableName=table, Item={**k, "v": {"N": "1"}})
    for call, arguments in (
        (client.put_item, {"Item": k}),
        (client.delete_item, {"Key": k}),
        (client.update_item, {"Key": k, "UpdateExpression": "REMOVE v"}),
    ):
        with pytest.raises(ClientError) as caught:
            call(
                TableName=table,
                ConditionExpression="v = :two",
                ExpressionAttributeValues={":two": {"N": "2"}},
                ReturnValuesOnConditionCheckFailure="ALL_OLD",
                **arguments,
            )
        assert caught.value.response["Item"] == {**k, "v": {"N": "1"}}
    with pytest.raises(ClientError) as caught:
        client.delete_item(
            TableName=table, Key=key(), ConditionExpression="attribute_exists(pk)", ReturnValuesOnConditionCheckFailure="ALL_OLD"
        )
    assert "Item" not in caught.value.response


def test_update_creates_and_changes(client, table):
    k = key()
    assert client.update_item(TableName=table, Key=k, ReturnValues="ALL_NEW")["Attributes"] == k
    answer = client.update_item(
        TableName=table,
        Key=k,
        UpdateExpression="SET #c = if_not_exists(#c, :zero) + :one, l = list_append(:l, :l) ADD s :s",
        ExpressionAttributeNames={"#c": "count"},
        ExpressionAttributeValues={":zero": {"N": "0"}, ":one": {"N": "1"}, ":l": {"L": [{"S": "x"}]}, ":s": {"SS": ["a"]}},
        ReturnValues="ALL_NEW",
    )
    assert answer["Attributes"] == {**k, "count": {"N": "1"}, "l": {"L": [{"S": "x"}, {"S": "x"}]}, "s": {"SS": ["a"]}}
    answer = client.update_item(
        TableName=table, Key=k, UpdateExpression="REMOVE l[0] DELETE s :s", ExpressionAttributeValues={":s": {"SS": ["a"]}}, ReturnValues="UPDATED_OLD"
    )
    assert answer["Attributes"] == {"l": {"L": [{"S": "x"}]}, "s": {"SS": ["a"]}}
    assert client.get_item(TableName=table, Key=k)["Item"] == {**k, "count": {"N": "1"}, "l": {"L": [{"S": "x"}]}}


@pytest.mark.parametrize(
    "wanted, attributes",
    [
        ("NONE", None),
        ("ALL_OLD", {"a": {"N": "1"}, "m": {"M": {"x": {"S": "1"}, "y": {"S": "1"}}}}),
        ("ALL_NEW", {"a": {"N": "2"}, "m": {"M": {"x": {"S": "2"}, "y": {"S": "1"}}}}),
        ("UPDATED_OLD", {"a": {"N": "1"}, "m": {"M": {"x": {"S": "1"}}}}),
        ("UPDATED_NEW", {"a": {"N": "2"}, "m": {"M": {"x": {"S": "2"}}}}),
    ],
)
def test_update_return_values(client, table, wanted, attributes):
    k = key()
    client.put_item(TableName=table, Item={**k, "a": {"N": "1"}, "m": {"M": {"x": {"S": "1"}, "y": {"S": "1"}}}})
    answer = client.update_item(
        TableName=table,
        Key=k,
        UpdateExpression="SET a = a + :one, m.x = :two",
        ExpressionAttributeValues={":one": {"N": "1"}, ":two": {"S": "2"}},
        ReturnValues=wanted,
    )
    if attributes is not None and wanted.startswith("ALL"):
        attributes = {**k, **attributes}
    assert answer.get("Attributes") == attributes


@pytest.mark.parametrize("expression", ["REMOVE a", "DELETE a :s", "REMOVE a.b"])
def test_an_update_that_only_removes_creates_nothing(client, table, expression):
    k = key()
    values = {"ExpressionAttributeValues": {":s": {"SS": ["x"]}}} if ":s" in expression else {}
    answer = client.update_item(TableName=table, Key=k, UpdateExpression=expression, ReturnValues="ALL_NEW", **values)
    assert "Attributes" not in answer
    assert "Item" not in client.get_item(TableName=table, Key=k)


def test_update_arithmetic_is_exact(client, table):
    k = key()
    client.put_item(TableName=table, Item={**k, "n": {"N": "0.1"}})
    answer = client.update_item(
        TableName=table,
        Key=k,
        UpdateExpression="SET n = n + :d",
        ExpressionAttributeValues={":d": {"N": "0.2"}},
        ReturnValues="UPDATED_NEW",
    )
    assert answer["Attributes"] == {"n": {"N": "0.3"}}


def test_update_refusals(client, table):
    k = key()
    client.put_item(TableName=table, Item={**k, "s": {"S": "text"}})
    for expression, values, sentence in (
        ("SET pk = :v", {":v": {"S": "x"}}, "One or more parameter values were invalid: Cannot update attribute pk. This attribute is part of the key"),
        ("SET s = s + :v", {":v": {"N": "1"}}, "An operand in the update expression has an incorrect data type"),
        ("SET x.y = :v", {":v": {"N": "1"}}, "The document path provided in the update expression is invalid for update"),
        ("SET x = nosuch", None, "The provided expression refers to an attribute that does not exist in the item"),
        ("SET x = :nosuch", None, "Invalid UpdateExpression: An expression attribute value used in expression is not defined; attribute value: :nosuch"),
        ("SET x = :v, x = :v", {":v": {"N": "1"}}, "Invalid UpdateExpression: Two document paths overlap with each other; must remove or rewrite one of these paths; path one: [x], path two: [x]"),
        ("", None, "Invalid UpdateExpression: The expression can not be empty;"),
    ):
        arguments = {"ExpressionAttributeValues": values} if values else {}
        assert invalid(client.update_item, TableName=table, Key=k, UpdateExpression=expression, **arguments) == sentence
    assert client.get_item(TableName=table, Key=k)["Item"] == {**k, "s": {"S": "text"}}


def test_delete(client, table):
    k = key()
    client.put_item(TableName=table, Item={**k, "a": {"N": "1"}})
    assert client.delete_item(TableName=table, Key=k, ReturnValues="ALL_OLD")["Attributes"] == {**k, "a": {"N": "1"}}
    assert "Attributes" not in client.delete_item(TableName=table, Key=k, ReturnValues="ALL_OLD")


def test_projection(client, table):
    k = key()
    client.put_item(
        TableName=table, Item={**k, "a": {"M": {"b": {"L": [{"N": "0"}, {"N": "1"}, {"N": "2"}]}, "c": {"S": "x"}}}, "name": {"S": "n"}}
    )
    answer = client.get_item(
        TableName=table, Key=k, ProjectionExpression="a.b[2], a.b[0], #n, nosuch", ExpressionAttributeNames={"#n": "name"}
    )
    assert answer["Item"] == {"a": {"M": {"b": {"L": [{"N": "0"}, {"N": "2"}]}}}, "name": {"S": "n"}}
    assert client.get_item(TableName=table, Key=k, ProjectionExpression="nosuch")["Item"] == {}


@pytest.mark.parametrize(
    "item, sentence",
    [
        ({}, "One or more parameter values were invalid: Missing the key pk in the item"),
        ({"x": {"S": "a"}}, "One or more parameter values were invalid: Missing the key pk in the item"),
        ({"pk": {"N": "1"}}, "One or more parameter values were invalid: Type mismatch for key pk expected: S actual: N"),
        (
            {"pk": {"S": ""}},
            "One or more parameter values are not valid. The AttributeValue for a key attribute cannot contain an empty string value. Key: pk",
        ),
        (
            {"pk": {"S": "k" * 2049}},
            "One or more parameter values were invalid: Size of hashkey has exceeded the maximum size limit of2048 bytes",
        ),
        ({"pk": {"S": "a"}, "x": {}}, "Supplied AttributeValue is empty, must contain exactly one of the supported datatypes"),
        (
            {"pk": {"S": "a"}, "x": {"S": "1", "N": "1"}},
            "Supplied AttributeValue has more than one datatypes set, must contain exactly one of the supported datatypes",
        ),
        ({"pk": {"S": "a"}, "x": {"SS": []}}, "One or more parameter values were invalid: An string set  may not be empty"),
    ],
)
def test_put_refuses_bad_items(client, table, item, sentence):
    assert invalid(client.put_item, TableName=table, Item=item) == sentence


@pytest.mark.parametrize("bad", [{}, {"x": {"S": "a"}}, {"pk": {"N": "1"}}, {"pk": {"S": "a"}, "x": {"S": "a"}}])
def test_keys_must_match_the_schema(client, table, bad):
    sentence = "The provided key element does not match the schema"
    assert invalid(client.get_item, TableName=table, Key=bad) == sentence
    assert invalid(client.delete_item, TableName=table, Key=bad) == sentence
    assert invalid(client.update_item, TableName=table, Key=bad) == sentence


@pytest.mark.parametrize(
    "parameter, value, at, allowed",
    [
        ("ReturnValues", "X", "returnValues", "ALL_NEW, UPDATED_OLD, ALL_OLD, NONE, UPDATED_NEW"),
        ("ReturnConsumedCapacity", "X", "returnConsumedCapacity", "INDEXES, TOTAL, NONE"),
        ("ReturnItemCollectionMetrics", "X", "returnItemCollectionMetrics", "SIZE, NONE"),
        ("ReturnValuesOnConditionCheckFailure", "X", "returnValuesOnConditionCheckFailure", "ALL_OLD, NONE"),
    ],
)
def test_unknown_enumeration_values(client, table, parameter, value, at, allowed):
    sentence = f"1 validation error detected: Value '{value}' at '{at}' failed to satisfy constraint: Member must satisfy enum value set: [{allowed}]"
    assert invalid(client.put_item, TableName=table, Item=key(), **{parameter: value}) == sentence


def test_several_violations_are_listed(client):
    message = invalid(client.put_item, ReturnValues="X")
    assert message.startswith("3 validation errors detected: ")
    for part in (
        "Value null at 'tableName' failed to satisfy constraint: Member must not be null",
        "Value null at 'item' failed to satisfy constraint: Member must not be null",
        "Value 'X' at 'returnValues' failed to satisfy constraint: Member must satisfy enum value set: ",
    ):
        assert part in message


def test_no_table(client):
    for call, arguments in ((client.get_item, {"Key": key()}), (client.put_item, {"Item": key()}), (client.update_item, {"Key": key()})):
        message = refused("ResourceNotFoundException", call, TableName="nosuch", **arguments)
        assert message == "Requested resource not found"


def test_names_and_values_must_be_used(client, table):
    assert (
        invalid(client.put_item, TableName=table, Item=key(), ExpressionAttributeValues={":v": {"S": "x"}})
        == "ExpressionAttributeValues can only be specified when using expressions: ConditionExpression is null"
    )
    assert invalid(
        client.put_item,
        TableName=table,
        Item=key(),
        ConditionExpression="attribute_exists(a)",
        ExpressionAttributeNames={"#x": "y"},
    ) == "Value provided in ExpressionAttributeNames unused in expressions: keys: {#x}"


def test_item_size(client, table):
    k = {"pk": {"S": "size" + uuid.uuid4().hex[:8]}}
    room = 400 * 1024 - len("pk") - 12 - len("x")
    client.put_item(TableName=table, Item={**k, "x": {"S": "x" * room}})
    sentence = "Item size has exceeded the maximum allowed size"
    assert invalid(client.put_item, TableName=table, Item={**k, "x": {"S": "x" * (room + 1)}}) == sentence
    message = invalid(
        client.update_item, TableName=table, Key=k, UpdateExpression="SET y = :y", ExpressionAttributeValues={":y": {"S": "y"}}
    )
    assert message == "Item size to update has exceeded the maximum allowed size"
    client.delete_item(TableName=table, Key=k)


def test_consumed_capacity(client, table):
    k = key()
    answer = client.put_item(TableName=table, Item={**k, "x": {"S": "x" * 1500}}, ReturnConsumedCapacity="TOTAL")
    assert answer["ConsumedCapacity"] == {"TableName": table, "CapacityUnits": 2.0}
    answer = client.put_item(TableName=table, Item=k, ReturnConsumedCapacity="INDEXES")
    assert answer["ConsumedCapacity"] == {"TableName": table, "CapacityUnits": 2.0, "Table": {"CapacityUnits": 2.0}}
    assert "ConsumedCapacity" not in client.put_item(TableName=table, Item=k, ReturnConsumedCapacity="NONE")
    answer = client.get_item(TableName=table, Key=k, ReturnConsumedCapacity="TOTAL")
    assert answer["ConsumedCapacity"]["CapacityUnits"] == 0.5
    answer = client.get_item(TableName=table, Key=k, ReturnConsumedCapacity="TOTAL", ConsistentRead=True)
    assert answer["ConsumedCapacity"]["CapacityUnits"] == 1.0
    answer = client.update_item(TableName=table, Key=k, ReturnConsumedCapacity="TOTAL")
    assert answer["ConsumedCapacity"]["CapacityUnits"] == 1.0
    answer = client.delete_item(TableName=table, Key=key(), ReturnConsumedCapacity="TOTAL")
    assert answer["ConsumedCapacity"]["CapacityUnits"] == 1.0


def test_item_collection_metrics_need_a_local_index(client, table):
    answer = client.put_item(TableName=table, Item=key(), ReturnItemCollectionMetrics="SIZE")
    assert "ItemCollectionMetrics" not in answer


def test_updates_from_many_threads_are_serialized(client, table):
    k = key()

    def add(_):
        client.update_item(TableName=table, Key=k, UpdateExpression="ADD n :one", ExpressionAttributeValues={":one": {"N": "1"}})

    def claim(n):
        """One winner, whoever it is."""
        try:
            client.put_item(TableName=table, Item={"pk": {"S": k["pk"]["S"] + "-lock"}, "by": {"N": str(n)}}, ConditionExpression="attribute_not_exists(pk)")
            return 1
        except client.exceptions.ConditionalCheckFailedException:
            return 0

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(add, range(200)))
        assert sum(pool.map(claim, range(40))) == 1
    assert client.get_item(TableName=table, Key=k)["Item"]["n"] == {"N": "200"}
