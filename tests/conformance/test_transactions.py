"""TransactWriteItems and TransactGetItems through boto3, and what many clients at once see of them."""

import concurrent.futures
import random
import threading
import uuid

import boto3
import pytest
from boto3.dynamodb.types import TypeSerializer
from botocore.exceptions import ClientError

ACCOUNTS = 12
OPENING = 100
CLIENTS = 32
TRANSFERS = 25


def create(client, name, sort=False):
    keys = [("pk", "HASH", "S")] + ([("sk", "RANGE", "N")] if sort else [])
    client.create_table(
        TableName=name,
        KeySchema=[{"AttributeName": n, "KeyType": k} for n, k, _ in keys],
        AttributeDefinitions=[{"AttributeName": n, "AttributeType": t} for n, _, t in keys],
        BillingMode="PAY_PER_REQUEST",
    )
    client.get_waiter("table_exists").wait(TableName=name, WaiterConfig={"Delay": 1, "MaxAttempts": 30})


@pytest.fixture(scope="module")
def tables(client):
    names = ["transact-" + uuid.uuid4().hex[:12] for _ in range(2)]
    create(client, names[0])
    create(client, names[1], sort=True)
    yield names
    for name in names:
        client.delete_table(TableName=name)


def put(table, pk, condition=None, **attributes):
    action = {"TableName": table, "Item": {"pk": {"S": pk}, **attributes}}
    return {"Put": action if condition is None else action | {"ConditionExpression": condition}}


def get(client, table, *pks):
    answer = client.transact_get_items(TransactItems=[{"Get": {"TableName": table, "Key": {"pk": {"S": pk}}}} for pk in pks])
    return [r.get("Item") for r in answer["Responses"]]


def cancelled(call, **arguments):
    with pytest.raises(ClientError) as caught:
        call(**arguments)
    response = caught.value.response
    assert response["Error"]["Code"] == "TransactionCanceledException", caught.value
    codes = [reason["Code"] for reason in response["CancellationReasons"]]
    assert response["Error"]["Message"] == f"Transaction cancelled, please refer cancellation reasons for specific reasons [{', '.join(codes)}]"
    assert response["ResponseMetadata"]["HTTPStatusCode"] == 400
    return response["CancellationReasons"]


def test_two_tables_in_one_transaction(client, tables):
    a, b = tables
    client.transact_write_items(TransactItems=[put(a, "1", n={"N": "1"}), put(b, "1", sk={"N": "2"})])
    client.transact_write_items(
        TransactItems=[
            {"Update": {"TableName": a, "Key": {"pk": {"S": "1"}}, "UpdateExpression": "ADD n :n", "ExpressionAttributeValues": {":n": {"N": "4"}}}},
            {"Delete": {"TableName": b, "Key": {"pk": {"S": "1"}, "sk": {"N": "2"}}}},
            {"ConditionCheck": {"TableName": b, "Key": {"pk": {"S": "1"}, "sk": {"N": "3"}}, "ConditionExpression": "attribute_not_exists(pk)"}},
        ]
    )
    answer = client.transact_get_items(
        TransactItems=[
            {"Get": {"TableName": b, "Key": {"pk": {"S": "1"}, "sk": {"N": "2"}}}},
            {"Get": {"TableName": a, "Key": {"pk": {"S": "1"}}, "ProjectionExpression": "#n", "ExpressionAttributeNames": {"#n": "n"}}},
        ]
    )
    assert answer["Responses"] == [{}, {"Item": {"n": {"N": "5"}}}]


def test_reasons_stand_in_the_order_of_the_actions(client, tables):
    a, _ = tables
    client.transact_write_items(TransactItems=[put(a, "there", x={"S": "y"})])
    old = put(a, "there", "attribute_not_exists(pk)")
    old["Put"]["ReturnValuesOnConditionCheckFailure"] = "ALL_OLD"
    reasons = cancelled(client.transact_write_items, TransactItems=[put(a, "new"), old, put(a, "there2", "attribute_exists(pk)")])
    assert reasons == [
        {"Code": "None"},
        {"Item": {"pk": {"S": "there"}, "x": {"S": "y"}}, "Code": "ConditionalCheckFailed", "Message": "The conditional request failed"},
        {"Code": "ConditionalCheckFailed", "Message": "The conditional request failed"},
    ]
    assert get(client, a, "new", "there") == [None, {"pk": {"S": "there"}, "x": {"S": "y"}}]


def test_boto3_names_the_exception(client, tables):
    a, _ = tables
    with pytest.raises(client.exceptions.TransactionCanceledException):
        client.transact_write_items(TransactItems=[put(a, "never", "attribute_exists(pk)")])
    token = str(uuid.uuid4())
    client.transact_write_items(TransactItems=[put(a, "t")], ClientRequestToken=token)
    with pytest.raises(client.exceptions.IdempotentParameterMismatchException):
        client.transact_write_items(TransactItems=[put(a, "t", x={"S": "other"})], ClientRequestToken=token)


def test_a_hundred_actions(client, tables):
    a, _ = tables
    client.transact_write_items(TransactItems=[put(a, f"h{i}") for i in range(100)])
    assert all(get(client, a, *[f"h{i}" for i in range(100)]))
    for call, items in (
        (client.transact_write_items, [put(a, f"h{i}") for i in range(101)]),
        (client.transact_get_items, [{"Get": {"TableName": a, "Key": {"pk": {"S": f"h{i}"}}}} for i in range(101)]),
    ):
        with pytest.raises(ClientError, match="at 'transactItems' failed to satisfy constraint: Member must have length less than or equal to 100$"):
            call(TransactItems=items)


def test_capacity_is_double_and_a_repeated_call_reads(client, tables):
    a, _ = tables
    call = {"TransactItems": [put(a, "big", x={"S": "x" * 5000}), put(a, "small")], "ClientRequestToken": str(uuid.uuid4()), "ReturnConsumedCapacity": "INDEXES"}
    (used,) = client.transact_write_items(**call)["ConsumedCapacity"]
    assert used == {"TableName": a, "CapacityUnits": 12.0, "WriteCapacityUnits": 12.0, "Table": {"CapacityUnits": 12.0, "WriteCapacityUnits": 12.0}}
    (used,) = client.transact_write_items(**call)["ConsumedCapacity"]
    assert used == {"TableName": a, "CapacityUnits": 6.0, "ReadCapacityUnits": 6.0, "Table": {"CapacityUnits": 6.0, "ReadCapacityUnits": 6.0}}
    gets = [{"Get": {"TableName": a, "Key": {"pk": {"S": pk}}}} for pk in ("big", "missing")]
    (used,) = client.transact_get_items(TransactItems=gets, ReturnConsumedCapacity="TOTAL")["ConsumedCapacity"]
    assert used == {"TableName": a, "CapacityUnits": 6.0, "ReadCapacityUnits": 6.0}


def test_a_token_outlives_a_restart(region, client, tables):
    a, _ = tables
    token = str(uuid.uuid4())
    count = {"Update": {"TableName": a, "Key": {"pk": {"S": "once"}}, "UpdateExpression": "ADD n :n", "ExpressionAttributeValues": {":n": {"N": "1"}}}}
    client.transact_write_items(TransactItems=[count], ClientRequestToken=token)
    region.stop(9)
    region.start()
    client.transact_write_items(TransactItems=[count], ClientRequestToken=token)
    assert get(client, a, "once") == [{"pk": {"S": "once"}, "n": {"N": "1"}}]


def accounts(client, table):
    items = get(client, table, *[f"account{i}" for i in range(ACCOUNTS)])
    return [int(item["balance"]["N"]) for item in items]


def move(table, source, target, amount):
    def change(pk, sign, condition=None):
        action = {
            "TableName": table,
            "Key": {"pk": {"S": pk}},
            "UpdateExpression": f"SET balance = balance {sign} :a ADD moves :one",
            "ExpressionAttributeValues": {":a": {"N": str(amount)}, ":one": {"N": "1"}},
        }
        return {"Update": action | ({"ConditionExpression": condition} if condition else {})}

    return [change(f"account{source}", "-", "balance >= :a"), change(f"account{target}", "+")]


def test_transfers_by_many_clients_keep_the_sum(region, client, tables):
    """32 clients, each call made twice with its token: the sum holds at every look, and no transfer is lost or made twice."""
    a, _ = tables
    client.transact_write_items(TransactItems=[put(a, f"account{i}", balance={"N": str(OPENING)}, moves={"N": "0"}) for i in range(ACCOUNTS)])
    ended = threading.Event()
    expected = [[OPENING, 0] for _ in range(ACCOUNTS)]
    lock = threading.Lock()

    def transfer(seed):
        own, chance = region.client(), random.Random(seed)
        for n in range(TRANSFERS):
            source, target = chance.sample(range(ACCOUNTS), 2)
            call = {"TransactItems": move(a, source, target, amount := chance.randint(1, 40)), "ClientRequestToken": f"{seed}-{n}-{uuid.uuid4().hex[:8]}"}
            try:
                own.transact_write_items(**call)
            except ClientError as error:
                codes = [r["Code"] for r in error.response["CancellationReasons"]]
                assert codes == ["ConditionalCheckFailed", "None"]
                continue
            own.transact_write_items(**call)
            with lock:
                expected[source][0] -= amount
                expected[target][0] += amount
                expected[source][1] += 1
                expected[target][1] += 1

    def watch():
        own, looks = region.client(), 0
        while not ended.is_set():
            assert sum(accounts(own, a)) == ACCOUNTS * OPENING
            looks += 1
        return looks

    with concurrent.futures.ThreadPoolExecutor(CLIENTS + 2) as pool:
        watchers = [pool.submit(watch) for _ in range(2)]
        try:
            for future in [pool.submit(transfer, seed) for seed in range(CLIENTS)]:
                future.result()
        finally:
            ended.set()
        assert all(w.result() > 0 for w in watchers)
    items = get(client, a, *[f"account{i}" for i in range(ACCOUNTS)])
    assert [[int(i["balance"]["N"]), int(i["moves"]["N"])] for i in items] == expected


def test_the_resource_layer(region, tables):
    a, _ = tables
    resource = boto3.resource("dynamodb", endpoint_url=region.url, region_name=region.name, aws_access_key_id="t", aws_secret_access_key="t")
    resource.meta.client.transact_write_items(TransactItems=[{"Put": {"TableName": a, "Item": {"pk": "resource", "tags": {"x", "y"}}}}])
    assert resource.Table(a).get_item(Key={"pk": "resource"})["Item"]["tags"] == {"x", "y"}
    assert TypeSerializer().serialize({"x", "y"})["SS"]


def test_indexes_and_collections(client):
    name = "transact-" + uuid.uuid4().hex[:12]
    client.create_table(
        TableName=name,
        KeySchema=[{"AttributeName": "pk", "KeyType": "HASH"}, {"AttributeName": "sk", "KeyType": "RANGE"}],
        AttributeDefinitions=[{"AttributeName": n, "AttributeType": "S"} for n in ("pk", "sk", "kind")],
        LocalSecondaryIndexes=[
            {
                "IndexName": "kinds",
                "KeySchema": [{"AttributeName": "pk", "KeyType": "HASH"}, {"AttributeName": "kind", "KeyType": "RANGE"}],
                "Projection": {"ProjectionType": "ALL"},
            }
        ],
        BillingMode="PAY_PER_REQUEST",
    )
    client.get_waiter("table_exists").wait(TableName=name, WaiterConfig={"Delay": 1, "MaxAttempts": 30})
    try:
        items = [put(name, "a", sk={"S": n}, kind={"S": "x"}) for n in ("1", "2")]
        answer = client.transact_write_items(TransactItems=items, ReturnItemCollectionMetrics="SIZE")
        assert answer["ItemCollectionMetrics"] == {name: [{"ItemCollectionKey": {"pk": {"S": "a"}}, "SizeEstimateRangeGB": [0.0, 1.0]}] * 2}
        found = client.query(TableName=name, IndexName="kinds", KeyConditionExpression="pk = :p AND kind = :k", ExpressionAttributeValues={":p": {"S": "a"}, ":k": {"S": "x"}})
        assert found["Count"] == 2
        reasons = cancelled(client.transact_write_items, TransactItems=[put(name, "b", sk={"S": "1"}), put(name, "b", sk={"S": "2"}, kind={"N": "5"})])
        mismatch = "One or more parameter values were invalid: Type mismatch for Index Key kind Expected: S Actual: N IndexName: kinds"
        assert reasons == [{"Code": "None"}, {"Code": "ValidationError", "Message": mismatch}]
        with pytest.raises(ClientError, match="A value specified for a secondary index key is not supported"):
            client.transact_write_items(TransactItems=[put(name, "b", sk={"S": "1"}, kind={"S": ""})])
    finally:
        client.delete_table(TableName=name)
