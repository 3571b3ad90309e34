"""boto3's own layers over the plain client: waiters, paginators, the resource, its conditions and types, batch_writer's retries;
indexes, transactions and statements through them."""

import decimal
import http.server
import json
import threading
import urllib.error
import urllib.request
import uuid

import boto3
import pytest
from boto3.dynamodb.conditions import Attr, Key
from boto3.dynamodb.types import Binary, TypeDeserializer, TypeSerializer
from botocore.config import Config
from botocore.exceptions import ClientError, WaiterError

from conftest import wait_for

D = decimal.Decimal


def resource_at(url, region, **settings):
    return boto3.resource(
        "dynamodb",
        endpoint_url=url,
        region_name=region.name,
        aws_access_key_id="test",
        aws_secret_access_key="test",
        config=Config(**settings),
    )


@pytest.fixture(scope="module")
def dynamodb(region):
    return resource_at(region.url, region)


@pytest.fixture(scope="module")
def table(dynamodb):
    table = dynamodb.create_table(
        TableName="layers-" + uuid.uuid4().hex[:8],
        KeySchema=[{"AttributeName": "pk", "KeyType": "HASH"}, {"AttributeName": "sk", "KeyType": "RANGE"}],
        AttributeDefinitions=[{"AttributeName": "pk", "AttributeType": "S"}, {"AttributeName": "sk", "AttributeType": "N"}],
        BillingMode="PAY_PER_REQUEST",
    )
    table.meta.client.get_waiter("table_exists").wait(TableName=table.name, WaiterConfig={"Delay": 1, "MaxAttempts": 30})
    with table.batch_writer() as batch:
        for pk in ("a", "b"):
            for sk in range(60):
                batch.put_item(
                    Item={
                        "pk": pk,
                        "sk": sk,
                        "text": f"text{sk:02}",
                        "third": sk % 3,
                        "tags": {"even" if sk % 2 == 0 else "odd", "all"},
                        "list": [sk, {"deep": {"n": D(sk) / 4}}],
                        **({"ten": True} if sk % 10 == 0 else {}),
                    }
                )
    yield table
    table.delete()
    table.meta.client.get_waiter("table_not_exists").wait(TableName=table.name, WaiterConfig={"Delay": 1, "MaxAttempts": 30})


# --- waiters ---


def test_waiters_of_the_resource(dynamodb):
    table = dynamodb.create_table(
        TableName="layers-" + uuid.uuid4().hex[:8],
        KeySchema=[{"AttributeName": "pk", "KeyType": "HASH"}],
        AttributeDefinitions=[{"AttributeName": "pk", "AttributeType": "S"}],
        ProvisionedThroughput={"ReadCapacityUnits": 3, "WriteCapacityUnits": 4},
    )
    assert table.table_status == "CREATING"
    client = table.meta.client
    client.get_waiter("table_exists").wait(TableName=table.name, WaiterConfig={"Delay": 1, "MaxAttempts": 30})
    table.reload()
    assert table.table_status == "ACTIVE"
    assert table.item_count == 0 and table.table_size_bytes == 0
    assert table.provisioned_throughput["WriteCapacityUnits"] == 4
    assert table.creation_date_time.tzinfo is not None
    assert table.table_arn.endswith(":table/" + table.name)
    assert table.delete()["TableDescription"]["TableStatus"] == "DELETING"
    client.get_waiter("table_not_exists").wait(TableName=table.name, WaiterConfig={"Delay": 1, "MaxAttempts": 30})
    with pytest.raises(WaiterError):
        client.get_waiter("table_exists").wait(TableName=table.name, WaiterConfig={"Delay": 1, "MaxAttempts": 2})


def test_tables_of_the_resource(dynamodb, table):
    assert table.name in {t.name for t in dynamodb.tables.all()}
    assert len(list(dynamodb.tables.limit(1))) == 1


# --- paginators ---


@pytest.mark.parametrize("size", [1, 7, 1000])
def test_query_paginator(client, table, size):
    pages = client.get_paginator("query").paginate(
        TableName=table.name,
        KeyConditionExpression="pk = :p",
        ExpressionAttributeValues={":p": {"S": "a"}},
        PaginationConfig={"PageSize": size},
    )
    assert [int(i["sk"]["N"]) for page in pages for i in page["Items"]] == list(range(60))


def test_paginator_resumes_from_its_token(client, table):
    def paginate(**config):
        return client.get_paginator("scan").paginate(TableName=table.name, PaginationConfig=config)

    everything = [(i["pk"]["S"], i["sk"]["N"]) for i in paginate().build_full_result()["Items"]]
    assert len(everything) == len(set(everything)) == 120
    found, token = [], None
    while True:
        part = paginate(MaxItems=17, PageSize=5, StartingToken=token).build_full_result()
        found += [(i["pk"]["S"], i["sk"]["N"]) for i in part["Items"]]
        token = part.get("NextToken")
        if token is None:
            break
    assert found == everything


def test_list_tables_paginator(client, table):
    names = [n for page in client.get_paginator("list_tables").paginate(PaginationConfig={"PageSize": 2}) for n in page["TableNames"]]
    assert table.name in names and names == sorted(names)


# --- conditions ---


@pytest.mark.parametrize(
    "condition, wanted",
    [
        (Key("pk").eq("a") & Key("sk").eq(5), [5]),
        (Key("pk").eq("a") & Key("sk").lt(3), [0, 1, 2]),
        (Key("pk").eq("a") & Key("sk").lte(3), [0, 1, 2, 3]),
        (Key("pk").eq("a") & Key("sk").gt(57), [58, 59]),
        (Key("pk").eq("a") & Key("sk").gte(57), [57, 58, 59]),
        (Key("pk").eq("a") & Key("sk").between(D("9.5"), 12), [10, 11, 12]),
    ],
    ids=["eq", "lt", "lte", "gt", "gte", "between"],
)
def test_key_conditions(table, condition, wanted):
    assert [int(i["sk"]) for i in table.query(KeyConditionExpression=condition)["Items"]] == wanted


ALL = range(60)


@pytest.mark.parametrize(
    "condition, wanted",
    [
        (Attr("third").eq(1), [n for n in ALL if n % 3 == 1]),
        (Attr("third").ne(1), [n for n in ALL if n % 3 != 1]),
        (Attr("text").lt("text03"), [0, 1, 2]),
        (Attr("text").gte("text58"), [58, 59]),
        (Attr("text").between("text10", "text12"), [10, 11, 12]),
        (Attr("text").begins_with("text1"), list(range(10, 20))),
        (Attr("text").is_in(["text01", "text07", "none"]), [1, 7]),
        (Attr("text").contains("t5"), list(range(50, 60))),
        (Attr("tags").contains("even"), list(range(0, 60, 2))),
        (Attr("ten").exists(), list(range(0, 60, 10))),
        (Attr("ten").not_exists() & Attr("third").eq(0), [n for n in ALL if n % 10 and n % 3 == 0]),
        (Attr("tags").attribute_type("SS") & Attr("text").eq("text09"), [9]),
        (Attr("text").size().eq(6) & ~Attr("third").lt(2), [n for n in ALL if n % 3 == 2]),
        (Attr("list[1].deep.n").eq(D("0.25")) | Attr("list[0]").eq(2), [1, 2]),
        (~(Attr("third").eq(0) | Attr("third").eq(1)) & Attr("text").lt("text06"), [2, 5]),
    ],
    ids=lambda c: type(c).__name__ if not isinstance(c, list) else "",
)
def test_filters(table, condition, wanted):
    found = table.query(KeyConditionExpression=Key("pk").eq("b"), FilterExpression=condition)["Items"]
    assert [int(i["sk"]) for i in found] == wanted
    scanned = table.scan(FilterExpression=condition & Attr("pk").eq("b"), ConsistentRead=True)["Items"]
    assert sorted(int(i["sk"]) for i in scanned) == wanted


def test_conditions_guard_writes(table):
    item = {"pk": "guard", "sk": 1, "n": 1}
    table.put_item(Item=item, ConditionExpression=Attr("pk").not_exists())
    with pytest.raises(table.meta.client.exceptions.ConditionalCheckFailedException) as caught:
        table.put_item(Item=item, ConditionExpression=Attr("pk").not_exists(), ReturnValuesOnConditionCheckFailure="ALL_OLD")
    assert caught.value.response["Item"] == {"pk": {"S": "guard"}, "sk": {"N": "1"}, "n": {"N": "1"}}
    got = table.update_item(
        Key={"pk": "guard", "sk": 1},
        UpdateExpression="SET n = n + :d, m = :m",
        ConditionExpression=Attr("n").between(1, 2) & Attr("m").not_exists(),
        ExpressionAttributeValues={":d": D("0.5"), ":m": {"list": [1, None, True, "x", {"b": b"\x00"}]}},
        ReturnValues="UPDATED_NEW",
    )
    assert got["Attributes"] == {"n": D("1.5"), "m": {"list": [1, None, True, "x", {"b": Binary(b"\x00")}]}}
    table.delete_item(Key={"pk": "guard", "sk": 1}, ConditionExpression=Attr("n").gt(1))
    assert "Item" not in table.get_item(Key={"pk": "guard", "sk": 1})


def test_python_values_come_back_as_they_were(table):
    item = {
        "pk": "python",
        "sk": D("-1.5"),
        "none": None,
        "true": True,
        "text": "\u00e9\U0001f600",
        "number": D("1234567890.123456789012345678"),
        "small": D("1E-130"),
        "large": D("99999999999999999999999999999999999999"),  # boto3 reads no more than 38 digits, zeros included
        "binary": Binary(b"\x00\xff"),
        "strings": {"a", "b"},
        "numbers": {D("1"), D("2.5")},
        "binaries": {Binary(b"x"), Binary(b"y")},
        "map": {"list": [[], {}, [D("1")]], "k": "text"},
    }
    table.put_item(Item=item)
    assert table.get_item(Key={"pk": "python", "sk": D("-1.5")}, ConsistentRead=True)["Item"] == item
    table.delete_item(Key={"pk": "python", "sk": D("-1.5")})


def test_batch_get_of_the_resource(dynamodb, table):
    got = dynamodb.batch_get_item(RequestItems={table.name: {"Keys": [{"pk": "a", "sk": n} for n in (1, 2, 999)], "ProjectionExpression": "sk"}})
    assert sorted(int(i["sk"]) for i in got["Responses"][table.name]) == [1, 2]
    assert got["UnprocessedKeys"] == {}


# --- batch_writer ---


def test_batch_writer_keeps_the_last_of_equal_keys(table):
    with table.batch_writer(overwrite_by_pkeys=["pk", "sk"]) as batch:
        for n in range(100):
            batch.put_item(Item={"pk": "again", "sk": n % 7, "n": n})
    found = table.query(KeyConditionExpression=Key("pk").eq("again"))["Items"]
    assert [(int(i["sk"]), int(i["n"])) for i in found] == [(n, max(m for m in range(100) if m % 7 == n)) for n in range(7)]
    with table.batch_writer() as batch:
        for item in found:
            batch.delete_item(Key={"pk": "again", "sk": item["sk"]})
    assert table.query(KeyConditionExpression=Key("pk").eq("again"), Select="COUNT")["Count"] == 0


@pytest.fixture
def partial(region):
    """A front that hands on at most 10 writes of a batch and gives the rest back as unprocessed, as a busy service does."""
    given_back = []

    class Front(http.server.BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_POST(self):
            body = self.rfile.read(int(self.headers["Content-Length"]))
            rest = None
            if self.headers["X-Amz-Target"].endswith(".BatchWriteItem"):
                asked = json.loads(body)
                ((name, writes),) = asked["RequestItems"].items()
                rest = {name: writes[10:]} if writes[10:] else {}
                asked["RequestItems"] = {name: writes[:10]}
                body = json.dumps(asked).encode()
                given_back.append(len(writes[10:]))
            onward = urllib.request.Request(region.url, data=body, headers={k: v for k, v in self.headers.items() if k.lower() not in ("host", "content-length")})
            try:
                with urllib.request.urlopen(onward, timeout=60) as reply:
                    status, answer = reply.status, reply.read()
            except urllib.error.HTTPError as e:
                status, answer = e.code, e.read()
            if rest is not None and status == 200:
                parsed = json.loads(answer)
                assert parsed["UnprocessedItems"] == {}
                answer = json.dumps({**parsed, "UnprocessedItems": rest}).encode()
            self.send_response(status)
            self.send_header("Content-Type", "application/x-amz-json-1.0")
            self.send_header("Content-Length", str(len(answer)))
            self.end_headers()
            self.wfile.write(answer)

        def log_message(self, *_):
            pass

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Front)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}", given_back
    server.shutdown()
    server.server_close()


def test_batch_writer_sends_again_what_comes_back(region, table, partial):
    url, given_back = partial
    through = resource_at(url, region).Table(table.name)
    with through.batch_writer() as batch:
        for n in range(64):
            batch.put_item(Item={"pk": "partial", "sk": n})
    assert sum(given_back) > 0
    assert table.query(KeyConditionExpression=Key("pk").eq("partial"), Select="COUNT")["Count"] == 64


def test_errors_name_the_operation(table):
    with pytest.raises(ClientError, match=r"An error occurred \(ValidationException\) when calling the PutItem operation: .*Missing the key sk in the item"):
        table.put_item(Item={"pk": "a"})


# --- indexes, transactions and statements, with Python's values ---


@pytest.fixture(scope="module")
def indexed(dynamodb):
    table = dynamodb.create_table(
        TableName="layers-" + uuid.uuid4().hex[:8],
        KeySchema=[{"AttributeName": "pk", "KeyType": "HASH"}, {"AttributeName": "sk", "KeyType": "RANGE"}],
        AttributeDefinitions=[{"AttributeName": n, "AttributeType": t} for n, t in (("pk", "S"), ("sk", "N"), ("owner", "S"), ("price", "N"), ("code", "B"))],
        LocalSecondaryIndexes=[
            {"IndexName": "by-code", "KeySchema": [{"AttributeName": "pk", "KeyType": "HASH"}, {"AttributeName": "code", "KeyType": "RANGE"}], "Projection": {"ProjectionType": "ALL"}}
        ],
        GlobalSecondaryIndexes=[
            {
                "IndexName": "by-owner",
                "KeySchema": [{"AttributeName": "owner", "KeyType": "HASH"}, {"AttributeName": "price", "KeyType": "RANGE"}],
                "Projection": {"ProjectionType": "KEYS_ONLY"},
            }
        ],
        BillingMode="PAY_PER_REQUEST",
    )
    table.meta.client.get_waiter("table_exists").wait(TableName=table.name, WaiterConfig={"Delay": 1, "MaxAttempts": 30})
    with table.batch_writer() as batch:
        for sk in range(40):
            batch.put_item(
                Item={"pk": "a", "sk": sk, "code": bytes([255 - sk]), "text": "x", **({"owner": f"o{sk % 2}", "price": D(sk) / 8} if sk % 4 < 2 else {})}
            )
    yield table
    table.delete()
    table.meta.client.get_waiter("table_not_exists").wait(TableName=table.name, WaiterConfig={"Delay": 1, "MaxAttempts": 30})


def test_the_resource_knows_its_indexes(indexed):
    indexed.load()
    assert [(i["IndexName"], i["IndexStatus"]) for i in indexed.global_secondary_indexes] == [("by-owner", "ACTIVE")]
    assert [i["IndexName"] for i in indexed.local_secondary_indexes] == ["by-code"]
    assert {a["AttributeName"] for a in indexed.attribute_definitions} == {"pk", "sk", "owner", "price", "code"}


@pytest.mark.parametrize(
    "index, condition, wanted",
    [
        ("by-owner", Key("owner").eq("o0"), range(0, 40, 4)),
        ("by-owner", Key("owner").eq("o1") & Key("price").between(D("0.5"), D("2.125")), [5, 9, 13, 17]),
        ("by-owner", Key("owner").eq("o1") & Key("price").gt(4), [33, 37]),
        ("by-code", Key("pk").eq("a") & Key("code").begins_with(Binary(b"\xff")), [0]),
        ("by-code", Key("pk").eq("a") & Key("code").gte(b"\xfd"), [2, 1, 0]),
    ],
    ids=["owner", "between", "greater", "binary-prefix", "binary-greater"],
)
def test_key_conditions_of_indexes(indexed, index, condition, wanted):
    assert [int(i["sk"]) for i in indexed.query(IndexName=index, KeyConditionExpression=condition)["Items"]] == list(wanted)


def test_paginators_of_indexes(client, indexed):
    pages = client.get_paginator("query").paginate(
        TableName=indexed.name,
        IndexName="by-owner",
        KeyConditionExpression="#o = :o",
        ExpressionAttributeNames={"#o": "owner"},
        ExpressionAttributeValues={":o": {"S": "o0"}},
        ScanIndexForward=False,
        PaginationConfig={"PageSize": 3},
    )
    found = [i for page in pages for i in page["Items"]]
    assert [int(i["sk"]["N"]) for i in found] == list(range(36, -1, -4))
    assert set(found[0]) == {"pk", "sk", "owner", "price"}
    scan = client.get_paginator("scan").paginate(TableName=indexed.name, IndexName="by-owner", PaginationConfig={"PageSize": 7})
    assert sum(page["Count"] for page in scan) == 20


def test_tags_paginator(client, indexed):
    indexed.load()
    client.tag_resource(ResourceArn=indexed.table_arn, Tags=[{"Key": f"k{n:02}", "Value": str(n)} for n in range(30)])
    pages = client.get_paginator("list_tags_of_resource").paginate(ResourceArn=indexed.table_arn)
    assert sorted(t["Key"] for page in pages for t in page["Tags"]) == [f"k{n:02}" for n in range(30)]


def test_an_update_of_the_resource_makes_and_removes_an_index(client, indexed):
    indexed.update(
        AttributeDefinitions=[{"AttributeName": "text", "AttributeType": "S"}],
        GlobalSecondaryIndexUpdates=[
            {"Create": {"IndexName": "by-text", "KeySchema": [{"AttributeName": "text", "KeyType": "HASH"}], "Projection": {"ProjectionType": "ALL"}}}
        ],
    )

    def index():
        found = [i for i in client.describe_table(TableName=indexed.name)["Table"].get("GlobalSecondaryIndexes", []) if i["IndexName"] == "by-text"]
        return found[0] if found else None

    wait_for(lambda: index()["IndexStatus"] == "ACTIVE", "the index is there")
    assert indexed.query(IndexName="by-text", KeyConditionExpression=Key("text").eq("x"), Select="COUNT")["Count"] == 40
    indexed.update(GlobalSecondaryIndexUpdates=[{"Delete": {"IndexName": "by-text"}}])
    wait_for(lambda: index() is None, "the index is gone")
    with pytest.raises(ClientError, match="The table does not have the specified index: by-text"):
        indexed.query(IndexName="by-text", KeyConditionExpression=Key("text").eq("x"))


VALUES = {
    "text": "é",
    "number": D("-1.5E-7"),
    "bytes": Binary(b"\x00"),
    "flag": False,
    "nothing": None,
    "list": [D(1), "two", [], {}],
    "map": {"deep": {"er": {D("1"), D("2")}}},
    "texts": {"a", "b"},
    "binaries": {Binary(b"a"), Binary(b"b")},
}


def test_serializer_and_deserializer_around_a_transaction(client, indexed):
    """The plain client takes and gives typed values: boto3's own serializer is how applications get them."""
    to, of = TypeSerializer().serialize, TypeDeserializer().deserialize
    item = {"pk": "t", "sk": D(1), **VALUES}
    client.transact_write_items(
        TransactItems=[
            {"Put": {"TableName": indexed.name, "Item": {k: to(v) for k, v in item.items()}}},
            {"Update": {"TableName": indexed.name, "Key": {"pk": to("t"), "sk": to(2)}, "UpdateExpression": "ADD n :n", "ExpressionAttributeValues": {":n": to(D("0.5"))}}},
            {"ConditionCheck": {"TableName": indexed.name, "Key": {"pk": to("a"), "sk": to(0)}, "ConditionExpression": "attribute_exists(pk)"}},
        ]
    )
    got = client.transact_get_items(TransactItems=[{"Get": {"TableName": indexed.name, "Key": {"pk": to("t"), "sk": to(n)}}} for n in (1, 2, 3)])
    items = [{k: of(v) for k, v in r.get("Item", {}).items()} for r in got["Responses"]]
    assert items == [item, {"pk": "t", "sk": D(2), "n": D("0.5")}, {}]


def test_transactions_of_the_resource_take_plain_values(dynamodb, indexed):
    """Below a resource the client's own methods serialize."""
    client = dynamodb.meta.client
    name = indexed.name
    with pytest.raises(client.exceptions.TransactionCanceledException) as caught:
        client.transact_write_items(
            TransactItems=[
                {"Put": {"TableName": name, "Item": {"pk": "plain", "sk": 1}}},
                {
                    "Delete": {
                        "TableName": name,
                        "Key": {"pk": "a", "sk": 0},
                        "ConditionExpression": "#t = :t",
                        "ExpressionAttributeNames": {"#t": "text"},
                        "ExpressionAttributeValues": {":t": "y"},
                        "ReturnValuesOnConditionCheckFailure": "ALL_OLD",
                    }
                },
            ]
        )
    none, failed = caught.value.response["CancellationReasons"]
    assert none == {"Code": "None"}
    assert (failed["Code"], failed["Message"], failed["Item"]["text"]) == ("ConditionalCheckFailed", "The conditional request failed", {"S": "x"})
    assert "Item" not in indexed.get_item(Key={"pk": "plain", "sk": 1})


def test_statements_of_the_resource_take_plain_values(dynamodb, indexed):
    client = dynamodb.meta.client
    client.execute_statement(Statement=f"INSERT INTO \"{indexed.name}\" VALUE {{'pk': ?, 'sk': ?, 'v': ?}}", Parameters=["q", 1, VALUES])
    (got,) = client.execute_statement(Statement=f'SELECT v FROM "{indexed.name}" WHERE pk = ? AND sk = ?', Parameters=["q", D(1)])["Items"]
    assert got == {"v": VALUES}
    found = client.execute_statement(Statement=f'SELECT sk FROM "{indexed.name}"."by-owner" WHERE owner = ? AND price >= ?', Parameters=["o0", D("3.5")])["Items"]
    assert [int(i["sk"]) for i in found] == [28, 32, 36]
