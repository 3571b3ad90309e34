"""boto3's own layers over the plain client: waiters, paginators, the resource, its conditions and types, batch_writer's retries."""

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
from boto3.dynamodb.types import Binary
from botocore.config import Config
from botocore.exceptions import ClientError, WaiterError

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
