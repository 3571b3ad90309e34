"""Query and Scan through boto3: ranges, order, pages, filters, segments, sentences."""

import random
import uuid
from concurrent.futures import ThreadPoolExecutor

import pytest
from botocore.exceptions import ClientError


def make_table(client, sort=None):
    name = "reads-" + uuid.uuid4().hex[:12]
    keys, types = [{"AttributeName": "pk", "KeyType": "HASH"}], [{"AttributeName": "pk", "AttributeType": "S"}]
    if sort:
        keys.append({"AttributeName": "sk", "KeyType": "RANGE"})
        types.append({"AttributeName": "sk", "AttributeType": sort})
    client.create_table(TableName=name, KeySchema=keys, AttributeDefinitions=types, BillingMode="PAY_PER_REQUEST")
    client.get_waiter("table_exists").wait(TableName=name, WaiterConfig={"Delay": 1, "MaxAttempts": 30})
    return name


@pytest.fixture(scope="module")
def tables(client):
    """One table per type of sort key, "" without one."""
    names = {sort: make_table(client, sort or None) for sort in ("", "S", "N", "B")}
    yield names
    for name in names.values():
        client.delete_table(TableName=name)


def invalid(call, **arguments):
    with pytest.raises(ClientError) as caught:
        call(**arguments)
    assert caught.value.response["Error"]["Code"] == "ValidationException", caught.value
    return caught.value.response["Error"]["Message"]


def put_all(client, table, items):
    for at in range(0, len(items), 25):
        batch = [{"PutRequest": {"Item": item}} for item in items[at : at + 25]]
        assert client.batch_write_item(RequestItems={table: batch})["UnprocessedItems"] == {}


def partition(client, table, sort, values):
    """A new partition with these sort keys; the arguments of a Query for it."""
    pk = uuid.uuid4().hex
    put_all(client, table, [{"pk": {"S": pk}, "sk": {sort: value}} for value in values])
    return pk


def query(client, table, pk, condition=None, values=None, **arguments):
    return client.query(
        TableName=table,
        KeyConditionExpression="pk = :pk" + (" AND " + condition if condition else ""),
        ExpressionAttributeValues={":pk": {"S": pk}, **(values or {})},
        **arguments,
    )


def sort_keys(answer, sort):
    return [item["sk"][sort] for item in answer["Items"]]


VALUES = {
    "S": ["a", "aa", "ab", "b", "B", "\u00e9", "\U0001f600", "a\u0000", "a\u0000b", "z" * 1024],
    "B": [b"a", b"a\x00", b"a\x00\xff", b"a\xff", b"\x00", b"\xff", b"\xff\xff", b"b"],
    "N": ["-1E+125", "-100", "-10", "-9.5", "-1", "-0.5", "-1E-130", "0", "1E-130", "0.5", "1", "9", "10", "99.9", "100", "1E+125"],
}
ORDER = {
    "S": lambda v: v.encode(),
    "B": bytes,
    "N": __import__("decimal").Decimal,
}


@pytest.mark.parametrize("sort", ["S", "B", "N"])
def test_order_is_that_of_the_sort_key(client, tables, sort):
    shuffled = random.Random(7).sample(VALUES[sort], len(VALUES[sort]))
    pk = partition(client, tables[sort], sort, shuffled)
    want = sorted(map(ORDER[sort], VALUES[sort]))
    got = query(client, tables[sort], pk)
    assert list(map(ORDER[sort], sort_keys(got, sort))) == want
    assert got["Count"] == got["ScannedCount"] == len(want)
    got = query(client, tables[sort], pk, ScanIndexForward=False)
    assert list(map(ORDER[sort], sort_keys(got, sort))) == want[::-1]


@pytest.mark.parametrize("sort", ["S", "B", "N"])
@pytest.mark.parametrize("operator", ["=", "<", "<=", ">", ">="])
def test_every_operator_against_every_value(client, tables, sort, operator):
    import operator as op

    compare = {"=": op.eq, "<": op.lt, "<=": op.le, ">": op.gt, ">=": op.ge}[operator]
    pk = partition(client, tables[sort], sort, VALUES[sort])
    for value in VALUES[sort]:
        answer = query(client, tables[sort], pk, f"sk {operator} :v", {":v": {sort: value}})
        got = list(map(ORDER[sort], sort_keys(answer, sort)))
        assert got == sorted(v for v in map(ORDER[sort], VALUES[sort]) if compare(v, ORDER[sort](value)))


@pytest.mark.parametrize("sort", ["S", "B", "N"])
def test_between(client, tables, sort):
    order = ORDER[sort]
    pk = partition(client, tables[sort], sort, VALUES[sort])
    values = sorted(VALUES[sort], key=order)
    for low, high in zip(values, values[3:]):
        answer = query(client, tables[sort], pk, "sk BETWEEN :l AND :h", {":l": {sort: low}, ":h": {sort: high}})
        assert list(map(order, sort_keys(answer, sort))) == [order(v) for v in values if order(low) <= order(v) <= order(high)]
    message = invalid(
        client.query,
        TableName=tables[sort],
        KeyConditionExpression="pk = :p AND sk BETWEEN :h AND :l",
        ExpressionAttributeValues={":p": {"S": pk}, ":l": {sort: values[0]}, ":h": {sort: values[1]}},
    )
    assert message.startswith("Invalid KeyConditionExpression: The BETWEEN operator requires upper bound to be greater than or equal to lower bound")


@pytest.mark.parametrize("sort", ["S", "B"])
def test_begins_with(client, tables, sort):
    order = ORDER[sort]
    pk = partition(client, tables[sort], sort, VALUES[sort])
    for value in VALUES[sort]:
        answer = query(client, tables[sort], pk, "begins_with(sk, :v)", {":v": {sort: value}})
        want = sorted(order(v) for v in VALUES[sort] if order(v).startswith(order(value)))
        assert list(map(order, sort_keys(answer, sort))) == want


@pytest.mark.parametrize("forward", [True, False])
@pytest.mark.parametrize("limit", [1, 3, 10, 11])
def test_pages_by_limit_cover_everything_once(client, tables, forward, limit):
    pk = partition(client, tables["N"], "N", [str(n) for n in range(10)])
    got, arguments, pages = [], {}, 0
    while True:
        answer = query(client, tables["N"], pk, Limit=limit, ScanIndexForward=forward, **arguments)
        assert answer["Count"] <= limit
        got += sort_keys(answer, "N")
        pages += 1
        if "LastEvaluatedKey" not in answer:
            break
        arguments = {"ExclusiveStartKey": answer["LastEvaluatedKey"]}
    assert got == [str(n) for n in (range(10) if forward else reversed(range(10)))]
    # a page that its Limit ended has a LastEvaluatedKey, even when nothing is left
    assert pages == 10 // limit + 1


def test_limit_counts_before_the_filter(client, tables):
    pk = uuid.uuid4().hex
    put_all(client, tables["N"], [{"pk": {"S": pk}, "sk": {"N": str(n)}, "even": {"BOOL": n % 2 == 0}} for n in range(10)])
    answer = query(client, tables["N"], pk, values={":t": {"BOOL": True}}, FilterExpression="even = :t", Limit=5)
    assert (answer["Count"], answer["ScannedCount"]) == (3, 5)
    assert answer["LastEvaluatedKey"] == {"pk": {"S": pk}, "sk": {"N": "4"}}


def test_select(client, tables):
    pk = uuid.uuid4().hex
    put_all(client, tables["N"], [{"pk": {"S": pk}, "sk": {"N": str(n)}, "a": {"S": "x"}} for n in range(3)])
    answer = query(client, tables["N"], pk, Select="COUNT")
    assert "Items" not in answer and answer["Count"] == 3
    answer = query(client, tables["N"], pk, Select="ALL_ATTRIBUTES")
    assert answer["Items"][0] == {"pk": {"S": pk}, "sk": {"N": "0"}, "a": {"S": "x"}}
    answer = query(client, tables["N"], pk, Select="SPECIFIC_ATTRIBUTES", ProjectionExpression="a")
    assert answer["Items"] == [{"a": {"S": "x"}}] * 3
    arguments = {
        "TableName": tables["N"],
        "KeyConditionExpression": "pk = :p",
        "ExpressionAttributeValues": {":p": {"S": pk}},
    }
    for select, projection, sentence in (
        ("SPECIFIC_ATTRIBUTES", None, "Must specify the AttributesToGet or ProjectionExpression when choosing to get SPECIFIC_ATTRIBUTES"),
        ("COUNT", "a", "Cannot specify the ProjectionExpression when choosing to get only the Count"),
        ("ALL_ATTRIBUTES", "a", "Cannot specify the ProjectionExpression when choosing to get ALL_ATTRIBUTES"),
        ("ALL_PROJECTED_ATTRIBUTES", None, "ALL_PROJECTED_ATTRIBUTES can be used only when Querying using an IndexName"),
        (
            "X",
            None,
            "1 validation error detected: Value 'X' at 'select' failed to satisfy constraint: Member must satisfy enum value set: "
            "[SPECIFIC_ATTRIBUTES, COUNT, ALL_ATTRIBUTES, ALL_PROJECTED_ATTRIBUTES]",
        ),
    ):
        more = {"ProjectionExpression": projection} if projection else {}
        assert invalid(client.query, Select=select, **more, **arguments) == sentence


def test_pages_by_size(client, tables):
    pk = uuid.uuid4().hex
    for n in range(5):
        client.put_item(TableName=tables["N"], Item={"pk": {"S": pk}, "sk": {"N": str(n)}, "x": {"S": "x" * 390 * 1024}})
    first = query(client, tables["N"], pk)
    # the item that passes 1 MB still belongs to the page
    assert sort_keys(first, "N") == ["0", "1", "2"]
    assert first["LastEvaluatedKey"] == {"pk": {"S": pk}, "sk": {"N": "2"}}
    second = query(client, tables["N"], pk, ExclusiveStartKey=first["LastEvaluatedKey"])
    assert sort_keys(second, "N") == ["3", "4"] and "LastEvaluatedKey" not in second
    # what a filter drops counts too
    empty = query(client, tables["N"], pk, FilterExpression="attribute_exists(nosuch)")
    assert (empty["Count"], empty["ScannedCount"]) == (0, 3) and "LastEvaluatedKey" in empty
    answer = query(client, tables["N"], pk, ReturnConsumedCapacity="TOTAL", Select="COUNT")
    assert 146 <= answer["ConsumedCapacity"]["CapacityUnits"] <= 147
    for n in range(5):
        client.delete_item(TableName=tables["N"], Key={"pk": {"S": pk}, "sk": {"N": str(n)}})


def test_a_table_without_sort_key(client, tables):
    client.put_item(TableName=tables[""], Item={"pk": {"S": "alone"}, "a": {"N": "1"}})
    answer = query(client, tables[""], "alone", Limit=1)
    assert answer["Items"] == [{"pk": {"S": "alone"}, "a": {"N": "1"}}] and "LastEvaluatedKey" not in answer
    assert query(client, tables[""], "nobody")["Items"] == []


@pytest.mark.parametrize(
    "arguments, sentence",
    [
        ({}, "Either the KeyConditions or KeyConditionExpression parameter must be specified in the request."),
        ({"condition": "sk = :s"}, "Query condition missed key schema element: pk"),
        ({"condition": "pk > :p"}, "Query key condition not supported"),
        ({"condition": "pk = :p", "IndexName": "nosuch"}, "The table does not have the specified index: nosuch"),
        ({"condition": "pk = :p", "Limit": 0}, "1 validation error detected: Value '0' at 'limit' failed to satisfy constraint: Member must have value greater than or equal to 1"),
        ({"condition": "pk = :p", "FilterExpression": "sk = :p"}, "Filter Expression can only contain non-primary key attributes: Primary key attribute: sk"),
        ({"condition": "pk = :p", "ExclusiveStartKey": {"pk": {"S": "p"}}}, "The provided starting key is invalid: The provided key element does not match the schema"),
        ({"condition": "pk = :p", "ExclusiveStartKey": {"pk": {"S": "p"}, "sk": {"S": "1"}}}, "The provided starting key is invalid: The provided key element does not match the schema"),
        ({"condition": "pk = :p", "ExclusiveStartKey": {"pk": {"S": "q"}, "sk": {"N": "1"}}}, "The provided starting key is outside query boundaries based on provided conditions"),
        ({"condition": "pk = :p AND sk > :s", "ExclusiveStartKey": {"pk": {"S": "p"}, "sk": {"N": "1"}}}, "The provided starting key does not match the range key predicate"),
    ],
)
def test_query_refusals(client, tables, arguments, sentence):
    arguments = dict(arguments)
    condition = arguments.pop("condition", None)
    if condition:
        arguments["KeyConditionExpression"] = condition
        text = condition + arguments.get("FilterExpression", "")
        values = {":p": {"S": "p"}, ":s": {"N": "5"}}
        arguments["ExpressionAttributeValues"] = {name: value for name, value in values.items() if name in text}
    assert invalid(client.query, TableName=tables["N"], **arguments) == sentence


# --- Scan ---


@pytest.fixture(scope="module")
def scanned(client):
    name = make_table(client, "N")
    items = [{"pk": {"S": f"p{n % 50}"}, "sk": {"N": str(n)}, "half": {"BOOL": n % 2 == 0}} for n in range(200)]
    put_all(client, name, items)
    yield name, {(item["pk"]["S"], item["sk"]["N"]) for item in items}
    client.delete_table(TableName=name)


def scan_all(client, **arguments):
    pages = []
    while True:
        answer = client.scan(**arguments)
        pages.append(answer)
        if "LastEvaluatedKey" not in answer:
            return pages
        arguments["ExclusiveStartKey"] = answer["LastEvaluatedKey"]


def keys_of(pages):
    return [(item["pk"]["S"], item["sk"]["N"]) for page in pages for item in page["Items"]]


@pytest.mark.parametrize("limit", [None, 1, 7, 200, 500])
def test_a_scan_finds_every_item_once(client, scanned, limit):
    table, want = scanned
    got = keys_of(scan_all(client, TableName=table, **({"Limit": limit} if limit else {})))
    assert len(got) == len(want) and set(got) == want


def test_scan_order_is_fixed_and_keeps_partitions_together(client, scanned):
    table, _ = scanned
    first, second = keys_of(scan_all(client, TableName=table)), keys_of(scan_all(client, TableName=table, Limit=9))
    assert first == second
    partitions = [pk for at, (pk, _) in enumerate(first) if at == 0 or first[at - 1][0] != pk]
    assert len(partitions) == len(set(partitions)) == 50
    assert partitions != sorted(partitions)


@pytest.mark.parametrize("total", [1, 2, 3, 8, 64, 1000])
def test_segments_share_out_the_table(client, scanned, total):
    table, want = scanned
    with ThreadPoolExecutor(8) as pool:
        parts = list(pool.map(lambda n: keys_of(scan_all(client, TableName=table, TotalSegments=total, Segment=n, Limit=20)), range(total)))
    got = [k for part in parts for k in part]
    assert len(got) == len(want) and set(got) == want
    if total == 8:
        assert sum(1 for part in parts if part) > 4


def test_scan_filters_and_projects(client, scanned):
    table, want = scanned
    pages = scan_all(client, TableName=table, FilterExpression="half = :t", ExpressionAttributeValues={":t": {"BOOL": True}}, Limit=30)
    assert sum(page["Count"] for page in pages) == 100 and sum(page["ScannedCount"] for page in pages) == 200
    pages = scan_all(client, TableName=table, ProjectionExpression="half")
    assert all(set(item) == {"half"} for page in pages for item in page["Items"])
    answer = client.scan(TableName=table, Select="COUNT")
    assert answer["Count"] == 200 and "Items" not in answer


def test_scan_capacity(client, tables):
    table = make_table(client)
    client.put_item(TableName=table, Item={"pk": {"S": "a"}})
    for consistent, units in ((True, 4.0), (False, 2.0)):
        answer = client.scan(TableName=table, ConsistentRead=consistent, ReturnConsumedCapacity="TOTAL")
        assert answer["ConsumedCapacity"] == {"TableName": table, "CapacityUnits": units}
    client.delete_table(TableName=table)


@pytest.mark.parametrize(
    "arguments, sentence",
    [
        ({"TotalSegments": 2}, "The Segment parameter is required but was not present in the request when parameter TotalSegments is present"),
        ({"Segment": 0}, "The TotalSegments parameter is required but was not present in the request when Segment parameter is present"),
        ({"Segment": 2, "TotalSegments": 2}, "The Segment parameter is zero-based and must be less than parameter TotalSegments: Segment: 2 is not less than TotalSegments: 2"),
        ({"Segment": 0, "TotalSegments": 0}, "1 validation error detected: Value '0' at 'totalSegments' failed to satisfy constraint: Member must have value greater than or equal to 1"),
        ({"Segment": 0, "TotalSegments": 1000001}, "1 validation error detected: Value '1000001' at 'totalSegments' failed to satisfy constraint: Member must have value less than or equal to 1000000"),
        ({"Segment": -1, "TotalSegments": 1}, "1 validation error detected: Value '-1' at 'segment' failed to satisfy constraint: Member must have value greater than or equal to 0"),
        ({"ExclusiveStartKey": {"pk": {"S": "a"}}}, "The provided starting key is invalid: The provided key element does not match the schema"),
        ({"IndexName": "nosuch"}, "The table does not have the specified index: nosuch"),
        ({"Limit": -1}, "1 validation error detected: Value '-1' at 'limit' failed to satisfy constraint: Member must have value greater than or equal to 1"),
    ],
)
def test_scan_refusals(client, tables, arguments, sentence):
    assert invalid(client.scan, TableName=tables["N"], **arguments) == sentence


def test_a_start_key_belongs_to_its_segment(client, scanned):
    table, _ = scanned
    first = client.scan(TableName=table, TotalSegments=2, Segment=0, Limit=1)["LastEvaluatedKey"]
    message = invalid(client.scan, TableName=table, TotalSegments=2, Segment=1, ExclusiveStartKey=first)
    assert message == (
        "The provided starting key is invalid: Invalid ExclusiveStartKey. Please use ExclusiveStartKey with correct Segment. "
        "TotalSegments: 2 Segment: 1"
    )


def test_the_conflict_log_is_readable_and_only_readable(client):
    assert client.scan(TableName="tidemark.conflicts", Limit=1)["Count"] >= 0
    description = client.describe_table(TableName="tidemark.conflicts")["Table"]
    types = {d["AttributeName"]: d["AttributeType"] for d in description["AttributeDefinitions"]}
    values = {"S": "nothing", "N": "0", "B": b"nothing"}
    key = {k["AttributeName"]: {types[k["AttributeName"]]: values[types[k["AttributeName"]]]} for k in description["KeySchema"]}
    assert "Item" not in client.get_item(TableName="tidemark.conflicts", Key=key)
    assert "read-only" in invalid(client.put_item, TableName="tidemark.conflicts", Item=key)
    assert "read-only" in invalid(client.delete_item, TableName="tidemark.conflicts", Key=key)
    assert "read-only" in invalid(client.update_item, TableName="tidemark.conflicts", Key=key)
    assert "read-only" in invalid(client.batch_write_item, RequestItems={"tidemark.conflicts": [{"PutRequest": {"Item": key}}]})
