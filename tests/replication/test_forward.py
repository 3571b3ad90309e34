"""Requests that are signed for another region than the one they reach: sent on to it, as Terraform needs it."""

import contextlib
import gzip
import http.client
import json
import signal
import socket
import threading

import boto3
import pytest
from botocore.config import Config

from harness import Cluster, wait_for


@contextlib.contextmanager
def cluster_with_apis(folder, api=lambda near, far: far.port, host="127.0.0.1"):
    """Two regions that know each other's API, or what `api` says instead of it."""
    cluster = Cluster(folder, 2)
    for near in cluster:
        text = near.config.read_text()
        for far in cluster:
            text = text.replace(f'region = "{far.name}"; number', f'region = "{far.name}"; api = "http://{host}:{api(near, far)}"; number')
        near.config.write_text(text)
    with cluster:
        yield cluster


def client(at, name, service="dynamodb"):
    """boto3's, for region `name` at the URL of `at`."""
    return boto3.client(
        service,
        endpoint_url=f"http://127.0.0.1:{at.port}",
        region_name=name,
        aws_access_key_id="test",
        aws_secret_access_key="test",
        config=Config(retries={"max_attempts": 1}, connect_timeout=5, read_timeout=60),
    )


def ask(at, name, operation, body, **more):
    """Status, headers and body of one request that is signed for region `name`."""
    c = http.client.HTTPConnection("127.0.0.1", at.port, timeout=60)
    raw = body if isinstance(body, bytes) else json.dumps(body).encode()
    c.request(
        "POST",
        "/",
        raw,
        {
            "Content-Type": "application/x-amz-json-1.0",
            "X-Amz-Target": f"DynamoDB_20120810.{operation}",
            "X-Amz-Date": "20260101T000000Z",
            "Authorization": f"AWS4-HMAC-SHA256 Credential=a/20260101/{name}/dynamodb/aws4_request, SignedHeaders=host, Signature=ab",
            **more,
        },
    )
    answer = c.getresponse()
    data = answer.read()
    c.close()
    return answer.status, answer.headers, data


def make_table(c, name):
    c.create_table(
        TableName=name,
        KeySchema=[{"AttributeName": "pk", "KeyType": "HASH"}],
        AttributeDefinitions=[{"AttributeName": "pk", "AttributeType": "S"}],
        BillingMode="PAY_PER_REQUEST",
    )
    c.get_waiter("table_exists").wait(TableName=name, WaiterConfig={"Delay": 1})


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost"])
def test_a_request_for_another_region_is_answered_there(tmp_path, host):
    with cluster_with_apis(tmp_path, host=host) as (us, eu):
        there = client(us, "eu-west-1")
        make_table(there, "far")
        assert ":eu-west-1:" in there.describe_table(TableName="far")["Table"]["TableArn"]
        assert there.list_tables()["TableNames"] == client(eu, "eu-west-1").list_tables()["TableNames"]
        assert "far" not in client(us, "us-east-1").list_tables()["TableNames"]
        # A name that is no region of this deployment: answered where it arrives.
        assert "far" not in client(us, "mars-1").list_tables()["TableNames"]
        # Large both ways; boto3 checks the checksum and takes the reply compressed.
        item = {"pk": {"S": "big"}, "a": {"S": "x" * 300_000}}
        there.put_item(TableName="far", Item=item)
        assert client(eu, "eu-west-1").get_item(TableName="far", Key={"pk": item["pk"]})["Item"] == item
        assert there.get_item(TableName="far", Key={"pk": item["pk"]})["Item"] == item
        # Errors, too.
        with pytest.raises(there.exceptions.ResourceNotFoundException):
            there.describe_table(TableName="near")


def test_codings_pass_as_they_are(tmp_path):
    with cluster_with_apis(tmp_path) as (us, eu):
        make_table(client(eu, "eu-west-1"), "far")
        item = {"pk": {"S": "z"}, "a": {"S": "x" * 50_000}}
        raw = gzip.compress(json.dumps({"TableName": "far", "Item": item}).encode())
        assert ask(us, "eu-west-1", "PutItem", raw, **{"Content-Encoding": "gzip"})[0] == 200
        key = {"TableName": "far", "Key": {"pk": {"S": "z"}}}
        status, head, body = ask(us, "eu-west-1", "GetItem", key, **{"Accept-Encoding": "gzip"})
        assert (status, head["Content-Encoding"]) == (200, "gzip")
        assert json.loads(gzip.decompress(body))["Item"] == item
        assert body == ask(eu, "eu-west-1", "GetItem", key, **{"Accept-Encoding": "gzip"})[2]


def test_kms_and_sts_tell_of_the_region_that_is_asked(tmp_path):
    with cluster_with_apis(tmp_path) as (us, _):
        key = client(us, "eu-west-1", "kms").describe_key(KeyId="alias/aws/dynamodb")["KeyMetadata"]
        assert key["Arn"].startswith("arn:aws:kms:eu-west-1:000000000000:key/")
        assert client(us, "eu-west-1", "sts").get_caller_identity()["Account"] == "000000000000"


def test_a_region_that_cannot_be_reached_is_named(tmp_path):
    with cluster_with_apis(tmp_path) as (us, eu):
        eu.kill("api")
        status, _, body = ask(us, "eu-west-1", "ListTables", {})
        assert status == 503
        error = json.loads(body)
        assert error["__type"].endswith("#ServiceUnavailableException")
        assert error["message"] == "Region eu-west-1 cannot be reached from here: Connection refused"
        assert us.log_lines("api", "HTTP-FORWARD")
        assert ask(us, "us-east-1", "ListTables", {})[0] == 200
        # It is asked anew each time.
        eu.start("api")
        assert ask(us, "eu-west-1", "ListTables", {})[0] == 200


def test_a_region_that_does_not_answer_holds_up_nobody(tmp_path):
    with cluster_with_apis(tmp_path) as (us, eu):
        eu.signal("api", signal.SIGSTOP)
        answers = []
        waiting = [threading.Thread(target=lambda: answers.append(ask(us, "eu-west-1", "ListTables", {}))) for _ in range(20)]
        for thread in waiting:
            thread.start()
        for _ in range(100):
            assert ask(us, "us-east-1", "ListTables", {})[0] == 200
        assert answers == []
        eu.kill("api")
        for thread in waiting:
            thread.join(60)
        assert len(answers) == 20
        # What was sent may have been done.
        for status, _, body in answers:
            assert status == 500
            assert "sent on to region eu-west-1, and no answer came from there" in json.loads(body)["message"]


def test_a_client_that_goes_away_meanwhile_leaves_nothing(tmp_path):
    with cluster_with_apis(tmp_path) as (us, eu):
        eu.signal("api", signal.SIGSTOP)
        head = (
            "POST / HTTP/1.1\r\nContent-Type: application/x-amz-json-1.0\r\nX-Amz-Target: DynamoDB_20120810.ListTables\r\n"
            "X-Amz-Date: 20260101T000000Z\r\nAuthorization: AWS4-HMAC-SHA256 Credential=a/20260101/eu-west-1/dynamodb/aws4_request, "
            "SignedHeaders=host, Signature=ab\r\nContent-Length: 2\r\n\r\n{}"
        )
        for _ in range(20):
            s = socket.create_connection(("127.0.0.1", us.port))
            s.sendall(head.encode())
            s.close()
        eu.signal("api", signal.SIGCONT)

        def none_is_left():
            c = http.client.HTTPConnection("127.0.0.1", us.port, timeout=60)
            c.request("GET", "/metrics")
            lines = c.getresponse().read().decode().splitlines()
            c.close()
            open_now = [line for line in lines if line.startswith("tidemark_http_connections ")]
            assert open_now, [line for line in lines if "connections" in line]
            return open_now[0].split()[1] == "1"

        wait_for("only this connection is left", none_is_left, 30)


def test_a_region_with_requests_under_way_elsewhere_stops(tmp_path):
    with cluster_with_apis(tmp_path) as (us, eu):
        eu.signal("api", signal.SIGSTOP)
        waiting = threading.Thread(target=swallow, args=(us,))
        waiting.start()
        wait_for("the request is under way", lambda: established(eu.port), 30)
        us.stop("api")
        waiting.join(60)
        assert not us.log_lines("api", "HTTP-STUCK")


def swallow(at):
    with contextlib.suppress(OSError, http.client.HTTPException):
        ask(at, "eu-west-1", "ListTables", {})


def established(port):
    """Whether a connection to that port of this machine stands."""
    with open("/proc/net/tcp") as f:
        return any(line.split()[2].endswith(f":{port:04X}") and line.split()[3] == "01" for line in f)


def test_a_wrong_address_is_told_and_no_request_goes_round(tmp_path):
    # Each region takes itself for the other.
    with cluster_with_apis(tmp_path, api=lambda near, far: near.port) as (us, _):
        status, _, body = ask(us, "eu-west-1", "ListTables", {})
        assert status == 503
        assert json.loads(body)["message"].startswith("This is region us-east-1, not eu-west-1: ")


def test_something_else_than_an_api_is_told(tmp_path):
    with socket.create_server(("127.0.0.1", 0)) as other:

        def answer():
            with contextlib.suppress(OSError):
                s, _ = other.accept()
                s.recv(65536)
                s.sendall(b"SSH-2.0-OpenSSH_9\r\n")
                s.close()

        threading.Thread(target=answer, daemon=True).start()
        with cluster_with_apis(tmp_path, api=lambda near, far: other.getsockname()[1]) as (us, _):
            status, _, body = ask(us, "eu-west-1", "ListTables", {})
            assert status == 500
            assert json.loads(body)["message"].endswith(": it did not answer in HTTP")
