"""What no client should send. After each: the same process answers a normal request, and its memory has not grown.

The region of these tests is its own; the bounds of time are generous, as the programs may be sanitized ones.
"""

import base64
import contextlib
import gzip
import json
import os
import random
import socket
import struct
import threading
import time
import zlib

import pytest

from conftest import Region

TABLE = "bad-input"
NORMAL_SECONDS = 5  # within which a normal request is answered, whatever others do
GROWTH_MB_MAX = 300  # of the process over the whole module
HANG_SECONDS = 60  # after which a connection that neither answers nor ends has hung
MUTATIONS = int(os.environ.get("TIDEMARK_MUTATIONS", 1000))
BAD_STATUS_OK = {400, 404, 405, 408, 413, 414, 431, 501, 505}


def head(operation="PutItem", length=None, more=(), without=()):
    fields = {
        "Host": "127.0.0.1",
        "Content-Type": "application/x-amz-json-1.0",
        "X-Amz-Target": f"DynamoDB_20120810.{operation}",
        "X-Amz-Date": "20260101T000000Z",
        "Authorization": "AWS4-HMAC-SHA256 Credential=a/20260101/us-east-1/dynamodb/aws4_request, SignedHeaders=host, Signature=ab",
    }
    if length is not None:
        fields["Content-Length"] = str(length)
    lines = [f"{k}: {v}" for k, v in fields.items() if k not in without] + list(more)
    return ("POST / HTTP/1.1\r\n" + "\r\n".join(lines) + "\r\n\r\n").encode("latin-1")


def request(operation, body, **options):
    raw = body if isinstance(body, bytes) else json.dumps(body).encode()
    return head(operation, len(raw), **options) + raw


def put(value, pk="a"):
    return {"TableName": TABLE, "Item": {"pk": {"S": pk}, "v": value}}


class Subject:
    """The region under attack."""

    def __init__(self, region):
        self.region = region
        self.pid = region.api.process.pid
        self.round = 0
        self.start_mb = None

    def dial(self, seconds=HANG_SECONDS):
        return socket.create_connection(("127.0.0.1", self.region.http_port), timeout=seconds)

    def read_to_end(self, s):
        """All that comes until the server closes; a reset is an end as well."""
        got = b""
        try:
            while part := s.recv(65536):
                got += part
        except ConnectionError:
            pass
        return got

    def send(self, raw, shut=True):
        """Everything that the server says to these bytes."""
        with self.dial() as s:
            try:
                s.sendall(raw)
                if shut:
                    s.shutdown(socket.SHUT_WR)
            except OSError:
                pass  # it has hung up on us already: what it said is still there
            return self.read_to_end(s)

    def refused(self, raw, **options):
        """Send; the answer must be an error of the client's, or a closed connection. Its status, 0 if none."""
        got = self.send(raw, **options)
        if not got:
            return 0
        assert got.startswith(b"HTTP/1.1 "), got[:200]
        status = int(got[9:12])
        assert status in BAD_STATUS_OK, got[:500]
        return status

    def normal(self):
        """A write and a read by a client that does nothing wrong; the seconds it took."""
        began = time.monotonic()
        self.round += 1
        item = {"pk": {"S": "normal"}, "n": {"N": str(self.round)}}
        with self.dial(NORMAL_SECONDS) as s:
            for operation, body in (("PutItem", {"TableName": TABLE, "Item": item}), ("GetItem", {"TableName": TABLE, "Key": {"pk": {"S": "normal"}}})):
                s.sendall(request(operation, body))
                got = b""
                while not got.endswith(b"}"):
                    part = s.recv(65536)
                    assert part, got
                    got += part
                assert got.startswith(b"HTTP/1.1 200 "), got
        assert json.loads(got.split(b"\r\n\r\n", 1)[1])["Item"] == item
        took = time.monotonic() - began
        assert took < NORMAL_SECONDS
        return took

    def resident_mb(self):
        with open(f"/proc/{self.pid}/status") as f:
            return next(int(line.split()[1]) // 1024 for line in f if line.startswith("VmRSS"))

    def check(self):
        assert self.region.api.process.poll() is None, self.region.api.log.read_text()[-5000:]
        self.normal()
        if self.start_mb is None:
            self.start_mb = self.resident_mb()
        assert self.resident_mb() - self.start_mb < GROWTH_MB_MAX


@pytest.fixture(scope="module")
def attacked(tmp_path_factory):
    # The address sanitizer keeps what was freed; little of it here, so that what the program itself keeps shows.
    before = os.environ.get("ASAN_OPTIONS", "")
    os.environ["ASAN_OPTIONS"] = ":".join(filter(None, [before, "quarantine_size_mb=8", "allocator_release_to_os_interval_ms=100"]))
    region = Region(tmp_path_factory.mktemp("bad"), "us-east-1", 1).start()
    os.environ["ASAN_OPTIONS"] = before
    region.client().create_table(
        TableName=TABLE,
        KeySchema=[{"AttributeName": "pk", "KeyType": "HASH"}],
        AttributeDefinitions=[{"AttributeName": "pk", "AttributeType": "S"}],
        BillingMode="PAY_PER_REQUEST",
    )
    region.client().get_waiter("table_exists").wait(TableName=TABLE, WaiterConfig={"Delay": 1})
    subject = Subject(region)
    for _ in range(20):
        subject.normal()
    subject.check()
    yield subject
    assert region.stop() == 0, region.api.log.read_text()[-5000:]


@pytest.fixture
def subject(attacked):
    yield attacked
    attacked.check()


# --- bodies ---


def test_every_prefix_of_a_body(subject):
    whole = json.dumps({**put({"M": {"l": {"L": [{"N": "1"}, {"SS": ["a", "\u00e9"]}]}}}), "ReturnValues": "ALL_OLD"}).encode()
    for n in range(len(whole)):
        assert subject.refused(request("PutItem", whole[:n])) == 400


WRONG = [None, True, False, 0, -1, 1.5, 1e300, 10**30, "", "x", [], [None], [[]], {}, {"S": "a"}, {"a": 1}, {"": {}}, [{"S": "a"}]]
MEMBERS = {
    "PutItem": ["TableName", "Item", "ConditionExpression", "ExpressionAttributeNames", "ExpressionAttributeValues", "ReturnValues", "Expected"],
    "GetItem": ["TableName", "Key", "ProjectionExpression", "ConsistentRead", "ExpressionAttributeNames", "AttributesToGet"],
    "UpdateItem": ["TableName", "Key", "UpdateExpression", "ExpressionAttributeValues", "ReturnValuesOnConditionCheckFailure", "AttributeUpdates"],
    "DeleteItem": ["TableName", "Key", "ConditionExpression", "ReturnConsumedCapacity", "Expected", "ConditionalOperator"],
    "Query": [
        "TableName", "KeyConditionExpression", "ExpressionAttributeValues", "Limit", "ScanIndexForward", "ExclusiveStartKey", "Select", "IndexName",
        "KeyConditions", "QueryFilter", "AttributesToGet",
    ],
    "Scan": ["TableName", "FilterExpression", "Segment", "TotalSegments", "Limit", "ExclusiveStartKey", "ReturnConsumedCapacity", "ScanFilter"],
    "BatchGetItem": ["RequestItems", "ReturnConsumedCapacity"],
    "BatchWriteItem": ["RequestItems", "ReturnItemCollectionMetrics"],
    "CreateTable": ["TableName", "KeySchema", "AttributeDefinitions", "BillingMode", "ProvisionedThroughput", "StreamSpecification", "Tags"],
    "UpdateTable": ["TableName", "ReplicaUpdates", "StreamSpecification", "BillingMode", "DeletionProtectionEnabled", "AttributeDefinitions"],
    "ListTables": ["Limit", "ExclusiveStartTableName"],
    "DescribeTable": ["TableName"],
    "DescribeLimits": ["Anything"],
}
VALID = {
    "PutItem": put({"S": "v"}),
    "GetItem": {"TableName": TABLE, "Key": {"pk": {"S": "a"}}, "ProjectionExpression": "v, #m.l[0]", "ExpressionAttributeNames": {"#m": "m"}},
    "UpdateItem": {
        "TableName": TABLE,
        "Key": {"pk": {"S": "u"}},
        "UpdateExpression": "SET a = if_not_exists(a, :z) + :o, l = list_append(:l, :l) REMOVE x ADD n :o DELETE s :s",
        "ConditionExpression": "attribute_not_exists(zz) AND (size(pk) < :o OR NOT begins_with(pk, :p) OR pk IN (:p, :p) OR :o BETWEEN :z AND :o)",
        "ExpressionAttributeValues": {":z": {"N": "0"}, ":o": {"N": "1"}, ":l": {"L": [{"S": "x"}]}, ":s": {"SS": ["q"]}, ":p": {"S": "u"}},
        "ReturnValues": "ALL_NEW",
    },
    "DeleteItem": {"TableName": TABLE, "Key": {"pk": {"S": "a"}}, "ReturnValues": "ALL_OLD"},
    "Query": {"TableName": TABLE, "KeyConditionExpression": "pk = :p", "ExpressionAttributeValues": {":p": {"S": "normal"}}, "Limit": 10},
    "Scan": {"TableName": TABLE, "FilterExpression": "attribute_exists(v)", "TotalSegments": 4, "Segment": 1},
    "BatchGetItem": {"RequestItems": {TABLE: {"Keys": [{"pk": {"S": "a"}}, {"pk": {"S": "b"}}]}}},
    "BatchWriteItem": {"RequestItems": {TABLE: [{"PutRequest": {"Item": {"pk": {"S": "c"}, "b": {"B": "AAEC"}}}}, {"DeleteRequest": {"Key": {"pk": {"S": "d"}}}}]}},
    "DescribeTable": {"TableName": TABLE},
    "ListTables": {"Limit": 5},
}


@pytest.mark.parametrize("operation", MEMBERS)
def test_wrong_types_everywhere(subject, operation):
    """Every member with every kind of JSON value: an answer, never a 500."""
    for member in MEMBERS[operation]:
        for value in WRONG:
            got = subject.send(request(operation, {**VALID.get(operation, {"TableName": TABLE}), member: value}))
            assert got[9:12] in (b"200", b"400"), (operation, member, value, got[:400])


@pytest.mark.parametrize("value", [v for v in WRONG if v != {"S": "a"}], ids=str)
def test_wrong_values_at_every_level(subject, value):
    for bad in (value, {"S": value}, {"N": value}, {"B": value}, {"M": value}, {"L": value}, {"SS": value}, {"NS": value}, {"BS": value}, {"NULL": value},
                {"BOOL": value}, {"X": value}, {"L": [value]}, {"M": {"k": value}}, {"SS": [value]}, {"NS": [value]}, {"BS": [value]}):  # fmt: skip
        got = subject.send(request("PutItem", put(bad)))
        assert got[9:12] in (b"200", b"400"), (bad, got[:400])


@pytest.mark.parametrize("megabytes", [1, 10, 16])
def test_large_bodies_are_read_and_refused(subject, megabytes):
    assert subject.refused(request("PutItem", put({"S": "x" * (megabytes << 20)}))) == 400


@pytest.mark.parametrize("megabytes", [17, 18, 100])
def test_larger_bodies_are_turned_away(subject, megabytes):
    assert subject.refused(request("PutItem", put({"S": "x" * (megabytes << 20)})), shut=False) in (0, 413)
    assert subject.refused(head("PutItem", more=["Transfer-Encoding: chunked"]) + b"%x\r\n" % (megabytes << 20) + b" " * (megabytes << 20)) in (0, 413)


def test_many_large_bodies_at_once(subject):
    """20 clients send 16 MB each, byte by byte at the end: a normal client is served meanwhile."""
    raw = request("PutItem", put({"S": "x" * (16 << 20)}))
    with contextlib.ExitStack() as stack:
        open_ones = [stack.enter_context(subject.dial()) for _ in range(20)]

        def fill(s):
            with contextlib.suppress(OSError):
                s.sendall(raw[:-1])

        threads = [threading.Thread(target=fill, args=(s,)) for s in open_ones]
        for t in threads:
            t.start()
        for _ in range(5):
            subject.normal()
        for t in threads:
            t.join()
        for s in open_ones:
            with contextlib.suppress(OSError):
                s.sendall(raw[-1:])
            got = s.recv(65536)
            assert got[9:12] in (b"400", b"413", b"503"), got[:200]


def deep(levels, kind):
    opening, closing = {"L": ('{"L":[', "]}"), "M": ('{"M":{"k":', "}}"), "[": ("[", "]"), "{": ('{"a":', "}")}[kind]
    return (opening * levels + ('{"S":"x"}' if kind in "LM" else "1") + closing * levels).encode()


@pytest.mark.parametrize("kind", ["L", "M", "[", "{"])
@pytest.mark.parametrize("levels", [33, 100, 10_000, 500_000])
def test_deep_nesting(subject, kind, levels):
    body = b'{"TableName":"bad-input","Item":{"pk":{"S":"a"},"v":' + deep(levels, kind) + b"}}"
    assert subject.refused(request("PutItem", body)) == 400
    assert subject.refused(request("PutItem", b'{"TableName":"bad-input","Ignored":' + deep(levels, kind) + b"}")) == 400


@pytest.mark.parametrize("text", ["(" * 4000, "NOT " * 1000, "a = b AND " * 400, "(" * 2000 + "a = b" + ")" * 1999, "size(" * 800, "a" * 4096, "a." * 2000, "a[0]" * 1000])
def test_deep_expressions(subject, text):
    for operation, member in (("UpdateItem", "ConditionExpression"), ("UpdateItem", "UpdateExpression"), ("GetItem", "ProjectionExpression"), ("Scan", "FilterExpression")):
        body = {"TableName": TABLE, member: text}
        if operation != "Scan":
            body["Key"] = {"pk": {"S": "a"}}
        got = subject.send(request(operation, body))
        assert got[9:12] in (b"200", b"400"), got[:300]


BAD_UTF8 = [b"\x80", b"\xc3", b"\xc0\xaf", b"\xe0\x80\xaf", b"\xed\xa0\x80", b"\xf4\x90\x80\x80", b"\xf8\x88\x80\x80\x80", b"\xff", b"\xfe", b"\xe2\x82", b"a\xffb"]


@pytest.mark.parametrize("bad", BAD_UTF8, ids=repr)
def test_invalid_utf8_is_refused_wherever_it_is(subject, bad):
    for body in (
        b'{"TableName":"bad-input","Item":{"pk":{"S":"a"},"v":{"S":"' + bad + b'"}}}',
        b'{"TableName":"bad-input","Item":{"pk":{"S":"' + bad + b'"}}}',
        b'{"TableName":"bad-input","Item":{"pk":{"S":"a"},"' + bad + b'":{"S":"a"}}}',
        b'{"TableName":"' + bad + b'","Item":{"pk":{"S":"a"}}}',
        b'{"' + bad + b'":1}',
        b'{"TableName":"bad-input"}' + bad,
        bad,
    ):
        assert subject.refused(request("PutItem", body)) == 400


@pytest.mark.parametrize("escape", [r"\ud800", r"\udc00", r"\ud800\ud800", r"\udbffx", r"\ud83d\u0041", r"\u12", r"\uzzzz", r"\x41", "\\", "\x01", "\n"])
def test_lone_surrogates_and_bad_escapes(subject, escape):
    """Refused, or read as the replacement character: what comes back is always valid UTF-8."""
    body = b'{"TableName":"bad-input","Item":{"pk":{"S":"esc"},"v":{"S":"' + escape.encode() + b'"}}}'
    got = subject.send(request("PutItem", body))
    assert got[9:12] in (b"200", b"400"), got[:300]
    if got[9:12] == b"200":
        got = subject.send(request("GetItem", {"TableName": TABLE, "Key": {"pk": {"S": "esc"}}}))
    got.decode("utf-8")


def test_bodies_of_other_encodings(subject):
    text = json.dumps(put({"S": "x"}))
    for encoding in ("utf-16", "utf-16-le", "utf-32", "utf-7", "utf-8-sig", "cp500"):
        got = subject.send(request("PutItem", text.encode(encoding)))
        assert got[9:12] == (b"200" if encoding == "utf-7" and text.encode(encoding) == text.encode() else b"400"), (encoding, got[:300])


def test_duplicate_and_very_many_members(subject):
    subject.refused(request("PutItem", b'{"TableName":"bad-input","TableName":5,"Item":{"pk":{"S":"a"},"pk":{"N":"1"}}}'))
    subject.refused(request("PutItem", b'{"TableName":"bad-input","Item":{"pk":{"S":"a"}' + b"".join(b',"k%d":{"NULL":true}' % n for n in range(300_000)) + b"}}"))
    subject.refused(request("PutItem", b'{"TableName":"bad-input","Item":' + b"[" + b",".join([b"{}"] * 500_000) + b"]}"))
    subject.refused(request("BatchGetItem", {"RequestItems": {TABLE: {"Keys": [{"pk": {"S": str(n)}} for n in range(100_000)]}}}))
    subject.refused(request("PutItem", put({"SS": ["same"] * 300_000})))
    subject.refused(request("PutItem", put({"NS": [str(n) for n in range(300_000)]})))
    subject.refused(request("PutItem", put({"N": "1" * 1_000_000})))
    subject.refused(request("PutItem", put({"N": "1e" + "9" * 1_000_000})))
    names = {f"#n{n}": "a" for n in range(50_000)}
    subject.refused(request("GetItem", {"TableName": TABLE, "Key": {"pk": {"S": "a"}}, "ProjectionExpression": "#n1", "ExpressionAttributeNames": names}))
    subject.refused(request("Query", {"TableName": TABLE, "KeyConditionExpression": "pk = :v1", "ExpressionAttributeValues": {f":v{n}": {"S": "a"} for n in range(50_000)}}))


# --- heads ---


@pytest.mark.parametrize("missing", ["Host", "Content-Type", "X-Amz-Target", "X-Amz-Date", "Authorization"])
def test_missing_headers(subject, missing):
    got = subject.send(request("PutItem", put({"S": "x"}), without=[missing]))
    assert got[9:12] in (b"200", b"400", b"404"), got[:300]


@pytest.mark.parametrize(
    "target",
    ["", ".", "DynamoDB_20120810", "DynamoDB_20120810.", "DynamoDB_20111205.PutItem", "dynamodb_20120810.putitem", "DynamoDB_20120810.PutItem.PutItem", "\xff\xfe",
     "DynamoDB_20120810.PutItem\t", "DynamoDB_20120810." + "A" * 5000, "../../etc/passwd", "DynamoDB_20120810.%50utItem", "DynamoDBStreams_20120810.Nothing"],
    ids=lambda t: ascii(t)[:40],
)  # fmt: skip
def test_unknown_targets(subject, target):
    raw = json.dumps(put({"S": "x"})).encode()
    got = subject.send(head("x", len(raw), without=["X-Amz-Target"], more=[f"X-Amz-Target: {target}"]) + raw)
    assert got[9:12] in (b"200", b"400", b"404"), got[:300]


def test_huge_heads(subject):
    assert subject.refused(head(more=["X-Junk: " + "a" * 10_000])) in (400, 413, 431)
    assert subject.refused(head(more=["X-Junk: " + "a" * 50_000_000])) in (0, 400, 413, 431)
    assert subject.refused(head(more=[f"X-Junk-{n}: a" for n in range(100_000)])) in (0, 400, 413, 431)
    assert subject.refused(b"POST /" + b"a" * 1_000_000 + b" HTTP/1.1\r\n\r\n") in (0, 400, 413, 414, 431)
    assert subject.refused(head(more=["a" * 100_000 + ": x"])) in (0, 400, 413, 431)
    subject.refused(head(length=2, more=["Content-Length: 2"] * 100) + b"{}")
    # A header that never ends: the server must not wait for the end of it to say no.
    with subject.dial() as s:
        s.sendall(b"POST / HTTP/1.1\r\nX: ")
        with contextlib.suppress(ConnectionError):
            for _ in range(10_000):
                s.sendall(b"a" * 65536)


@pytest.mark.parametrize(
    "first",
    [b"GET /\r\n\r\n", b"GET\r\n\r\n", b"POST / HTTP/0.9\r\n\r\n", b"POST / HTTP/2.0\r\n\r\n", b"POST / HTTP/1.1.1\r\n\r\n", b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
     b"CONNECT a:1 HTTP/1.1\r\n\r\n", b"TRACE / HTTP/1.1\r\n\r\n", b"BREW / HTTP/1.1\r\n\r\n", b"POST http://x/ HTTP/1.1\r\n\r\n", b"POST * HTTP/1.1\r\n\r\n",
     b"POST / HTTP/1.1\n\n", b" POST / HTTP/1.1\r\n\r\n", b"POST  /  HTTP/1.1\r\n\r\n", b"POST /\x00 HTTP/1.1\r\n\r\n", b"\r\n\r\n", b"\x00" * 100, b"POST / HTTP/1.1\r\n X: y\r\n\r\n",
     b"POST / HTTP/1.1\r\nNoColon\r\n\r\n", b"POST / HTTP/1.1\r\n: x\r\n\r\n", b"POST / HTTP/1.1\r\nA\x00: x\r\n\r\n", b"POST / HTTP/1.1\r\nA : x\r\n\r\n",
     b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + b"\xab" * 300],
    ids=lambda b: ascii(b)[2:30],
)  # fmt: skip
def test_first_lines_that_are_none(subject, first):
    got = subject.send(first)
    assert not got or int(got[9:12]) in BAD_STATUS_OK | {200}, got[:300]


@pytest.mark.parametrize("length", ["-1", "-2147483648", "+5", "5.0", "0x10", "abc", "", " ", "99999999999999999999", "18446744073709551616", "18446744073709551615",
                                    "9223372036854775807", "4294967296", "2147483648", "1e3", "5, 5", "5 5", "5;5", "\u0665"])  # fmt: skip
def test_lengths_that_are_none(subject, length):
    raw = head(more=[f"Content-Length: {length}".encode().decode("latin-1")]) + b'{"TableName":"bad-input"}'
    assert subject.refused(raw) in (0, 400, 413)


def test_lengths_that_contradict(subject):
    body = json.dumps(put({"S": "x"})).encode()
    assert subject.refused(head(length=len(body), more=[f"Content-Length: {len(body) + 1}"]) + body) in (0, 400)
    subject.refused(head(length=len(body), more=["Transfer-Encoding: chunked"]) + b"0\r\n\r\n" + body)
    assert subject.refused(head(length=len(body) + 10) + body) in (0, 400)  # ends before it is whole
    # More than it says: the rest is a second request, and none.
    got = subject.send(head("ListTables", length=2) + b"{}" + b"garbage" * 100)
    assert got.startswith(b"HTTP/1.1 200 ")


CHUNKS = [
    b"zz\r\n{}\r\n0\r\n\r\n", b"-2\r\n{}\r\n0\r\n\r\n", b"2\r\n{}0\r\n\r\n", b"2\r\n{}\r\n", b"2\r\n{", b"2{}\r\n0\r\n\r\n", b"2\n{}\n0\n\n", b"\r\n2\r\n{}\r\n0\r\n\r\n",
    b"ffffffffffffffff\r\n{}\r\n0\r\n\r\n", b"10000000000000000\r\n{}", b"7fffffffffffffff\r\n{}", b"2;ext=" + b"x" * 100_000 + b"\r\n{}\r\n0\r\n\r\n", b"0\r\nTrailer: x\r\n\r\n",
    b"0\r\n" + b"T: x\r\n" * 50_000 + b"\r\n", b"1\r\n{\r\n" * 100_000 + b"0\r\n\r\n", b"2\r\n{}\r\n0\r\n", b"2\r\n{}\r\n00000000000000000000000\r\n\r\n", b" 2\r\n{}\r\n0\r\n\r\n",
    b"0x2\r\n{}\r\n0\r\n\r\n", b"", b"\x00", b"2\r\n{}XX0\r\n\r\n", b"2 \r\n{}\r\n0\r\n\r\n", b"2\r\r\n{}\r\n0\r\n\r\n", b"1\r\n{\r\n-1\r\n}\r\n0\r\n\r\n",
]  # fmt: skip


@pytest.mark.parametrize("chunks", CHUNKS, ids=lambda b: ascii(b)[2:30])
def test_broken_chunks(subject, chunks):
    got = subject.send(head("DescribeTable", more=["Transfer-Encoding: chunked"]) + chunks)
    assert not got or int(got[9:12]) in BAD_STATUS_OK, got[:300]
    got = subject.send(head("DescribeTable", more=["Transfer-Encoding: gzip, chunked"]) + chunks)
    assert not got or int(got[9:12]) in BAD_STATUS_OK, got[:300]
    got = subject.send(head("DescribeTable", more=["Transfer-Encoding: nonsense"]) + chunks)
    assert not got or int(got[9:12]) in BAD_STATUS_OK, got[:300]


def test_good_chunks_are_read(subject):
    body = json.dumps({"TableName": TABLE}).encode()
    chunks = b"".join(b"%x;a=b\r\n%c\r\n" % (1, c) for c in body) + b"0\r\n\r\n"
    assert subject.send(head("DescribeTable", more=["Transfer-Encoding: chunked"]) + chunks).startswith(b"HTTP/1.1 200 ")


def test_compressed_bodies_that_are_none(subject):
    good = gzip.compress(json.dumps({"TableName": TABLE}).encode())
    rng = random.Random(6)
    bad = [b"", b"\x1f\x8b", good[:-1], good[:10], good[:-8] + b"\0" * 8, b"\x1f\x8b\x08\xff" + good[4:], zlib.compress(b"{}")[:4], b"{}" * 100]
    for _ in range(100):
        one = bytearray(good)
        one[rng.randrange(len(one))] ^= 1 << rng.randrange(8)
        bad.append(bytes(one))
    for raw in bad:
        for encoding in ("gzip", "deflate"):
            got = subject.send(request("DescribeTable", raw, more=[f"Content-Encoding: {encoding}"]))
            assert not got or int(got[9:12]) in BAD_STATUS_OK | {200}, (raw, got[:300])


@pytest.mark.parametrize("encoding", ["gzip", "deflate"])
def test_compressed_bombs(subject, encoding):
    def squeeze(raw):
        return gzip.compress(raw, 9) if encoding == "gzip" else zlib.compress(raw, 9)

    def bomb(raw):
        return subject.refused(request("PutItem", raw, more=[f"Content-Encoding: {encoding}"]))

    assert bomb(squeeze(b" " * 500_000_000)) in (0, 413)
    assert bomb(squeeze(b"[" * 16_000_000)) == 400
    assert bomb(squeeze(b'{"a":' * 3_000_000)) == 400
    assert bomb(squeeze(squeeze(b" " * 500_000_000))) == 400
    threads = [threading.Thread(target=bomb, args=(squeeze(b" " * 300_000_000),)) for _ in range(4)]
    for t in threads:
        t.start()
    subject.normal()
    for t in threads:
        t.join()


# --- connections ---


def test_200_half_open_connections_stall_nobody(subject):
    with contextlib.ExitStack() as stack:
        for n in range(200):
            s = stack.enter_context(subject.dial())
            s.sendall([b"", b"POST / HT", head(length=100)[:-2], head(length=100) + b"{", head("ListTables", length=2)][n % 5])
        took = [subject.normal() for _ in range(50)]
    print(f"with 200 half-open connections: worst {max(took) * 1000:.1f} ms, mean {sum(took) / len(took) * 1000:.1f} ms for two requests")
    assert max(took) < NORMAL_SECONDS


def test_slow_loris(subject):
    """Clients that send a byte at a time are ended by the server's clock, however busy they keep the line."""
    deadline = time.monotonic() + 45
    raw = head(length=10, more=[f"X-{n}: y" for n in range(400)])
    with contextlib.ExitStack() as stack:
        lines = [stack.enter_context(subject.dial()) for _ in range(50)]
        for s in lines:
            s.setblocking(False)
        at = 0
        while lines and time.monotonic() < deadline:
            for s in list(lines):
                try:
                    s.send(raw[at : at + 1])
                    if s.recv(4096) == b"":
                        lines.remove(s)
                except BlockingIOError:
                    pass
                except OSError:
                    lines.remove(s)
            at += 1
            subject.normal()
            time.sleep(0.1)
    assert not lines, f"{len(lines)} of 50 are still connected"


def test_replies_that_nobody_reads(subject):
    """A client that asks and asks, and never reads, is made to wait; others are not."""
    client = subject.region.client()
    for n in range(10):
        client.put_item(TableName=TABLE, Item={"pk": {"S": f"wide{n}"}, "v": {"S": "x" * 300_000}})
    raw = request("Scan", {"TableName": TABLE})
    with contextlib.ExitStack() as stack:
        for _ in range(20):
            s = stack.enter_context(subject.dial())
            s.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
            s.setblocking(False)
            with contextlib.suppress(BlockingIOError):
                for _ in range(1000):
                    s.send(raw)
        for _ in range(20):
            subject.normal()
    for n in range(10):
        client.delete_item(TableName=TABLE, Key={"pk": {"S": f"wide{n}"}})


def test_pipelined_garbage(subject):
    good = request("ListTables", b"{}")
    for junk in (b"garbage\r\n\r\n", b"\x00" * 1000, b"POST / HTTP/1.1\r\nContent-Length: -5\r\n\r\n", b"\r\n\r\n\r\n", b"GET /", os.urandom(3000)):
        got = subject.send(good * 3 + junk + good * 3)
        assert got.count(b"HTTP/1.1 200 ") >= 3, got[:300]
    assert subject.send(good * 500).count(b"HTTP/1.1 200 ") == 500
    with subject.dial() as s:
        s.sendall(good * 50)
        s.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))


def test_resets_at_every_moment(subject):
    raw = request("PutItem", put({"S": "x" * 20_000}))
    rng = random.Random(7)
    for n in range(300):
        with subject.dial() as s:
            s.sendall(raw[: rng.randrange(len(raw) + 1)])
            if n % 3 == 0:
                time.sleep(0.002)
            s.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    for _ in range(100):
        with subject.dial() as s:
            s.sendall(raw)
            s.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))


def mutated(rng, raw):
    """These bytes with up to five things wrong."""
    raw = bytearray(raw)
    for _ in range(rng.randrange(1, 6)):
        at = rng.randrange(len(raw)) if raw else 0
        kind = rng.randrange(9)
        if kind == 0 and raw:
            raw[at] ^= 1 << rng.randrange(8)
        elif kind == 1 and raw:
            raw[at] = rng.randrange(256)
        elif kind == 2:
            del raw[at : at + rng.randrange(1, 20)]
        elif kind == 3:
            raw[at:at] = rng.randbytes(rng.randrange(1, 20))
        elif kind == 4:
            other = rng.randrange(len(raw)) if raw else 0
            raw[at:at] = raw[other : other + rng.randrange(1, 60)]
        elif kind == 5:
            raw[at:at] = rng.choice([b'"', b"{", b"}", b"[", b"]", b":", b",", b"\\", b"null", b"\\u0000", b"1e999", b"-", b"\xc3", b"\\ud800", b":v", b"#n", b"(", b")", b"."])
        elif kind == 6:
            del raw[at:]
        elif kind == 7:
            raw[at:at] = b"%d" % rng.choice([0, -1, 2**31, 2**32, 2**63, 2**64, 10**40])
        else:
            raw[at:at] = base64.b64encode(rng.randbytes(rng.randrange(1, 30)))
    return bytes(raw)


def test_mutations_of_valid_requests(subject):
    seed = int(os.environ.get("TIDEMARK_SEED", 20261121))
    rng = random.Random(seed)
    seen = {}
    for n in range(MUTATIONS):
        operation = rng.choice(list(VALID))
        body = json.dumps(VALID[operation]).encode()
        if rng.random() < 0.7:
            raw = request(operation, mutated(rng, body))
        else:
            raw = mutated(rng, request(operation, body))
        got = subject.send(raw)
        status = int(got[9:12]) if got else 0
        assert status in BAD_STATUS_OK | {0, 200}, (seed, n, raw, got[:500])
        seen[status] = seen.get(status, 0) + 1
        if n % 50 == 0:
            subject.check()
    assert seen.get(400, 0) > MUTATIONS / 4
