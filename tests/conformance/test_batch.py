"""BatchGetItem and BatchWriteItem through boto3."""

import uuid

import boto3
import pytest
from botocore.exceptions import ClientError


@pytest.fixture(scope="module")
def tables(client):
    names = ["batch-" + uuid.uuid4().hex[:12] for _ in range(2)]
    for name in names:
        client.create_table(
            TableName=name,
            KeySchema=[{"AttributeName": "pk", "KeyType": "HASH"}],
            AttributeDefinitions=[{"AttributeName": "pk", "AttributeType": "S"}],
            BillingMode="PAY_PER_REQUEST",
        )
        client.get_waiter("table_exists").wait(TableName=name, WaiterConfig={"Delay": 1, "MaxAttempts": 30})
    yield names
    for name in names:
        client.delete_table(TableName=name)


def invalid(call, **arguments):
    with pytest.raises(ClientError) as caught:
        call(**arguments)
    assert caught.value.response["Error"]["Code"] == "ValidationException", caught.value
    return caught.value.response["Error"]["Message"]


def put(pk, **attributes):
    return {"PutRequest": {"Item": {"pk": {"S": pk}, **attributes}}}


def delete(pk):
    return {"DeleteRequest": {"Key": {"pk": {"S": pk}}}}


def keys(*pks):
    return [{"pk": {"S": pk}} for pk in pks]


def test_writes_and_reads_of_two_tables(client, tables):
    a, b = tables
    answer = client.batch_write_item(RequestItems={a: [put("1", x={"N": "1"}), put("2")], b: [put("3")]})
    assert answer["UnprocessedItems"] == {}
    answer = client.batch_write_item(RequestItems={a: [delete("2"), put("4")], b: [delete("never")]})
    assert answer["UnprocessedItems"] == {}
    answer = client.batch_get_item(RequestItems={a: {"Keys": keys("1", "2", "4")}, b: {"Keys": keys("3"), "ConsistentRead": True}})
    assert answer["UnprocessedKeys"] == {}
    assert sorted(item["pk"]["S"] for item in answer["Responses"][a]) == ["1", "4"]
    assert answer["Responses"][b] == keys("3")


def test_projection_is_per_table(client, tables):
    a, b = tables
    client.batch_write_item(RequestItems={a: [put("p", x={"N": "1"}, y={"N": "2"})], b: [put("p", x={"N": "1"}, y={"N": "2"})]})
    answer = client.batch_get_item(
        RequestItems={
            a: {"Keys": keys("p"), "ProjectionExpression": "#x", "ExpressionAttributeNames": {"#x": "x"}},
            b: {"Keys": keys("p"), "ProjectionExpression": "y"},
        }
    )
    assert answer["Responses"] == {a: [{"x": {"N": "1"}}], b: [{"y": {"N": "2"}}]}


def test_a_table_with_no_items_found_is_listed(client, tables):
    answer = client.batch_get_item(RequestItems={tables[0]: {"Keys": keys("nobody")}})
    assert answer["Responses"] == {tables[0]: []}


def test_capacity_charges_missing_keys(client, tables):
    a, b = tables
    client.put_item(TableName=a, Item={"pk": {"S": "c"}})
    answer = client.batch_get_item(
        RequestItems={a: {"Keys": keys("c", "missing")}, b: {"Keys": keys("missing"), "ConsistentRead": True}}, ReturnConsumedCapacity="TOTAL"
    )
    assert {c["TableName"]: c["CapacityUnits"] for c in answer["ConsumedCapacity"]} == {a: 1.0, b: 1.0}
    answer = client.batch_write_item(RequestItems={a: [put("c", x={"S": "x" * 1500}), delete("missing")]}, ReturnConsumedCapacity="INDEXES")
    assert answer["ConsumedCapacity"] == [{"TableName": a, "CapacityUnits": 3.0, "Table": {"CapacityUnits": 3.0}}]


def test_sizes_of_batches(client, tables):
    table = tables[0]
    assert client.batch_write_item(RequestItems={table: [put(str(n)) for n in range(25)]})["UnprocessedItems"] == {}
    message = invalid(client.batch_write_item, RequestItems={table: [put(str(n)) for n in range(26)]})
    assert message.startswith("1 validation error detected: ") and "Member must have length less than or equal to 25" in message
    message = invalid(client.batch_write_item, RequestItems={tables[0]: [put(str(n)) for n in range(13)], tables[1]: [put(str(n)) for n in range(13)]})
    assert message == "Too many items requested for the BatchWriteItem call"
    answer = client.batch_get_item(RequestItems={table: {"Keys": keys(*map(str, range(100)))}})
    assert len(answer["Responses"][table]) == 25
    message = invalid(client.batch_get_item, RequestItems={table: {"Keys": keys(*map(str, range(101)))}})
    assert message.endswith(f"at 'requestItems.{table}.member.keys' failed to satisfy constraint: Member must have length less than or equal to 100")
    message = invalid(
        client.batch_get_item, RequestItems={tables[0]: {"Keys": keys(*map(str, range(60)))}, tables[1]: {"Keys": keys(*map(str, range(60)))}}
    )
    assert message == "Too many items requested for the BatchGetItem call"


def test_duplicates(client, tables):
    table, sentence = tables[0], "Provided list of item keys contains duplicates"
    assert invalid(client.batch_write_item, RequestItems={table: [put("d"), put("d", x={"N": "1"})]}) == sentence
    assert invalid(client.batch_write_item, RequestItems={table: [put("d"), delete("d")]}) == sentence
    assert invalid(client.batch_get_item, RequestItems={table: {"Keys": keys("d", "e", "d")}}) == sentence
    # the same key in two tables is two items
    client.batch_write_item(RequestItems={tables[0]: [put("d")], tables[1]: [put("d")]})


@pytest.mark.parametrize(
    "writes, part",
    [
        ([], "Member must have length"),
        ([{}], "Supplied AttributeValue has more than one datatypes set, must contain exactly one of the supported datatypes"),
        ([{**put("x"), **delete("y")}], "Supplied AttributeValue has more than one datatypes set"),
        ([{"PutRequest": {}}], "member.putRequest.item' failed to satisfy constraint: Member must not be null"),
        ([{"DeleteRequest": {}}], "member.deleteRequest.key' failed to satisfy constraint: Member must not be null"),
        ([{"PutRequest": {"Item": {"x": {"S": "a"}}}}], "The provided key element does not match the schema"),
        ([{"PutRequest": {"Item": {"pk": {"N": "1"}}}}], "The provided key element does not match the schema"),
        ([{"DeleteRequest": {"Key": {"x": {"S": "a"}}}}], "The provided key element does not match the schema"),
        ([put("")], "cannot contain an empty string value. Key: pk"),
        ([put("ok"), put("bad", x={"N": "one"})], "one"),
    ],
)
def test_bad_writes(client, tables, writes, part):
    assert part in invalid(client.batch_write_item, RequestItems={tables[0]: writes})


def test_nothing_of_a_refused_batch_is_written(client, tables):
    pk = uuid.uuid4().hex
    invalid(client.batch_write_item, RequestItems={tables[0]: [put(pk), put("")]})
    assert "Item" not in client.get_item(TableName=tables[0], Key={"pk": {"S": pk}})


@pytest.mark.parametrize("call", ["batch_get_item", "batch_write_item"])
def test_an_empty_batch(client, tables, call):
    call = getattr(client, call)
    assert invalid(call, RequestItems={}).endswith("Member must have length greater than or equal to 1")


def test_no_table(client, tables):
    for call, wanted in ((client.batch_get_item, {"Keys": keys("a")}), (client.batch_write_item, [put("a")])):
        with pytest.raises(ClientError) as caught:
            call(RequestItems={tables[0]: wanted, "nosuch": wanted})
        assert caught.value.response["Error"]["Code"] == "ResourceNotFoundException"


def test_more_than_16_megabytes_is_left_for_later(client, tables):
    table = tables[1]
    pks = [f"big{n}" for n in range(45)]
    for pk in pks:
        client.put_item(TableName=table, Item={"pk": {"S": pk}, "x": {"S": "x" * 390 * 1024}})
    got, wanted, rounds = set(), {table: {"Keys": keys(*pks), "ProjectionExpression": "#k", "ExpressionAttributeNames": {"#k": "pk"}}}, 0
    while wanted:
        answer = client.batch_get_item(RequestItems=wanted)
        assert all(set(item) == {"pk"} for item in answer["Responses"][table])
        got |= {item["pk"]["S"] for item in answer["Responses"][table]}
        wanted, rounds = answer["UnprocessedKeys"], rounds + 1
    assert got == set(pks) and rounds == 2
    for at in range(0, len(pks), 25):
        client.batch_write_item(RequestItems={table: [delete(pk) for pk in pks[at : at + 25]]})


def test_the_batch_writer_of_boto3(client, tables):
    resource = boto3.resource(
        "dynamodb",
        endpoint_url=client.meta.endpoint_url,
        region_name=client.meta.region_name,
        aws_access_key_id="test",
        aws_secret_access_key="test",
    )
    table = resource.Table(tables[0])
    with table.batch_writer() as batch:
        for n in range(60):
            batch.put_item(Item={"pk": f"w{n}", "n": n})
    with table.batch_writer() as batch:
        for n in range(59):
            batch.delete_item(Key={"pk": f"w{n}"})
    assert table.get_item(Key={"pk": "w59"})["Item"]["n"] == 59
    assert "Item" not in table.get_item(Key={"pk": "w0"})
