"""The HTTP front of the real program: what a client that is no SDK may send, and what one that is expects."""

import concurrent.futures
import gzip
import http.client
import json
import os
import signal
import socket
import subprocess
import time
import zlib

import pytest

from conftest import Region, free_port, program

SIGNED = {
    "Authorization": "AWS4-HMAC-SHA256 Credential=a/20260101/us-east-1/dynamodb/aws4_request, SignedHeaders=host, Signature=ab",
    "X-Amz-Date": "20260101T000000Z",
}


def headers(operation, **more):
    return {"Content-Type": "application/x-amz-json-1.0", "X-Amz-Target": f"DynamoDB_20120810.{operation}", **SIGNED, **more}


def ask(region, operation, body, **more):
    """Status, headers and parsed body of one request."""
    c = http.client.HTTPConnection("127.0.0.1", region.http_port, timeout=60)
    raw = body if isinstance(body, bytes) else json.dumps(body).encode()
    c.request("POST", "/", raw, headers(operation, **more))
    r = c.getresponse()
    data = r.read()
    c.close()
    return r.status, r.headers, data


def dial(region):
    s = socket.create_connection(("127.0.0.1", region.http_port), timeout=60)
    return s


@pytest.fixture(scope="module")
def table(client):
    name = "http-front"
    client.create_table(
        TableName=name,
        KeySchema=[{"AttributeName": "pk", "KeyType": "HASH"}],
        AttributeDefinitions=[{"AttributeName": "pk", "AttributeType": "S"}],
        BillingMode="PAY_PER_REQUEST",
    )
    client.get_waiter("table_exists").wait(TableName=name, WaiterConfig={"Delay": 1})
    return name


def test_reply_headers(region):
    status, head, body = ask(region, "ListTables", {})
    assert status == 200
    assert head["Content-Type"] == "application/x-amz-json-1.0"
    assert int(head["x-amz-crc32"]) == zlib.crc32(body)
    assert len(head["x-amzn-RequestId"]) == 52


def test_health_check(region):
    c = http.client.HTTPConnection("127.0.0.1", region.http_port, timeout=60)
    c.request("GET", "/")
    r = c.getresponse()
    body = r.read()
    assert r.status == 200
    assert body.decode() == f"healthy: 127.0.0.1:{region.http_port} "
    assert r.headers["Content-Type"] == "text/plain"
    assert int(r.headers["x-amz-crc32"]) == zlib.crc32(body)


def raw(region, request):
    """Everything that comes back on one connection, which the request's sender ends."""
    s = dial(region)
    s.sendall(request)
    s.shutdown(socket.SHUT_WR)
    got = b""
    while part := s.recv(65536):
        got += part
    s.close()
    return got


def raw_head(operation, version="1.1", **more):
    lines = "".join(f"{k}: {v}\r\n" for k, v in headers(operation, **more).items())
    return f"POST / HTTP/{version}\r\nHost: h\r\n{lines}".encode()


def last(region, request):
    """The same for a request whose answer ends the connection: its sender waits for that."""
    s = dial(region)
    s.sendall(request)
    got = b""
    while part := s.recv(65536):
        got += part
    s.close()
    head, _, body = got.partition(b"\r\n\r\n")
    return head, body


CLOSE = {"Connection": "close"}


def test_the_health_check_of_the_service(region):
    """Length and checksum are those that dynamodb.us-east-1.amazonaws.com sends."""
    head, body = last(region, b"GET / HTTP/1.1\r\nHost: dynamodb.us-east-1.amazonaws.com\r\nConnection: close\r\n\r\n")
    assert body == b"healthy: dynamodb.us-east-1.amazonaws.com "
    assert b"\r\nContent-Length: 42\r\n" in head
    assert b"\r\nx-amz-crc32: 3128867991" in head


@pytest.mark.parametrize("method", ["PUT", "DELETE", "PATCH", "TRACE", "OPTIONS", "PROPFIND", "BREW"])
def test_other_methods(region, method):
    head, body = last(region, f"{method} / HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n".encode())
    assert head.startswith(b"HTTP/1.1 404 ")
    assert body == b"<UnknownOperationException/>\n"
    assert b"\r\nx-amz-crc32: 3552371480" in head
    assert b"\r\nx-amzn-RequestId: " in head


def test_head(region):
    head, body = last(region, b"HEAD / HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n")
    assert head.startswith(b"HTTP/1.1 404 ")
    assert body == b""


@pytest.mark.parametrize(
    "asked,allowed",
    [
        ({}, {}),
        ({"Access-Control-Request-Headers": "a, b, c"}, {"Access-Control-Allow-Headers": "a, b, c"}),
        ({"Access-Control-Request-Method": "d"}, {"Access-Control-Allow-Methods": "d"}),
    ],
    ids=["nothing", "headers", "method"],
)
def test_preflight(region, asked, allowed):
    c = http.client.HTTPConnection("127.0.0.1", region.http_port, timeout=60)
    c.request("OPTIONS", "/", headers={"Origin": "http://page", **asked})
    r = c.getresponse()
    assert (r.status, r.read()) == (200, b"")
    assert r.headers["Content-Length"] == "0"
    assert r.headers["Access-Control-Allow-Origin"] == "*"
    assert r.headers["Access-Control-Max-Age"] == "172800"
    assert {k: v for k, v in r.headers.items() if k.startswith("Access-Control-Allow-") and not k.endswith("Origin")} == allowed


def test_a_page_may_read_errors_too(region):
    status, head, _ = ask(region, "NoSuchThing", {}, Origin="http://page")
    assert status == 400
    assert head["Access-Control-Allow-Origin"] == "*"
    assert "x-amzn-RequestId" in head["Access-Control-Expose-Headers"]


def test_http_1_0(region):
    head, body = last(region, raw_head("ListTables", "1.0") + b"Content-Length: 2\r\n\r\n{}")
    assert head.startswith(b"HTTP/1.1 200 ")
    assert b"\r\nConnection: close" in head
    assert b"TableNames" in body
    got = raw(region, raw_head("ListTables", "1.0", Connection="keep-alive") + b"Content-Length: 2\r\n\r\n{}")
    assert b"\r\nConnection: keep-alive\r\n" in got


def test_chunked_bodies(region):
    chunks = raw_head("ListTables", Connection="close") + b"Transfer-Encoding: chunked\r\n\r\n"
    head, body = last(region, chunks + b'5;x=y\r\n{"Lim\r\n6\r\nit": 1\r\n1\r\n}\r\n0\r\nTrailer: x\r\n\r\n')
    assert head.startswith(b"HTTP/1.1 200 ")
    assert b"TableNames" in body
    packed = gzip.compress(b'{"Limit": 1}')
    out = b"".join(b"1\r\n" + packed[i : i + 1] + b"\r\n" for i in range(len(packed)))
    chunks = raw_head("ListTables", **CLOSE, **{"Content-Encoding": "gzip"}) + b"Transfer-Encoding: chunked\r\n\r\n"
    head, body = last(region, chunks + out + b"0\r\n\r\n")
    assert head.startswith(b"HTTP/1.1 200 ")
    assert b"TableNames" in body


def test_chunks_without_end_are_turned_away(region):
    s = dial(region)
    s.sendall(raw_head("ListTables") + b"Transfer-Encoding: chunked\r\n\r\n")
    got = b""
    chunk = b"100000\r\n" + b" " * 0x100000 + b"\r\n"
    try:
        for _ in range(18):
            s.sendall(chunk)
        got = s.recv(65536)
    except OSError:
        got = got or s.recv(65536)
    assert got.startswith(b"HTTP/1.1 413 ")
    s.close()


def test_expect_100_continue(region):
    s = dial(region)
    s.sendall(raw_head("ListTables", Connection="close") + b"Expect: 100-continue\r\nContent-Length: 2\r\n\r\n")
    assert s.recv(65536) == b"HTTP/1.1 100 Continue\r\n\r\n"
    s.sendall(b"{}")
    assert s.recv(65536).startswith(b"HTTP/1.1 200 ")
    s.close()
    # One that would be refused is not asked for.
    s = dial(region)
    s.sendall(raw_head("ListTables") + b"Expect: 100-continue\r\nContent-Length: 20000000\r\n\r\n")
    assert s.recv(65536).startswith(b"HTTP/1.1 413 ")
    s.close()


@pytest.mark.parametrize(
    "kind,body,status",
    [
        ("application/json", "{}", 200),
        ("  application/json  ;   asfd", "{}", 200),
        ("application/x-amz-json-1.0;charset=utf-8", "{}", 200),
        ("application/x-amz-json-1.1", "{}", 404),
        ("application/jsonasdf", "{}", 404),
        ("text/plain", "{}", 404),
    ],
)
def test_content_types(region, kind, body, status):
    got, head, _ = ask(region, "ListTables", body.encode(), **{"Content-Type": kind})
    assert got == status
    if status == 200:
        assert head["Content-Type"] == kind.split(";")[0].strip()


def test_a_body_that_is_no_json_is_complained_of_first(region):
    for more in ({"X-Amz-Target": "Nonsense"}, {"Authorization": "x"}):
        status, _, reply = ask(region, "ListTables", b"hi", **more)
        assert status == 400
        assert json.loads(reply)["__type"] == "com.amazon.coral.service#SerializationException"


@pytest.mark.parametrize("coding,status", [("br", 500), ("identity", 200), ("deflate", 200), ("x-gzip", 200)])
def test_codings(region, coding, status):
    body = {"deflate": zlib.compress, "x-gzip": gzip.compress}.get(coding, bytes)(b"{}")
    assert ask(region, "ListTables", body, **{"Content-Encoding": coding})[0] == status


# --- other services on the same port ---


def test_kms_describe_key(region):
    kms = region.client("kms")
    key = kms.describe_key(KeyId="alias/aws/dynamodb")["KeyMetadata"]
    assert (key["KeyState"], key["KeyManager"], key["AWSAccountId"]) == ("Enabled", "AWS", "000000000000")
    assert key["Arn"] == f"arn:aws:kms:us-east-1:000000000000:key/{key['KeyId']}"
    for name in (key["KeyId"], key["Arn"], "arn:aws:kms:us-east-1:000000000000:alias/aws/dynamodb"):
        assert kms.describe_key(KeyId=name)["KeyMetadata"] == key
    for name, message in (
        ("alias/mine", "Alias arn:aws:kms:us-east-1:000000000000:alias/mine is not found."),
        ("abc", "Key 'arn:aws:kms:us-east-1:000000000000:key/abc' does not exist"),
    ):
        with pytest.raises(kms.exceptions.NotFoundException) as e:
            kms.describe_key(KeyId=name)
        assert e.value.response["Error"]["Message"] == message


def test_the_key_of_a_table_is_the_one_that_kms_tells_of(region, client):
    client.create_table(
        TableName="kms-table",
        KeySchema=[{"AttributeName": "pk", "KeyType": "HASH"}],
        AttributeDefinitions=[{"AttributeName": "pk", "AttributeType": "S"}],
        BillingMode="PAY_PER_REQUEST",
        SSESpecification={"Enabled": True, "SSEType": "KMS"},
    )
    told = region.client("kms").describe_key(KeyId="alias/aws/dynamodb")["KeyMetadata"]["Arn"]
    assert client.describe_table(TableName="kms-table")["Table"]["SSEDescription"]["KMSMasterKeyArn"] == told


def test_sts_get_caller_identity(region):
    who = region.client("sts").get_caller_identity()
    assert (who["Account"], who["Arn"]) == ("000000000000", "arn:aws:iam::000000000000:root")


def test_other_operations_of_other_services_are_unknown(region):
    with pytest.raises(Exception, match="InvalidAction"):
        region.client("sts").get_session_token()
    with pytest.raises(Exception, match="UnknownOperationException"):
        region.client("kms").list_keys()
    # They are none of DynamoDB's under other names.
    for name in ("STS.GetCallerIdentity", "TrentService.DescribeKey"):
        status, _, reply = ask(region, name, {})
        assert (status, json.loads(reply)["__type"]) == (400, "com.amazon.coral.service#UnknownOperationException")


@pytest.mark.parametrize(
    "body",
    [b"", b"{", b"null", b"[]", b'"x"', b'{"TableName":"x"', b'{"TableName":"\xff"}', b"[" * 100000, b'{"a":' * 100000, b'{"TableName":"x"}{'],
    ids=["empty", "cut", "null", "array", "string", "truncated", "utf-8", "deep-arrays", "deep-objects", "trailing"],
)
def test_bodies_that_are_no_request(region, body):
    status, _, reply = ask(region, "DescribeTable", body)
    assert status == 400
    error = json.loads(reply)
    assert error["__type"].endswith("#SerializationException")
    assert "Message" in error


@pytest.mark.parametrize("target", ["DynamoDB_20120810.NoSuchThing", "Nonsense", "DynamoDB_20120810.", ""])
def test_unknown_targets(region, target):
    status, _, reply = ask(region, "x", {}, **{"X-Amz-Target": target})
    assert status == 400
    assert json.loads(reply)["__type"] == "com.amazon.coral.service#UnknownOperationException"


def test_an_unsigned_request(region):
    c = http.client.HTTPConnection("127.0.0.1", region.http_port, timeout=60)
    c.request("POST", "/", b"{}", {"Content-Type": "application/x-amz-json-1.0", "X-Amz-Target": "DynamoDB_20120810.ListTables"})
    r = c.getresponse()
    assert r.status == 400
    assert json.loads(r.read())["__type"].endswith("#MissingAuthenticationTokenException")


def test_a_body_of_10_mb_is_read_and_refused_by_the_operation(region, table):
    status, _, reply = ask(region, "PutItem", {"TableName": table, "Item": {"pk": {"S": "big"}, "a": {"S": "x" * 10_000_000}}})
    assert status == 400
    assert json.loads(reply)["__type"].endswith("#ValidationException")


def test_a_body_of_20_mb_is_turned_away(region):
    s = dial(region)
    s.sendall(b"POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 20000000\r\n\r\n")
    assert s.recv(65536).startswith(b"HTTP/1.1 413 ")
    s.close()


def test_a_compressed_request_and_reply(region, table):
    item = {"pk": {"S": "z"}, "a": {"S": "x" * 20000}}
    raw = gzip.compress(json.dumps({"TableName": table, "Item": item}).encode())
    assert ask(region, "PutItem", raw, **{"Content-Encoding": "gzip"})[0] == 200
    status, head, body = ask(region, "GetItem", {"TableName": table, "Key": {"pk": {"S": "z"}}}, **{"Accept-Encoding": "gzip"})
    assert status == 200
    assert head["Content-Encoding"] == "gzip"
    assert int(head["x-amz-crc32"]) == zlib.crc32(body)
    assert json.loads(gzip.decompress(body))["Item"] == item


def test_a_compressed_bomb_is_turned_away(region):
    raw = gzip.compress(b" " * 200_000_000, 9)
    assert ask(region, "PutItem", raw, **{"Content-Encoding": "gzip"})[0] == 413


def test_half_open_connections_stall_nobody(region, table):
    """Clients that send half a header, half a body, nothing, or that do not read: others are served meanwhile."""
    idle = [dial(region) for _ in range(50)]
    for i, s in enumerate(idle):
        if i % 3 == 1:
            s.sendall(b"POST / HTTP/1.1\r\nContent-")
        elif i % 3 == 2:
            s.sendall(b"POST / HTTP/1.1\r\nContent-Length: 1000\r\n\r\n{")
    began = time.monotonic()
    for i in range(200):
        assert ask(region, "PutItem", {"TableName": table, "Item": {"pk": {"S": f"half{i}"}}})[0] == 200
    assert time.monotonic() - began < 10
    for i, s in enumerate(idle):
        if i % 3 == 1:
            assert s.recv(65536).startswith(b"HTTP/1.1 408 ")
        s.close()


def test_pipelined_writes_are_answered_in_order(region, table):
    s = dial(region)
    out = b""
    for i in range(40):
        body = json.dumps({"TableName": table, "Item": {"pk": {"S": "pipe"}, "n": {"N": str(i)}}, "ReturnValues": "ALL_OLD"}).encode()
        head = "".join(f"{k}: {v}\r\n" for k, v in headers("PutItem").items())
        out += f"POST / HTTP/1.1\r\nHost: h\r\n{head}Content-Length: {len(body)}\r\n\r\n".encode() + body
    s.sendall(out)
    got = b""
    while got.count(b"HTTP/1.1 200 OK") < 40 or not got.endswith(b"}"):
        part = s.recv(65536)
        assert part
        got += part
    assert [int(p.split(b'"')[0]) for p in got.split(b'"N":"')[1:]] == list(range(39))
    s.close()


def test_garbage_ends_connections_and_nothing_else(region):
    for junk in (b"\x16\x03\x01\x02\x00\x01\x00", os.urandom(4096), b"GET / HTTP/9.9\r\n\r\n", b"\r\n" * 5000 + b"\0", b"A" * 100000):
        s = dial(region)
        try:
            s.sendall(junk)
            s.shutdown(socket.SHUT_WR)
            while s.recv(65536):
                pass
        except OSError:
            pass
        s.close()
    assert ask(region, "ListTables", {})[0] == 200


# --- the program ---


def run(config, *more):
    return subprocess.run([program("tidemark-api"), "--config", str(config), *more], capture_output=True, text=True, timeout=60)


def test_help_and_version():
    for option in ("--help", "--version"):
        r = subprocess.run([program("tidemark-api"), option], capture_output=True, text=True, timeout=60)
        assert r.returncode == 0
        assert "tidemark-api" in r.stdout


def test_check_config_says_what_is_wrong(tmp_path):
    path = tmp_path / "c"
    path.write_text('region = "r"; number = 1; data = "/tmp/x";\ncolour = 1;\n')
    r = run(path, "--check-config")
    assert r.returncode == 1
    assert r.stderr == f"tidemark-api: {path}:2: colour is not a known key\n"


def last_line(r):
    assert r.returncode == 1
    return r.stderr.rstrip("\n").splitlines()[-1]


def test_a_port_in_use_is_one_clear_line(fresh_region, tmp_path):
    other = Region(tmp_path / "o", "eu-west-1", 2)
    other.http_port = fresh_region.http_port
    line = last_line(run(other.configure()))
    assert f"cannot listen on 127.0.0.1 port {fresh_region.http_port}: Address already in use" in line


def test_a_folder_in_use_is_one_clear_line(fresh_region, tmp_path):
    text = (fresh_region.folder / "region.conf").read_text().replace(f":{fresh_region.http_port}", f":{free_port()}")
    path = tmp_path / "again.conf"
    path.write_text(text.replace("e.sock", "f.sock"))
    assert "is open in another process" in last_line(run(path))


def test_a_folder_that_cannot_be_made_is_one_clear_line(tmp_path):
    (tmp_path / "file").write_text("")
    path = tmp_path / "c"
    path.write_text(f'region = "r"; number = 1; data = "{tmp_path}/file/data"; replication = {{ endpoint = "ipc://{tmp_path}/e"; }};')
    assert f"cannot make folder {tmp_path}/file/data: Not a directory" in last_line(run(path))


def test_the_pid_file_lives_as_long_as_the_process(tmp_path):
    region = Region(tmp_path / "r", "us-east-1", 1)
    pid_file = tmp_path / "pid"
    log = tmp_path / "log"
    with log.open("w") as out:
        p = subprocess.Popen([program("tidemark-api"), "--config", str(region.configure()), "--pid-file", str(pid_file)], stderr=out)
    try:
        deadline = time.monotonic() + 30
        while "API-READY" not in log.read_text():
            assert p.poll() is None and time.monotonic() < deadline
            time.sleep(0.02)
        assert int(pid_file.read_text()) == p.pid
    finally:
        p.terminate()
        assert p.wait(30) == 0
    assert not pid_file.exists()
    assert "API-STOPPED" in log.read_text()


def test_a_stop_under_load_answers_what_it_took(fresh_region):
    """Every request that SIGTERM finds under way gets its answer, and what was answered is there after a restart."""
    client = fresh_region.client(retries={"max_attempts": 1})
    client.create_table(
        TableName="load",
        KeySchema=[{"AttributeName": "pk", "KeyType": "HASH"}],
        AttributeDefinitions=[{"AttributeName": "pk", "AttributeType": "S"}],
        BillingMode="PAY_PER_REQUEST",
    )
    client.get_waiter("table_exists").wait(TableName="load", WaiterConfig={"Delay": 1})

    def writer(number):
        c = http.client.HTTPConnection("127.0.0.1", fresh_region.http_port, timeout=60)
        done = []
        for i in range(100000):
            key = f"{number}-{i}"
            try:
                c.request("POST", "/", json.dumps({"TableName": "load", "Item": {"pk": {"S": key}}}), headers("PutItem"))
                r = c.getresponse()
                if r.status != 200:
                    break
                r.read()
            except OSError:
                break
            except http.client.HTTPException:
                break
            done.append(key)
            if r.headers.get("Connection") == "close":
                break
        return done

    with concurrent.futures.ThreadPoolExecutor(8) as pool:
        writers = [pool.submit(writer, n) for n in range(8)]
        time.sleep(1)
        assert fresh_region.api.end(signal.SIGTERM) == 0
        acknowledged = [key for w in writers for key in w.result()]
    assert len(acknowledged) > 8
    fresh_region.start()
    client = fresh_region.client()
    found = set()
    for page in client.get_paginator("scan").paginate(TableName="load", ConsistentRead=True):
        found.update(item["pk"]["S"] for item in page["Items"])
    assert set(acknowledged) <= found


def test_many_connections_over_few_descriptors(tmp_path):
    """More clients than file descriptors: it says so, turns none of the served away, and goes on afterwards."""
    region = Region(tmp_path / "r", "us-east-1", 1)
    config = region.configure()
    config.write_text(config.read_text().replace("threads = 2;", "threads = 1;"))
    log = tmp_path / "log"
    with log.open("w") as out:
        p = subprocess.Popen(["sh", "-c", f'ulimit -n 100; exec "{program("tidemark-api")}" --config "{config}"'], stderr=out)
    try:
        deadline = time.monotonic() + 30
        while "API-READY" not in log.read_text():
            assert p.poll() is None and time.monotonic() < deadline
            time.sleep(0.02)
        crowd = [dial(region) for _ in range(150)]
        while "HTTP-ACCEPT-BACKOFF" not in log.read_text():
            assert time.monotonic() < deadline + 30
            time.sleep(0.02)
        for s in crowd:
            s.close()
        assert ask(region, "ListTables", {})[0] == 200
    finally:
        p.terminate()
        assert p.wait(30) == 0
