"""Secondary indexes through boto3: made with a table and later, read, and what they ask of items. Sentences are DynamoDB's."""

import random
import uuid

import pytest
from botocore.exceptions import ClientError

from conftest import Region, wait_for

INVALID = "One or more parameter values were invalid: "
ALL, KEYS = {"ProjectionType": "ALL"}, {"ProjectionType": "KEYS_ONLY"}
PEOPLE = 23


def include(*names):
    return {"ProjectionType": "INCLUDE", "NonKeyAttributes": list(names)}


def keys(*names, hashes=1):
    return [{"AttributeName": n, "KeyType": "HASH" if i < hashes else "RANGE"} for i, n in enumerate(names)]


def types(**named):
    return [{"AttributeName": n, "AttributeType": t} for n, t in named.items()]


def index(name, *names, hashes=1, projection=ALL, **more):
    return {"IndexName": name, "KeySchema": keys(*names, hashes=hashes), "Projection": projection, **more}


def refused(call, **arguments):
    with pytest.raises(ClientError) as caught:
        call(**arguments)
    error = caught.value.response["Error"]
    return error["Code"], error["Message"]


def invalid(call, **arguments):
    code, message = refused(call, **arguments)
    assert code == "ValidationException", (code, message)
    return message


def new_name():
    return "indexes-" + uuid.uuid4().hex[:12]


def described(client, table):
    return client.describe_table(TableName=table)["Table"]


def indexes_of(client, table):
    return {i["IndexName"]: i for i in described(client, table).get("GlobalSecondaryIndexes", [])}


def wait_active(client, table):
    wait_for(lambda: all(i["IndexStatus"] == "ACTIVE" for i in indexes_of(client, table).values()), "indexes are ACTIVE")


def put_all(client, table, items):
    for at in range(0, len(items), 25):
        client.batch_write_item(RequestItems={table: [{"PutRequest": {"Item": i}} for i in items[at : at + 25]]})


SCHEMA = {
    "KeySchema": keys("pk", "sk"),
    "AttributeDefinitions": types(pk="S", sk="N", city="S", age="N", day="B"),
    "BillingMode": "PAY_PER_REQUEST",
    "LocalSecondaryIndexes": [index("by-city", "pk", "city"), index("by-age", "pk", "age", projection=include("name"))],
    "GlobalSecondaryIndexes": [
        index("city", "city", "age"),
        index("age", "age", projection=include("name", "x")),
        index("keys", "city", projection=KEYS),
        index("many", "city", "pk", "age", "day", hashes=2, projection=include("name")),
    ],
}
PROJECTED = {"city": None, "by-city": None, "age": {"pk", "sk", "age", "name", "x"}, "keys": {"pk", "sk", "city"},
             "many": {"pk", "sk", "city", "age", "day", "name"}, "by-age": {"pk", "sk", "age", "name"}}  # fmt: skip
KEYS_OF = {i["IndexName"]: [k["AttributeName"] for k in i["KeySchema"]] for k in ("LocalSecondaryIndexes", "GlobalSecondaryIndexes") for i in SCHEMA[k]}


def person(n):
    item = {"pk": {"S": f"p{n % 4}"}, "sk": {"N": str(n)}, "name": {"S": f"name {n}"}, "rest": {"S": "r" * 50}}
    if n % 5:
        item["city"] = {"S": ["Oslo", "Bergen", "Molde"][n % 3]}
    if n % 7:
        item["age"] = {"N": str(n % 6 - 2)}
    item["day"] = {"B": bytes([n % 2])}
    return item


@pytest.fixture(scope="module")
def people(client):
    name = new_name()
    client.create_table(TableName=name, **SCHEMA)
    put_all(client, name, [person(n) for n in range(PEOPLE)])
    yield name
    client.delete_table(TableName=name)


def expected(name, items):
    """What an index has of these items."""
    wanted = PROJECTED[name]
    found = [i for i in items if all(k in i for k in KEYS_OF[name])]
    return [{k: v for k, v in i.items() if wanted is None or k in wanted} for i in found]


def in_order(items):
    return sorted(items, key=lambda i: float(i["sk"]["N"]))


def pages(call, **arguments):
    while True:
        answer = call(**arguments)
        yield from answer["Items"]
        if "LastEvaluatedKey" not in answer:
            return
        arguments["ExclusiveStartKey"] = answer["LastEvaluatedKey"]


# --- reading ---


@pytest.mark.parametrize("limit", [None, 1, 4])
@pytest.mark.parametrize("name", sorted(PROJECTED))
def test_a_scan_shows_the_projection_of_the_items_that_have_the_key(client, people, name, limit):
    more = {} if limit is None else {"Limit": limit}
    items = list(pages(client.scan, TableName=people, IndexName=name, **more))
    assert in_order(items) == in_order(expected(name, [person(n) for n in range(PEOPLE)]))


@pytest.mark.parametrize("name", ["city", "age", "by-city"])
def test_segments_are_a_division_of_the_index(client, people, name):
    parts = [list(pages(client.scan, TableName=people, IndexName=name, Segment=s, TotalSegments=3, Limit=2)) for s in range(3)]
    assert in_order(sum(parts, [])) == in_order(expected(name, [person(n) for n in range(PEOPLE)]))


@pytest.mark.parametrize("forward", [True, False])
@pytest.mark.parametrize("limit", [1, 3, 50])
def test_a_query_is_in_the_order_of_the_sort_key_page_by_page(client, people, forward, limit):
    found = list(
        pages(
            client.query, TableName=people, IndexName="city", KeyConditionExpression="city = :c AND age BETWEEN :low AND :high", Limit=limit,
            ExpressionAttributeValues={":c": {"S": "Oslo"}, ":low": {"N": "-1"}, ":high": {"N": "2"}}, ScanIndexForward=forward,
        )
    )  # fmt: skip
    wanted = [i for i in expected("city", [person(n) for n in range(PEOPLE)]) if i["city"]["S"] == "Oslo" and -1 <= int(i["age"]["N"]) <= 2]
    assert wanted and in_order(found) == in_order(wanted)
    ages = [int(i["age"]["N"]) for i in found]
    assert ages == sorted(ages, reverse=not forward)


def test_a_last_evaluated_key_has_the_keys_of_table_and_index(client, people):
    answer = client.query(
        TableName=people, IndexName="many", KeyConditionExpression="city = :c AND pk = :p", Limit=1,
        ExpressionAttributeValues={":c": {"S": "Oslo"}, ":p": {"S": "p1"}},
    )  # fmt: skip
    assert sorted(answer["LastEvaluatedKey"]) == ["age", "city", "day", "pk", "sk"]


def query(client, table, name, condition, start=None, **values):
    more = {} if start is None else {"ExclusiveStartKey": start}
    values = {":" + k: v for k, v in values.items()}
    return {"TableName": table, "IndexName": name, "KeyConditionExpression": condition, "ExpressionAttributeValues": values, **more}


OSLO = {"c": {"S": "Oslo"}}
MANY = {**OSLO, "p": {"S": "p1"}}
START = {"pk": {"S": "p3"}, "sk": {"N": "3"}, "city": {"S": "Oslo"}, "age": {"N": "1"}}


@pytest.mark.parametrize(
    "name, condition, values, message",
    [
        ("nosuch", "city = :c", OSLO, "The table does not have the specified index: nosuch"),
        ("city", "pk = :c", OSLO, "Query condition missed key schema element: city"),
        ("city", "city > :c", OSLO, "Query key condition not supported"),
        ("city", "city = :c AND pk = :c", OSLO, "Query condition missed key schema element: age"),
        ("city", "city = :c AND age = :c", OSLO, INVALID + "Condition parameter type does not match schema type"),
        ("many", "city = :c", OSLO, "HASH key attributes pk must have equality conditions specified in the query"),
        ("many", "age = :c", OSLO, "HASH key attributes city, pk must have equality conditions specified in the query"),
        ("many", "city = :c AND pk > :p", MANY, "HASH key attributes pk must have equality conditions specified in the query"),
        ("many", "city = :c AND pk = :p AND #day = :d", {**MANY, "d": {"B": b"a"}},
         "RANGE key attributes age must have equality conditions specified in the query because a condition is present on key attribute day"),
        ("many", "city = :c AND pk = :p AND age > :a AND #day = :d", {**MANY, "d": {"B": b"a"}, "a": {"N": "1"}},
         "RANGE key attributes age must have equality conditions specified in the query because a condition is present on key attribute day"),
    ],
)  # fmt: skip
def test_key_conditions_that_do_not_suit_the_index(client, people, name, condition, values, message):
    more = {"ExpressionAttributeNames": {"#day": "day"}} if "#day" in condition else {}
    assert invalid(client.query, **query(client, people, name, condition, **values), **more) == message


@pytest.mark.parametrize(
    "conditions, count",
    [
        ("city = :c AND pk = :p", 2),
        ("pk = :p AND city = :c AND age = :a", 1),
        ("city = :c AND pk = :p AND age > :a", 1),
        ("city = :c AND pk = :p AND age = :a AND #day >= :d", 1),
        ("city = :c AND pk = :p AND age = :a AND #day < :d", 0),
    ],
)
def test_keys_of_several_attributes(client, people, conditions, count):
    used = {":c": {"S": "Oslo"}, ":p": {"S": "p1"}, ":a": {"N": "1"}, ":d": {"B": b"\x01"}}
    # p1 in Oslo with an age: 9 (1) and 21, which has no age
    wanted = [n for n in range(PEOPLE) if n % 4 == 1 and n % 3 == 0 and n % 5 and n % 7]
    assert wanted == [9]
    put_all(client, people, [{**person(9), "sk": {"N": "109"}, "age": {"N": "3"}}])
    try:
        answer = client.query(
            TableName=people, IndexName="many", KeyConditionExpression=conditions,
            ExpressionAttributeValues={k: v for k, v in used.items() if k in conditions},
            **({"ExpressionAttributeNames": {"#day": "day"}} if "#day" in conditions else {}),
        )  # fmt: skip
        assert answer["Count"] == count
    finally:
        client.delete_item(TableName=people, Key={"pk": {"S": "p1"}, "sk": {"N": "109"}})


def test_key_conditions_from_before_expressions_on_several_attributes(client, people):
    conditions = {n: {"ComparisonOperator": "EQ", "AttributeValueList": [v]} for n, v in (("city", {"S": "Oslo"}), ("pk", {"S": "p1"}), ("age", {"N": "1"}))}
    assert client.query(TableName=people, IndexName="many", KeyConditions=conditions)["Count"] == 1
    del conditions["pk"]
    message = invalid(client.query, TableName=people, IndexName="many", KeyConditions=conditions)
    assert message == "HASH key attributes pk must have equality conditions specified in the query"


@pytest.mark.parametrize(
    "start, message",
    [
        ({k: v for k, v in START.items() if k != "age"}, "The provided starting key is invalid"),
        ({**START, "x": {"S": "a"}}, "The provided starting key is invalid"),
        ({**START, "age": {"S": "a"}}, "The provided key element does not match the schema"),
        ({**START, "sk": {"S": "a"}}, "The provided starting key is invalid: The provided key element does not match the schema"),
        ({**START, "city": {"S": "Rome"}}, "The provided starting key is outside query boundaries based on provided conditions"),
    ],
)
def test_starting_keys_that_do_not_suit_the_index(client, people, start, message):
    assert invalid(client.query, **query(client, people, "city", "city = :c", start, **OSLO)) == message


def test_a_starting_key_must_meet_the_range(client, people):
    arguments = query(client, people, "city", "city = :c AND age > :a", START, **OSLO, a={"N": "1"})
    assert invalid(client.query, **arguments) == "The provided starting key does not match the range key predicate"


def test_global_indexes_are_not_read_consistently_local_ones_are(client, people):
    message = "Consistent reads are not supported on global secondary indexes"
    assert invalid(client.query, **query(client, people, "city", "city = :c", **OSLO), ConsistentRead=True) == message
    assert invalid(client.scan, TableName=people, IndexName="city", ConsistentRead=True) == message
    assert client.query(**query(client, people, "by-city", "pk = :p", p={"S": "p1"}), ConsistentRead=True)["Count"] > 0


def test_what_an_index_does_not_project(client, people):
    by_age, age = query(client, people, "by-age", "pk = :p", p={"S": "p1"}), query(client, people, "age", "age = :a", a={"N": "1"})
    wanted = [person(n) for n in range(PEOPLE) if n % 4 == 1 and n % 7]
    # a local index fetches it from the table
    assert in_order(client.query(**by_age, Select="ALL_ATTRIBUTES")["Items"]) == wanted
    assert client.query(**by_age, ProjectionExpression="rest")["Items"] == [{"rest": {"S": "r" * 50}}] * len(wanted)
    assert in_order(client.query(**by_age, Select="ALL_PROJECTED_ATTRIBUTES")["Items"]) == expected("by-age", wanted)
    # a global one does not
    message = "Select type ALL_ATTRIBUTES is not supported for global secondary index age because its projection type is not ALL"
    assert invalid(client.query, **age, Select="ALL_ATTRIBUTES") == INVALID + message
    assert invalid(client.query, **age, ProjectionExpression="#n, rest", ExpressionAttributeNames={"#n": "name"}) == (
        INVALID + "Global secondary index age does not project [rest]"
    )
    assert client.query(**query(client, people, "city", "city = :c", **OSLO), Select="ALL_ATTRIBUTES")["Items"]
    for arguments, name in ((by_age, "by-age"), (age, "age")):
        assert invalid(client.query, **arguments, FilterExpression="attribute_exists(rest)") == (
            INVALID + f"Secondary index {name} does not project one or more filter attributes: [rest]"
        )
    assert client.scan(TableName=people, IndexName="age", FilterExpression="attribute_exists(rest)")["Items"] == []


def test_filters_take_no_key_of_the_index_and_nothing_looks_inside_one(client, people):
    city = query(client, people, "city", "city = :c", **OSLO)
    assert invalid(client.query, **city, FilterExpression="age > :c") == (
        "Filter Expression can only contain non-primary key attributes: Primary key attribute: age"
    )
    inside = "Key attributes must be scalars; list random access '[]' and map lookup '.' are not allowed: IndexKey: city"
    assert invalid(client.query, **city, ProjectionExpression="city.x") == inside
    assert invalid(client.scan, TableName=people, FilterExpression="attribute_exists(city[0])") == inside
    key = {"pk": {"S": "p1"}, "sk": {"N": "1"}}
    values = {":v": {"S": "a"}}
    of_table = inside.replace("IndexKey: city", "Key: pk")
    assert invalid(client.get_item, TableName=people, Key=key, ProjectionExpression="city.x") == inside
    assert invalid(client.get_item, TableName=people, Key=key, ProjectionExpression="pk.x") == of_table
    assert invalid(client.batch_get_item, RequestItems={people: {"Keys": [key], "ProjectionExpression": "city[1]"}}) == inside
    assert invalid(client.delete_item, TableName=people, Key=key, ConditionExpression="attribute_exists(pk.x)") == of_table
    assert invalid(client.update_item, TableName=people, Key=key, UpdateExpression="SET city.x = :v", ExpressionAttributeValues=values) == inside
    assert invalid(client.put_item, TableName=people, Item=key, ConditionExpression="attribute_exists(city.x)") == inside


# --- writing ---


KEY = {"pk": {"S": "w"}, "sk": {"N": "1"}}
MISMATCH = INVALID + "Type mismatch for Index Key city Expected: S Actual: %s IndexName: by-city"
NOT_VALID = "One or more parameter values are not valid. "
EMPTY_PUT = NOT_VALID + "A value specified for a secondary index key is not supported. The AttributeValue for a key attribute cannot contain an empty %s value. IndexName: %s, IndexKey: %s"  # fmt: skip
EMPTY_UPDATE = NOT_VALID + "The update expression attempted to update a secondary index key to a value that is not supported. The AttributeValue for a key attribute cannot contain an empty string value."  # fmt: skip


@pytest.mark.parametrize(
    "attributes, message",
    [
        ({"city": {"N": "1"}}, MISMATCH % "N"),
        ({"city": {"NULL": True}}, MISMATCH % "NULL"),
        ({"city": {"M": {}}}, MISMATCH % "M"),
        ({"city": {"S": ""}}, EMPTY_PUT % ("string", "by-city", "city")),
        ({"day": {"B": b""}}, EMPTY_PUT % ("binary", "many", "day")),
        ({"city": {"S": "x" * 1025}}, INVALID + "Aggregated size of all range keys has exceeded the size limit of 1024 bytes"),
    ],
)
def test_items_suit_the_indexes(client, people, attributes, message):
    assert invalid(client.put_item, TableName=people, Item={**KEY, **attributes}) == message
    assert invalid(client.batch_write_item, RequestItems={people: [{"PutRequest": {"Item": {**KEY, **attributes}}}]}) == message
    assert "Item" not in client.get_item(TableName=people, Key=KEY)


@pytest.mark.parametrize(
    "attributes, message",
    [
        ({"c": 1000, "d": 1048}, None),
        ({"c": 1000, "d": 1049}, "Aggregate size for HASH key attributes c, d of index big has exceeded limit 2048 bytes, with actual size 2049 bytes"),
        ({"f": 1000, "g": 25}, "Aggregate size for RANGE key attributes f, g of index big has exceeded limit 1024 bytes, with actual size 1025 bytes"),
        ({"c": 2049}, INVALID + "Size of hashkey has exceeded the maximum size limit of2048 bytes"),
    ],
)
def test_keys_of_several_attributes_have_the_bound_of_one(client, attributes, message):
    table = new_name()
    client.create_table(
        TableName=table, KeySchema=keys("pk"), AttributeDefinitions=types(pk="S", c="S", d="S", f="S", g="S"), BillingMode="PAY_PER_REQUEST",
        GlobalSecondaryIndexes=[index("big", "c", "d", "f", "g", hashes=2)],
    )  # fmt: skip
    item = {"pk": {"S": "a"}, **{n: {"S": "x" * size} for n, size in attributes.items()}}
    if message is None:
        client.put_item(TableName=table, Item=item)
    else:
        assert invalid(client.put_item, TableName=table, Item=item) == message
    client.delete_table(TableName=table)


@pytest.mark.parametrize("value, message", [({"N": "1"}, MISMATCH % "N"), ({"S": ""}, EMPTY_UPDATE)])
def test_updates_suit_the_indexes(client, people, value, message):
    arguments = {"TableName": people, "Key": KEY}
    assert invalid(client.update_item, **arguments, UpdateExpression="SET city = :v", ExpressionAttributeValues={":v": value}) == message
    assert invalid(client.update_item, **arguments, AttributeUpdates={"city": {"Value": value}}) == message
    assert "Item" not in client.get_item(TableName=people, Key=KEY)


def test_entries_follow_every_kind_of_write(client, people):
    def entries():
        found = client.query(**query(client, people, "keys", "city = :c", c={"S": "Nowhere"}))["Items"]
        return sorted(int(i["sk"]["N"]) for i in found)

    put_all(client, people, [{"pk": {"S": "w"}, "sk": {"N": str(n)}, "city": {"S": "Nowhere"}} for n in range(4)])
    assert entries() == [0, 1, 2, 3]
    client.update_item(
        TableName=people, Key=KEY, UpdateExpression="SET city = :c", ExpressionAttributeValues={":c": {"S": "Elsewhere"}}
    )
    client.update_item(TableName=people, Key={**KEY, "sk": {"N": "2"}}, UpdateExpression="REMOVE city")
    client.delete_item(TableName=people, Key={**KEY, "sk": {"N": "3"}})
    assert entries() == [0]
    client.put_item(TableName=people, Item={**KEY, "sk": {"N": "2"}, "city": {"S": "Nowhere"}})
    assert entries() == [0, 2]
    for n in range(4):
        client.delete_item(TableName=people, Key={**KEY, "sk": {"N": str(n)}})
    assert entries() == []


def test_item_collections_are_told_where_there_are_local_indexes(client, people):
    arguments = {"TableName": people, "ReturnItemCollectionMetrics": "SIZE"}
    told = {"ItemCollectionKey": {"pk": {"S": "w"}}, "SizeEstimateRangeGB": [0.0, 1.0]}
    assert client.put_item(**arguments, Item=KEY)["ItemCollectionMetrics"] == told
    assert client.update_item(**arguments, Key=KEY)["ItemCollectionMetrics"] == told
    assert client.delete_item(**arguments, Key=KEY)["ItemCollectionMetrics"] == told
    batch = client.batch_write_item(
        RequestItems={people: [{"PutRequest": {"Item": {**KEY, "sk": {"N": str(n)}}}} for n in range(3)]}, ReturnItemCollectionMetrics="SIZE"
    )
    assert batch["ItemCollectionMetrics"] == {people: [told]}
    assert "ItemCollectionMetrics" not in client.put_item(TableName=people, Item=KEY)
    for n in range(3):
        client.delete_item(TableName=people, Key={**KEY, "sk": {"N": str(n)}})


def test_an_item_collection_is_full(tmp_path):
    region = Region(tmp_path / "r", "us-east-1", 1)
    configured = region.configure()
    configured.write_text("item_collection_mb = 1;\n" + configured.read_text())
    region.configure = lambda: configured
    region.start()
    try:
        client, table, item = region.client(), new_name(), {"pk": {"S": "full"}, "l": {"S": "a"}, "x": {"S": "x" * 100_000}}
        schema = {"KeySchema": keys("pk", "sk"), "AttributeDefinitions": types(pk="S", sk="N", l="S"), "BillingMode": "PAY_PER_REQUEST"}
        client.create_table(TableName=table, **schema, LocalSecondaryIndexes=[index("local", "pk", "l", projection=KEYS)])
        put_all(client, table, [{**item, "sk": {"N": str(n)}} for n in range(11)])
        full = ("ItemCollectionSizeLimitExceededException", "Collection size exceeded.")
        assert refused(client.put_item, TableName=table, Item={**item, "sk": {"N": "11"}}) == full
        update = {"UpdateExpression": "SET x = :x", "Key": {"pk": {"S": "full"}, "sk": {"N": "1"}}}
        assert refused(client.update_item, TableName=table, **update, ExpressionAttributeValues={":x": {"S": "x" * 100_001}}) == full
        assert refused(client.batch_write_item, RequestItems={table: [{"PutRequest": {"Item": {**item, "sk": {"N": "12"}}}}]}) == full
        # others are not, and what makes it smaller is not
        client.put_item(TableName=table, Item={**item, "pk": {"S": "other"}, "sk": {"N": "1"}})
        client.delete_item(TableName=table, Key={"pk": {"S": "full"}, "sk": {"N": "0"}})
        client.put_item(TableName=table, Item={**item, "sk": {"N": "0"}, "x": {"S": "y"}})
    finally:
        region.stop()


# --- CreateTable ---


def test_descriptions_have_what_aws_always_sends(client, people):
    table = described(client, people)
    assert [a["AttributeName"] for a in table["AttributeDefinitions"]] == ["age", "city", "day", "pk", "sk"]
    assert [i["IndexName"] for i in table["GlobalSecondaryIndexes"]] == ["city", "age", "keys", "many"]
    for i in table["GlobalSecondaryIndexes"]:
        wanted = next(w for w in SCHEMA["GlobalSecondaryIndexes"] if w["IndexName"] == i["IndexName"])
        items = expected(i["IndexName"], [person(n) for n in range(PEOPLE)])
        assert (i["KeySchema"], i["Projection"], i["IndexStatus"]) == (wanted["KeySchema"], wanted["Projection"], "ACTIVE")
        assert i["ProvisionedThroughput"] == {"NumberOfDecreasesToday": 0, "ReadCapacityUnits": 0, "WriteCapacityUnits": 0}
        assert i["WarmThroughput"] == {"ReadUnitsPerSecond": 12000, "WriteUnitsPerSecond": 4000, "Status": "ACTIVE"}
        assert i["IndexArn"] == table["TableArn"] + "/index/" + i["IndexName"]
        assert i["ItemCount"] == len(items) and i["IndexSizeBytes"] > 0
        assert "Backfilling" not in i and "OnDemandThroughput" not in i
    insights = client.describe_contributor_insights(TableName=people, IndexName="city")
    assert (insights["IndexName"], insights["ContributorInsightsStatus"]) == ("city", "DISABLED")
    for i in table["LocalSecondaryIndexes"]:
        assert sorted(i) == ["IndexArn", "IndexName", "IndexSizeBytes", "ItemCount", "KeySchema", "Projection"]


UNITS = {"ReadCapacityUnits": 1, "WriteCapacityUnits": 1}


@pytest.mark.parametrize(
    "change, message",
    [
        ({"GlobalSecondaryIndexes": []}, INVALID + "List of GlobalSecondaryIndexes is empty"),
        ({"LocalSecondaryIndexes": []}, INVALID + "List of LocalSecondaryIndexes is empty"),
        ({"GlobalSecondaryIndexes": [index("one", "a"), index("one", "a")]}, INVALID + "Duplicate index name: one"),
        ({"GlobalSecondaryIndexes": [index("one", "a")], "LocalSecondaryIndexes": [index("one", "pk", "a")]}, INVALID + "Duplicate index name: one"),
        ({"GlobalSecondaryIndexes": [index("one", "q")]}, INVALID + "Some index key attributes are not defined in AttributeDefinitions. Keys: [q], AttributeDefinitions: [pk, sk, a]"),
        ({"GlobalSecondaryIndexes": [index("one", "pk")]}, INVALID + "Some AttributeDefinitions are not used. AttributeDefinitions: [pk, sk, a], keys used: [pk, sk]"),
        ({"GlobalSecondaryIndexes": [index("one", "a", projection={})]}, INVALID + "Unknown ProjectionType: null"),
        ({"GlobalSecondaryIndexes": [index("one", "a", projection={"ProjectionType": "INCLUDE"})]}, INVALID + "ProjectionType is INCLUDE, but NonKeyAttributes is not specified"),
        ({"GlobalSecondaryIndexes": [index("one", "a", projection={**KEYS, "NonKeyAttributes": ["x"]})]}, INVALID + "ProjectionType is KEYS_ONLY, but NonKeyAttributes is specified"),
        ({"GlobalSecondaryIndexes": [index("one", "a", projection=include("x", "x"))]}, INVALID + "Duplicate element in NonKeyAttributes: x"),
        ({"GlobalSecondaryIndexes": [index("one", "a", ProvisionedThroughput=UNITS)]}, INVALID + "ProvisionedThroughput should not be specified for index: one when BillingMode is PAY_PER_REQUEST"),
        ({"GlobalSecondaryIndexes": [index("one", "a")], "BillingMode": "PROVISIONED", "ProvisionedThroughput": UNITS}, INVALID + "ProvisionedThroughput is not specified for index: one"),
        ({"GlobalSecondaryIndexes": [index("one", "a", OnDemandThroughput={"MaxReadRequestUnits": 0})]}, INVALID + "Requested MaxReadRequestUnits for OnDemandThroughput for index : one is outside of valid range"),
        ({"GlobalSecondaryIndexes": [index("one", "a", hashes=0)]}, "Invalid KeySchema: The first KeySchemaElement is not a HASH key type"),
        ({"GlobalSecondaryIndexes": [index("one", "a", "a")]}, "The KeySchema contains multiple key attributes with the same name"),
        ({"LocalSecondaryIndexes": [index("one", "pk")]}, INVALID + "Some AttributeDefinitions are not used. AttributeDefinitions: [pk, sk, a], keys used: [pk, sk]"),
        ({"LocalSecondaryIndexes": [index("one", "a", "pk")]}, INVALID + "Index KeySchema does not have the same leading hash key as table KeySchema for index: one. index hash key: a, table hash key: pk"),
        ({"LocalSecondaryIndexes": [index("one", "pk", "a")], "KeySchema": keys("pk")}, INVALID + "Table KeySchema does not have a range key, which is required when specifying a LocalSecondaryIndex"),
        ({"LocalSecondaryIndexes": [index(f"one{n}", "pk", "a") for n in range(6)]}, INVALID + "Number of LocalSecondaryIndexes exceeds per-table limit of 5"),
        ({"GlobalSecondaryIndexes": [index(f"one{n}", "a") for n in range(21)]}, INVALID + "GlobalSecondaryIndex count exceeds the per-table limit of 20"),
    ],
)  # fmt: skip
def test_definitions_that_are_refused(client, change, message):
    base = {"KeySchema": keys("pk", "sk"), "AttributeDefinitions": types(pk="S", sk="S", a="S"), "BillingMode": "PAY_PER_REQUEST"}
    assert invalid(client.create_table, TableName=new_name(), **{**base, **change}) == message


@pytest.mark.parametrize(
    "hashes, ranges, message",
    [
        (5, 0, INVALID + "The KeySchema exceeds the maximum allowed number of HASH key attributes"),
        (1, 5, INVALID + "The KeySchema exceeds the maximum allowed number of RANGE key attributes"),
        (4, 4, None),
    ],
)
def test_keys_of_up_to_four_and_four_attributes(client, hashes, ranges, message):
    names = [f"k{n}" for n in range(hashes + ranges)]
    arguments = {
        "TableName": new_name(),
        "KeySchema": keys("pk"),
        "AttributeDefinitions": types(pk="S", **{n: "S" for n in names}),
        "BillingMode": "PAY_PER_REQUEST",
        "GlobalSecondaryIndexes": [index("one", *names, hashes=hashes)],
    }
    if message is not None:
        assert invalid(client.create_table, **arguments) == message
        return
    client.create_table(**arguments)
    assert len(indexes_of(client, arguments["TableName"])["one"]["KeySchema"]) == 8
    client.delete_table(TableName=arguments["TableName"])


# --- UpdateTable ---


@pytest.fixture
def plain(client):
    """A table with items and one local index."""
    name = new_name()
    client.create_table(
        TableName=name, KeySchema=keys("pk", "sk"), AttributeDefinitions=types(pk="S", sk="N", l="S"), BillingMode="PAY_PER_REQUEST",
        LocalSecondaryIndexes=[index("local", "pk", "l")],
    )  # fmt: skip
    items = [{"pk": {"S": f"p{n % 3}"}, "sk": {"N": str(n)}, "g": {"S": f"g{n % 5}"}, "n": {"N": str(n)}, "x": {"S": "x" * 100}} for n in range(200)]
    put_all(client, name, items)
    yield name, items
    wait_active(client, name)
    client.delete_table(TableName=name)


def update(client, table, *actions, **more):
    return client.update_table(TableName=table, GlobalSecondaryIndexUpdates=list(actions), **more)["TableDescription"]


def test_an_index_is_made_of_the_items_that_are_there_and_deleted(client, plain):
    table, items = plain
    client.put_item(TableName=table, Item={"pk": {"S": "odd"}, "sk": {"N": "1"}, "g": {"N": "5"}})
    client.put_item(TableName=table, Item={"pk": {"S": "odd"}, "sk": {"N": "2"}, "g": {"S": ""}})
    told = update(client, table, {"Create": index("made", "g", "n", projection=include("sk"))}, AttributeDefinitions=types(g="S", n="N", unused="S"))
    (shown,) = told["GlobalSecondaryIndexes"]
    assert told["TableStatus"] == "UPDATING" and shown["IndexStatus"] == "CREATING" and shown["Backfilling"] is False
    assert [a["AttributeName"] for a in told["AttributeDefinitions"]] == ["g", "l", "n", "pk", "sk"]
    wait_active(client, table)
    # what does not suit the index is left out, and stays as it is
    found = list(pages(client.scan, TableName=table, IndexName="made"))
    assert in_order(found) == [{k: i[k] for k in ("pk", "sk", "g", "n")} for i in items]
    client.update_item(TableName=table, Key={"pk": {"S": "odd"}, "sk": {"N": "1"}}, UpdateExpression="SET y = :y", ExpressionAttributeValues={":y": {"S": "a"}})
    told = update(client, table, {"Delete": {"IndexName": "made"}})
    assert told["TableStatus"] == "UPDATING" and [i["IndexStatus"] for i in told["GlobalSecondaryIndexes"]] == ["DELETING"]
    wait_for(lambda: "GlobalSecondaryIndexes" not in described(client, table), "the index is gone")
    assert [a["AttributeName"] for a in described(client, table)["AttributeDefinitions"]] == ["l", "pk", "sk"]
    assert invalid(client.scan, TableName=table, IndexName="made") == "The table does not have the specified index: made"
    # the same name again is another index
    client.put_item(TableName=table, Item={"pk": {"S": "odd"}, "sk": {"N": "3"}, "x": {"S": "y"}})
    update(client, table, {"Create": index("made", "x", projection=KEYS)}, AttributeDefinitions=types(x="S"))
    wait_active(client, table)
    assert client.scan(TableName=table, IndexName="made", Select="COUNT")["Count"] == 201


@pytest.mark.parametrize(
    "actions, more, code, message",
    [
        ([{}], {}, "ValidationException", INVALID + "One of GlobalSecondaryIndexUpdate.Update, GlobalSecondaryIndexUpdate.Create, GlobalSecondaryIndexUpdate.Delete must not be null"),
        ([{"Create": index("one", "g"), "Delete": {"IndexName": "one"}}], {}, "ValidationException", INVALID + "Only one global secondary index action is allowed per GlobalSecondaryIndexUpdate object"),
        ([{"Create": index("one", "g")}, {"Delete": {"IndexName": "one"}}], {"AttributeDefinitions": types(g="S")}, "ValidationException", INVALID + "Only one global secondary index update per index is allowed simultaneously. Index: one"),
        ([{"Create": index("one", "g")}, {"Create": index("two", "g")}], {"AttributeDefinitions": types(g="S")}, "LimitExceededException", "Subscriber limit exceeded: Only 1 online index can be created or deleted simultaneously per table"),
        ([{"Create": index("one", "g")}], {}, "ValidationException", INVALID + "AttributeDefinitions is not specified for index: one"),
        ([{"Create": index("one", "g")}], {"AttributeDefinitions": types(q="S")}, "ValidationException", INVALID + "Some index key attributes are not defined in AttributeDefinitions. Keys: [g], AttributeDefinitions: [q]"),
        ([{"Create": index("one", "l")}], {"AttributeDefinitions": types(l="N")}, "ValidationException", INVALID + "Attributes cannot be redefined. Please check that your attribute has the same type as previously defined. Existing schema: Schema:[SchemaElement: key{l:S:HASH}] New schema: Schema:[SchemaElement: key{l:N:HASH}]"),
        ([{"Create": index("local", "g")}], {"AttributeDefinitions": types(g="S")}, "ValidationException", "Attempting to create an index which already exists"),
        ([{"Create": index("one", "g")}], {"AttributeDefinitions": types(g="S"), "DeletionProtectionEnabled": True}, "ValidationException", INVALID + "DeletionProtection modification must be the only operation in the request"),
        ([{"Create": index("one", "g")}], {"AttributeDefinitions": types(g="S"), "StreamSpecification": {"StreamEnabled": True, "StreamViewType": "NEW_IMAGE"}}, "ValidationException", INVALID + "You cannot create or delete index while changing stream status"),
        ([{"Create": index("one", "g", ProvisionedThroughput=UNITS)}], {"AttributeDefinitions": types(g="S")}, "ValidationException", INVALID + "Neither ReadCapacityUnits nor WriteCapacityUnits can be specified for index: one when BillingMode is PAY_PER_REQUEST"),
        ([{"Delete": {"IndexName": "none"}}], {}, "ResourceNotFoundException", "Requested resource not found: Index none for table "),
        ([{"Delete": {"IndexName": "local"}}], {}, "ValidationException", "Cannot delete an index that is not a GlobalSecondaryIndex: local"),
        ([{"Update": {"IndexName": "local", "OnDemandThroughput": {"MaxReadRequestUnits": 5}}}], {}, "ValidationException", "Cannot update an index that is not a GlobalSecondaryIndex: local"),
        ([], {"DeletionProtectionEnabled": True}, "ValidationException", INVALID + "List of GlobalSecondaryIndexUpdates is empty"),
    ],
)  # fmt: skip
def test_updates_of_indexes_that_are_refused(client, plain, actions, more, code, message):
    table, _ = plain
    got = refused(client.update_table, TableName=table, GlobalSecondaryIndexUpdates=actions, **more)
    assert got == (code, message + (table if message.endswith(" ") else ""))
    assert "GlobalSecondaryIndexes" not in described(client, table) and described(client, table)["DeletionProtectionEnabled"] is False


def test_the_capacity_of_an_index_follows_the_mode_of_its_table(client):
    table = new_name()
    client.create_table(
        TableName=table, KeySchema=keys("pk"), AttributeDefinitions=types(pk="S", g="S"), BillingMode="PAY_PER_REQUEST",
        GlobalSecondaryIndexes=[index("one", "g", OnDemandThroughput={"MaxReadRequestUnits": 50})],
    )  # fmt: skip
    units = {"ReadCapacityUnits": 20, "WriteCapacityUnits": 10}
    assert indexes_of(client, table)["one"]["OnDemandThroughput"] == {"MaxReadRequestUnits": 50}
    change = {"TableName": table, "BillingMode": "PROVISIONED", "ProvisionedThroughput": units}
    assert invalid(client.update_table, **change) == INVALID + "ProvisionedThroughput must be specified for index: one"
    only = "The only Updates for index: one when TableThroughputMode is PAY_PER_REQUEST can be to OnDemandThroughput, WarmThroughput"
    action = {"Update": {"IndexName": "one", "ProvisionedThroughput": units}}
    assert invalid(client.update_table, TableName=table, GlobalSecondaryIndexUpdates=[action]) == INVALID + only
    assert described(client, table)["BillingModeSummary"]["BillingMode"] == "PAY_PER_REQUEST"
    update(client, table, action, BillingMode="PROVISIONED", ProvisionedThroughput=units)
    one = indexes_of(client, table)["one"]
    assert one["ProvisionedThroughput"]["ReadCapacityUnits"] == 20 and "OnDemandThroughput" not in one
    message = invalid(client.update_table, TableName=table, GlobalSecondaryIndexUpdates=[action])
    assert message.startswith("The provisioned throughput for the index one will not change. The requested value equals the current value.")
    more = {"Update": {"IndexName": "one", "ProvisionedThroughput": {**units, "ReadCapacityUnits": 30}}}
    told = update(client, table, more)
    assert told["TableStatus"] == "ACTIVE" and told["GlobalSecondaryIndexes"][0]["IndexStatus"] == "UPDATING"
    assert told["GlobalSecondaryIndexes"][0]["ProvisionedThroughput"]["ReadCapacityUnits"] == 20
    assert indexes_of(client, table)["one"]["ProvisionedThroughput"]["ReadCapacityUnits"] == 30
    client.update_table(TableName=table, BillingMode="PAY_PER_REQUEST")
    assert indexes_of(client, table)["one"]["ProvisionedThroughput"]["ReadCapacityUnits"] == 0
    client.delete_table(TableName=table)


# --- as they stand after a restart ---


def test_indexes_are_there_after_a_restart_and_under_random_writes(fresh_region):
    client, table, chance = fresh_region.client(), new_name(), random.Random(7)
    client.create_table(TableName=table, **SCHEMA)

    def write(n):
        for _ in range(n):
            item = person(chance.randrange(40))
            item["city"] = {"S": chance.choice(["Oslo", "Bergen", "Molde", "Rome"])}
            if chance.random() < 0.3:
                del item["city"]
            if chance.random() < 0.25:
                client.delete_item(TableName=table, Key={k: item[k] for k in ("pk", "sk")})
            else:
                client.put_item(TableName=table, Item=item)

    def check():
        items = list(pages(client.scan, TableName=table))
        for name in PROJECTED:
            found = list(pages(client.scan, TableName=table, IndexName=name, Limit=7))
            assert in_order(found) == in_order(expected(name, items)), name

    write(150)
    check()
    fresh_region.stop()
    fresh_region.start()
    client = fresh_region.client()
    check()
    write(100)
    check()
