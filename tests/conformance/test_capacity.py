"""Capacity: what operations tell that they consumed, and what happens where it is limited.

A bucket holds what 300 seconds give, and one request may take more than is in it: a table with 1 unit that was written 398 KB
refuses writes for the next 99 seconds.
"""

import pytest
from botocore.exceptions import ClientError
from conftest import wait_for

TABLE_SENTENCE = (
    "The level of configured provisioned throughput for the table was exceeded. "
    "Consider increasing your provisioning level with the UpdateTable API."
)
INDEX_SENTENCE = (
    "The level of configured provisioned throughput for one or more global secondary indexes of the table was exceeded. "
    "Consider increasing your provisioning level for the under-provisioned global secondary indexes with the UpdateTable API"
)
MAXIMUM_SENTENCE = "Throughput exceeds the maximum OnDemandThroughput configured on table or index"
KB = 1024
BIG = 398 * KB


@pytest.fixture(scope="module")
def db(region):
    return region.client(retries={"total_max_attempts": 1, "mode": "standard"})


def name_of(request):
    return "Cap_" + request.node.name.replace("[", "_").replace("]", "")[:60]


def make(db, name, read=None, write=None, indexes=(), **more):
    attributes = [{"AttributeName": "pk", "AttributeType": "S"}]
    for index in indexes:
        attributes += [{"AttributeName": k["AttributeName"], "AttributeType": "S"} for k in index["KeySchema"] if k["AttributeName"] != "pk"]
    if indexes:
        more["GlobalSecondaryIndexes"] = list(indexes)
    if read:
        more["ProvisionedThroughput"] = {"ReadCapacityUnits": read, "WriteCapacityUnits": write}
    else:
        more["BillingMode"] = "PAY_PER_REQUEST"
    db.create_table(
        TableName=name,
        KeySchema=[{"AttributeName": "pk", "KeyType": "HASH"}],
        AttributeDefinitions=attributes,
        **more,
    )
    db.get_waiter("table_exists").wait(TableName=name)
    return name


def index(name, key, projection="ALL", read=None, write=None, **more):
    if read:
        more["ProvisionedThroughput"] = {"ReadCapacityUnits": read, "WriteCapacityUnits": write}
    return {"IndexName": name, "KeySchema": [{"AttributeName": key, "KeyType": "HASH"}], "Projection": {"ProjectionType": projection}, **more}


def item(pk, size, **more):
    return {"pk": {"S": pk}, "data": {"S": "x" * size}, **more}


def refusal(call, **parameters):
    with pytest.raises(ClientError) as caught:
        call(**parameters)
    return caught.value.response


def check(response, exception, sentence, reason, resource):
    assert (response["Error"]["Code"], response["Error"]["Message"]) == (exception, sentence)
    reasons = response.get("ThrottlingReasons") or response.get("throttlingReasons")
    assert reasons == [{"reason": reason, "resource": f"arn:aws:dynamodb:us-east-1:000000000000:table/{resource}"}]


# --- limits ---


def test_writes_over_the_provisioned_rate_are_refused_until_it_is_made_up(db, request):
    table = make(db, name_of(request), 1, 1)
    db.put_item(TableName=table, Item=item("a", BIG))
    for call, parameters in (
        (db.put_item, {"Item": item("b", 1)}),
        (db.delete_item, {"Key": {"pk": {"S": "a"}}}),
        (db.update_item, {"Key": {"pk": {"S": "a"}}}),
        (db.batch_write_item, None),
    ):
        parameters = {"RequestItems": {table: [{"PutRequest": {"Item": item("b", 1)}}]}} if parameters is None else dict(parameters, TableName=table)
        check(refusal(call, **parameters), "ProvisionedThroughputExceededException", TABLE_SENTENCE, "TableWriteProvisionedThroughputExceeded", table)
    # Reads have a bucket of their own.
    assert db.get_item(TableName=table, Key={"pk": {"S": "a"}})["Item"]
    # More capacity holds at once.
    db.update_table(TableName=table, ProvisionedThroughput={"ReadCapacityUnits": 1, "WriteCapacityUnits": 10000})

    def goes():
        try:
            db.put_item(TableName=table, Item=item("b", 1))
            return True
        except ClientError as e:
            assert e.response["Error"]["Code"] == "ProvisionedThroughputExceededException"

    wait_for(goes, "the bucket filled up")
    db.delete_table(TableName=table)


def test_reads_are_charged_when_they_have_been_made(db, request):
    table = make(db, name_of(request), 1, 1000)
    db.put_item(TableName=table, Item=item("a", 390 * KB))
    reads = 0
    while reads < 10:
        try:
            db.get_item(TableName=table, Key={"pk": {"S": "a"}}, ConsistentRead=True)
        except ClientError as e:
            check(e.response, "ProvisionedThroughputExceededException", TABLE_SENTENCE, "TableReadProvisionedThroughputExceeded", table)
            break
        reads += 1
    # 96 units each: 300 pay for three, and the fourth begins while something is left.
    assert reads == 4
    for call, parameters in (
        (db.query, {"KeyConditionExpression": "pk = :p", "ExpressionAttributeValues": {":p": {"S": "a"}}}),
        (db.scan, {}),
    ):
        check(
            refusal(call, TableName=table, **parameters),
            "ProvisionedThroughputExceededException",
            TABLE_SENTENCE,
            "TableReadProvisionedThroughputExceeded",
            table,
        )
    check(
        refusal(db.batch_get_item, RequestItems={table: {"Keys": [{"pk": {"S": "a"}}]}}),
        "ProvisionedThroughputExceededException",
        TABLE_SENTENCE,
        "TableReadProvisionedThroughputExceeded",
        table,
    )
    db.delete_table(TableName=table)


def test_what_of_a_batch_was_refused_comes_back(db, request):
    table, free = make(db, name_of(request), 1, 1), make(db, name_of(request) + "_free")
    writes = [{"PutRequest": {"Item": item(f"k{i}", 100 * KB)}} for i in range(8)]
    response = db.batch_write_item(RequestItems={table: writes[:7], free: writes[7:]})
    left = response["UnprocessedItems"]
    # 101 units each of 300: the fourth would find the bucket empty.
    assert list(left) == [table] and len(left[table]) == 4
    keys = [{"pk": {"S": "k7"}}]
    for _ in range(20):  # 25 units each
        got = db.batch_get_item(RequestItems={table: {"Keys": [{"pk": {"S": "k0"}}], "ConsistentRead": True}, free: {"Keys": keys}})
        if got["UnprocessedKeys"]:
            break
    assert got["UnprocessedKeys"] == {table: {"Keys": [{"pk": {"S": "k0"}}], "ConsistentRead": True}}
    assert len(got["Responses"][free]) == 1
    db.delete_table(TableName=table)
    db.delete_table(TableName=free)


def test_a_global_index_that_is_exhausted_stops_the_writes_that_need_it(db, request):
    table = make(db, name_of(request), 1000, 1000, [index("by_k", "k", read=1, write=1)])
    db.put_item(TableName=table, Item=item("a", BIG, k={"S": "x"}))
    check(
        refusal(db.put_item, TableName=table, Item=item("b", 1, k={"S": "x"})),
        "ProvisionedThroughputExceededException",
        INDEX_SENTENCE,
        "IndexWriteProvisionedThroughputExceeded",
        table + "/index/by_k",
    )
    db.put_item(TableName=table, Item=item("c", 1))
    db.delete_table(TableName=table)


def test_transactions_and_statements_meet_the_same_limits(db, request):
    table = make(db, name_of(request), 1, 1)
    db.put_item(TableName=table, Item=item("a", BIG))
    response = refusal(db.transact_write_items, TransactItems=[{"Put": {"TableName": table, "Item": item("b", 1)}}])
    assert response["Error"]["Code"] == "TransactionCanceledException"
    (reason,) = response["CancellationReasons"]
    assert (reason["Code"], reason["Message"]) == ("ProvisionedThroughputExceeded", TABLE_SENTENCE)
    check(
        refusal(db.execute_statement, Statement=f"DELETE FROM \"{table}\" WHERE pk = 'a'"),
        "ProvisionedThroughputExceededException",
        TABLE_SENTENCE,
        "TableWriteProvisionedThroughputExceeded",
        table,
    )
    (answer,) = db.batch_execute_statement(Statements=[{"Statement": f"INSERT INTO \"{table}\" VALUE {{'pk': 'c'}}"}])["Responses"]
    assert answer["Error"]["Code"] == "ProvisionedThroughputExceeded"
    # Reads: one large transaction empties the bucket.
    for _ in range(2):
        db.transact_get_items(TransactItems=[{"Get": {"TableName": table, "Key": {"pk": {"S": "a"}}}}])
    response = refusal(db.transact_get_items, TransactItems=[{"Get": {"TableName": table, "Key": {"pk": {"S": "a"}}}}])
    assert [r["Code"] for r in response["CancellationReasons"]] == ["ProvisionedThroughputExceeded"]
    db.delete_table(TableName=table)


def test_on_demand_maximums_hold(db, request):
    table = make(db, name_of(request), OnDemandThroughput={"MaxReadRequestUnits": 1, "MaxWriteRequestUnits": 1})
    db.put_item(TableName=table, Item=item("a", BIG))
    check(
        refusal(db.put_item, TableName=table, Item=item("b", 1)),
        "ThrottlingException",
        MAXIMUM_SENTENCE,
        "TableWriteMaxOnDemandThroughputExceeded",
        table,
    )
    db.delete_table(TableName=table)


def test_a_failed_condition_and_a_missing_item_cost_too(db, request):
    table = make(db, name_of(request), 1, 1)
    db.put_item(TableName=table, Item=item("a", 1))
    failing = {"Item": item("a", BIG), "ConditionExpression": "attribute_not_exists(pk)"}
    for exception in ("ConditionalCheckFailedException", "ProvisionedThroughputExceededException"):
        assert refusal(db.put_item, TableName=table, **failing)["Error"]["Code"] == exception
    db.delete_table(TableName=table)


def test_limits_that_are_only_described_refuse_nothing(fresh_region):
    fresh_region.stop()
    fresh_region.lines = 'throttling = "off";\n'
    fresh_region.start()
    db = fresh_region.client(retries={"total_max_attempts": 1, "mode": "standard"})
    table = make(db, "Described", 1, 1)
    for i in range(3):
        db.put_item(TableName=table, Item=item(f"k{i}", BIG))


def test_capacity_is_lowered_four_times_a_day_and_then_hourly(db, request):
    table = make(db, name_of(request), 10, 10)
    for units in (9, 8, 7, 6):
        db.update_table(TableName=table, ProvisionedThroughput={"ReadCapacityUnits": units, "WriteCapacityUnits": 20 - units})
    described = db.describe_table(TableName=table)["Table"]["ProvisionedThroughput"]
    assert described["NumberOfDecreasesToday"] == 4 and {"LastIncreaseDateTime", "LastDecreaseDateTime"} <= set(described)
    error = refusal(db.update_table, TableName=table, ProvisionedThroughput={"ReadCapacityUnits": 5, "WriteCapacityUnits": 30})["Error"]
    assert error["Code"] == "LimitExceededException"
    assert error["Message"].startswith(
        "Subscriber limit exceeded: Provisioned throughput decreases are limited within a given UTC day. After the first 4 decreases, "
        "each subsequent decrease in the same UTC day can be performed at most once every 3600 seconds. Number of decreases today: 4. Last decrease at "
    )
    db.update_table(TableName=table, ProvisionedThroughput={"ReadCapacityUnits": 6, "WriteCapacityUnits": 30})
    db.delete_table(TableName=table)


def test_a_table_may_have_what_describe_limits_tells(db, request):
    limits = db.describe_limits()
    most = limits["TableMaxWriteCapacityUnits"]
    assert most == limits["TableMaxReadCapacityUnits"] == 40000
    sentence = (
        "The requested {}, {}, is above the per table maximum for the account in us-east-1. Per table maximum: 40000. "
        "Refer to the Amazon DynamoDB Developer Guide for current limits and how to request higher limits."
    )
    with pytest.raises(ClientError) as caught:
        make(db, name_of(request) + "_more", most + 1, 1)
    assert caught.value.response["Error"]["Code"] == "LimitExceededException"
    assert caught.value.response["Error"]["Message"] == sentence.format("ReadCapacityUnits", most + 1)
    table = make(db, name_of(request), most, most)
    error = refusal(db.update_table, TableName=table, ProvisionedThroughput={"ReadCapacityUnits": 1, "WriteCapacityUnits": most + 2})["Error"]
    assert (error["Code"], error["Message"]) == ("LimitExceededException", sentence.format("WriteCapacityUnits", most + 2))
    db.delete_table(TableName=table)


# --- what is told ---


def consumed(response):
    return response["ConsumedCapacity"]


def units(n):
    return {"CapacityUnits": n}


@pytest.fixture(scope="module")
def indexed(db):
    """Two global indexes and a local one."""
    name = "Cap_indexed"
    db.create_table(
        TableName=name,
        BillingMode="PAY_PER_REQUEST",
        KeySchema=[{"AttributeName": "pk", "KeyType": "HASH"}, {"AttributeName": "sk", "KeyType": "RANGE"}],
        AttributeDefinitions=[{"AttributeName": a, "AttributeType": "S"} for a in ("pk", "sk", "a", "b", "l")],
        GlobalSecondaryIndexes=[index("all", "a"), index("keys", "b", "KEYS_ONLY")],
        LocalSecondaryIndexes=[
            {
                "IndexName": "local",
                "KeySchema": [{"AttributeName": "pk", "KeyType": "HASH"}, {"AttributeName": "l", "KeyType": "RANGE"}],
                "Projection": {"ProjectionType": "KEYS_ONLY"},
            }
        ],
    )
    db.get_waiter("table_exists").wait(TableName=name)
    yield name
    db.delete_table(TableName=name)


def put(db, table, level="INDEXES", **attributes):
    attributes = {"pk": {"S": "p"}, "sk": {"S": "s"}, **{k: {"S": v} for k, v in attributes.items()}}
    return consumed(db.put_item(TableName=table, Item=attributes, ReturnConsumedCapacity=level))


def test_writes_are_itemised_by_what_changes_in_each_index(db, indexed):
    told = put(db, indexed, a="1", b="1", l="1", data="x" * 3000)
    assert told == {
        "TableName": indexed,
        "CapacityUnits": 8.0,
        "Table": units(3.0),
        "GlobalSecondaryIndexes": {"all": units(3.0), "keys": units(1.0)},
        "LocalSecondaryIndexes": {"local": units(1.0)},
    }
    # Nothing that is projected to `keys` and `local` changes.
    assert put(db, indexed, a="1", b="1", l="1", data="y" * 3000) == {
        "TableName": indexed,
        "CapacityUnits": 6.0,
        "Table": units(3.0),
        "GlobalSecondaryIndexes": {"all": units(3.0)},
    }
    # A key that changes: the old entry goes, the new one comes.
    assert put(db, indexed, a="2", b="1", l="1", data="y" * 3000)["GlobalSecondaryIndexes"] == {"all": units(6.0)}
    # An entry that goes is one write.
    assert put(db, indexed, a="2", l="1", data="y" * 3000) == {
        "TableName": indexed,
        "CapacityUnits": 7.0,
        "Table": units(3.0),
        "GlobalSecondaryIndexes": {"all": units(3.0), "keys": units(1.0)},
    }
    assert put(db, indexed, "TOTAL", a="2", l="1", data="y" * 3000) == {"TableName": indexed, "CapacityUnits": 3.0}
    key = {"pk": {"S": "p"}, "sk": {"S": "s"}}
    told = consumed(db.delete_item(TableName=indexed, Key=key, ReturnConsumedCapacity="INDEXES"))
    assert told["CapacityUnits"] == 7.0 and told["LocalSecondaryIndexes"] == {"local": units(1.0)}
    told = consumed(db.delete_item(TableName=indexed, Key=key, ReturnConsumedCapacity="INDEXES"))
    assert told == {"TableName": indexed, "CapacityUnits": 1.0, "Table": units(1.0)}


def test_reads_of_indexes_are_told_as_theirs(db, indexed):
    for i in range(3):
        db.put_item(TableName=indexed, Item={"pk": {"S": "q"}, "sk": {"S": str(i)}, "a": {"S": "r"}, "l": {"S": str(i)}, "data": {"S": "x" * 3000}})

    def query(name, condition, consistent=False):
        values = {":v": {"S": "r" if name == "all" else "q"}}
        return consumed(
            db.query(
                TableName=indexed,
                IndexName=name,
                KeyConditionExpression=condition,
                ExpressionAttributeValues=values,
                ConsistentRead=consistent,
                ReturnConsumedCapacity="INDEXES",
            )
        )

    assert query("all", "a = :v") == {
        "TableName": indexed,
        "CapacityUnits": 1.5,
        "Table": units(0.0),
        "GlobalSecondaryIndexes": {"all": units(1.5)},
    }
    assert query("local", "pk = :v", True) == {
        "TableName": indexed,
        "CapacityUnits": 1.0,
        "Table": units(0.0),
        "LocalSecondaryIndexes": {"local": units(1.0)},
    }


def test_batches_tell_it_for_each_table(db, indexed, request):
    other = make(db, name_of(request))
    writes = [{"PutRequest": {"Item": item(str(i), 1)}} for i in range(3)]
    both = {other: writes, indexed: [{"PutRequest": {"Item": {"pk": {"S": "b"}, "sk": {"S": "b"}, "b": {"S": "b"}}}}]}
    told = {c["TableName"]: c for c in consumed(db.batch_write_item(RequestItems=both, ReturnConsumedCapacity="INDEXES"))}
    assert told[other] == {"TableName": other, "CapacityUnits": 3.0, "Table": units(3.0)}
    assert told[indexed] == {
        "TableName": indexed,
        "CapacityUnits": 2.0,
        "Table": units(1.0),
        "GlobalSecondaryIndexes": {"keys": units(1.0)},
    }
    db.delete_table(TableName=other)


def test_transactions_cost_twice_and_say_of_what(db, indexed):
    put_one = {"Put": {"TableName": indexed, "Item": {"pk": {"S": "t"}, "sk": {"S": "t"}, "a": {"S": "t"}}}}
    (told,) = consumed(db.transact_write_items(TransactItems=[put_one], ReturnConsumedCapacity="INDEXES"))
    two = {"CapacityUnits": 2.0, "WriteCapacityUnits": 2.0}
    assert told == {
        "TableName": indexed,
        "CapacityUnits": 4.0,
        "WriteCapacityUnits": 4.0,
        "Table": two,
        "GlobalSecondaryIndexes": {"all": two},
    }
    get_one = {"Get": {"TableName": indexed, "Key": {"pk": {"S": "t"}, "sk": {"S": "t"}}}}
    (told,) = consumed(db.transact_get_items(TransactItems=[get_one], ReturnConsumedCapacity="TOTAL"))
    assert told == {"TableName": indexed, "CapacityUnits": 2.0, "ReadCapacityUnits": 2.0}


def test_a_replica_may_have_reads_of_its_own(cluster):
    one, two = cluster[0].client(), cluster[1].client()
    table = make(one, "CapOverride", 5, 5)
    create = {"Create": {"RegionName": cluster[1].name, "ProvisionedThroughputOverride": {"ReadCapacityUnits": 7}}}
    one.update_table(TableName=table, ReplicaUpdates=[create])

    def described(client):
        return client.describe_table(TableName=table)["Table"]

    def units(client):
        told = described(client)["ProvisionedThroughput"]
        return told["ReadCapacityUnits"], told["WriteCapacityUnits"]

    def replica(client):
        (told,) = described(client).get("Replicas", [None])
        return told

    wait_for(lambda: replica(one)["ReplicaStatus"] == "ACTIVE", "the replica")
    assert replica(one)["ProvisionedThroughputOverride"] == {"ReadCapacityUnits": 7}
    wait_for(lambda: units(two) == (7, 5), "the replica's own reads")
    assert units(one) == (5, 5)
    wait_for(lambda: described(two)["TableStatus"] == "ACTIVE" and described(one)["TableStatus"] == "ACTIVE", "both tables")
    update = {"Update": {"RegionName": cluster[1].name, "ProvisionedThroughputOverride": {"ReadCapacityUnits": 9}}}
    one.update_table(TableName=table, ReplicaUpdates=[update])
    wait_for(lambda: units(two) == (9, 5), "more reads")
    # There, UpdateTable changes its own reads, and the writes of all.
    two.update_table(TableName=table, ProvisionedThroughput={"ReadCapacityUnits": 11, "WriteCapacityUnits": 6})
    assert units(two) == (11, 6)
    wait_for(lambda: units(one) == (5, 6), "the writes of all")
    assert "not part of the global table" in refusal(
        one.update_table, TableName=table, ReplicaUpdates=[{"Update": dict(update["Update"], RegionName=cluster[2].name)}]
    )["Error"]["Message"]
    one.update_table(TableName=table, BillingMode="PAY_PER_REQUEST")
    assert refusal(one.update_table, TableName=table, ReplicaUpdates=[update])["Error"]["Code"] == "ValidationException"
