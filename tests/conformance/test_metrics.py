"""GET /metrics of a region without peers: every line is sound, and counters count what was done."""

import gzip
import http.client
import pathlib
import sys
import uuid

import pytest
from botocore.exceptions import ClientError

from conftest import wait_for

sys.path.append(str(pathlib.Path(__file__).resolve().parents[1]))
from exposition import TYPE_OF_CONTENT, parse, scrape  # noqa: E402


@pytest.fixture(scope="module")
def table(client):
    name = "metrics-" + uuid.uuid4().hex[:8]
    client.create_table(
        TableName=name,
        BillingMode="PAY_PER_REQUEST",
        AttributeDefinitions=[{"AttributeName": "id", "AttributeType": "S"}],
        KeySchema=[{"AttributeName": "id", "KeyType": "HASH"}],
    )
    client.get_waiter("table_exists").wait(TableName=name)
    yield name
    client.delete_table(TableName=name)


def get(port, path, **headers):
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=30)
    connection.request("GET", path, headers=headers)
    answer = connection.getresponse()
    body = answer.read()
    connection.close()
    return answer, body


def answered(metrics, operation, error=""):
    return metrics.get("tidemark_requests_total", operation=operation, error=error) or 0


def test_every_line_is_sound(region, client, table):
    metrics = scrape(region.http_port)
    assert metrics.types["tidemark_requests_total"] == "counter"
    assert metrics.get("tidemark_build_info", region=region.name) == 1
    assert metrics.get("tidemark_may_write") == 1
    assert metrics.get("tidemark_table_state", table_name=table) == 1
    assert metrics.get("process_resident_memory_bytes") > 1_000_000
    assert metrics.get("process_open_fds") >= 3
    assert metrics.get("tidemark_data_free_bytes") > 0
    assert metrics.get("tidemark_journal_segments") >= 1
    assert metrics.get("tidemark_disk_state", state="ok") == 1 and metrics.get("tidemark_disk_writes_refused_total") == 0
    assert metrics.get("tidemark_clock_state", state="CLOCK-RIGHT") == 1
    assert metrics.get("tidemark_journal_forked") == 0


def test_indexes_are_counted_and_their_filling_is_told(region, client, table):
    for n in range(10):
        client.put_item(TableName=table, Item={"id": {"S": str(n)}, **({"g": {"S": "x"}} if n < 6 else {})})
    create = {"IndexName": "made", "KeySchema": [{"AttributeName": "g", "KeyType": "HASH"}], "Projection": {"ProjectionType": "KEYS_ONLY"}}
    client.update_table(
        TableName=table, AttributeDefinitions=[{"AttributeName": "g", "AttributeType": "S"}], GlobalSecondaryIndexUpdates=[{"Create": create}]
    )
    labels = {"table_name": table, "index_name": "made"}
    wait_for(lambda: scrape(region.http_port).get("tidemark_index_items", **labels) == 6, "all entries are there")

    def is_complete():
        metrics = scrape(region.http_port)
        progress = metrics.get("aws_dynamodb_online_index_percentage_progress", **labels)
        assert progress is None or 0 <= progress <= 100
        return progress is None

    wait_for(is_complete, "the index is complete")
    assert scrape(region.http_port).get("tidemark_index_bytes", **labels) > 0
    client.update_table(TableName=table, GlobalSecondaryIndexUpdates=[{"Delete": {"IndexName": "made"}}])
    assert scrape(region.http_port).get("tidemark_index_items", **labels) is None
    for n in range(10):
        client.delete_item(TableName=table, Key={"id": {"S": str(n)}})


def test_requests_are_counted_by_operation_and_error(region, client, table):
    before = scrape(region.http_port)
    for n in range(7):
        client.put_item(TableName=table, Item={"id": {"S": str(n)}})
    client.get_item(TableName=table, Key={"id": {"S": "0"}})
    with pytest.raises(ClientError):
        client.put_item(
            TableName=table, Item={"id": {"S": "0"}}, ConditionExpression="attribute_not_exists(id)"
        )
    with pytest.raises(ClientError):
        client.put_item(TableName="no-such-table", Item={"id": {"S": "0"}})
    after = scrape(region.http_port)
    assert answered(after, "PutItem") - answered(before, "PutItem") == 7
    assert answered(after, "GetItem") - answered(before, "GetItem") == 1
    for error in ("ConditionalCheckFailedException", "ResourceNotFoundException"):
        assert answered(after, "PutItem", error) - answered(before, "PutItem", error) == 1
    count = "tidemark_request_duration_seconds_count"
    assert after.get(count, operation="PutItem") - (before.get(count, operation="PutItem") or 0) == 9
    assert after.get("tidemark_request_duration_seconds_sum", operation="PutItem") > 0
    assert after.get("tidemark_table_items", table_name=table) == 7
    assert after.get("tidemark_table_bytes", table_name=table) > 0


def test_counters_only_grow(region, client, table):
    before = scrape(region.http_port)
    client.put_item(TableName=table, Item={"id": {"S": "grow"}})
    after = scrape(region.http_port)
    for (name, labels), value in before.samples.items():
        family = name.removesuffix("_bucket").removesuffix("_sum").removesuffix("_count")
        if before.types.get(name) == "counter" or before.types.get(family) == "histogram":
            assert after.samples[name, labels] >= value, (name, set(labels))
    for name in ("tidemark_commit_syncs_total", "tidemark_journal_appended_bytes_total",
                 "tidemark_http_received_bytes_total", "tidemark_http_sent_bytes_total", "tidemark_http_requests_total"):
        assert after.get(name) > before.get(name), name
    assert after.get("tidemark_journal_last_sequence") > before.get("tidemark_journal_last_sequence")


def test_unknown_operations_are_counted_under_one_name(region):
    """Names come from outside: they must not become labels."""
    before = answered(scrape(region.http_port), "Unknown", "UnknownOperationException")
    connection = http.client.HTTPConnection("127.0.0.1", region.http_port, timeout=30)
    for n in range(3):
        connection.request("POST", "/", "{}", {
            "X-Amz-Target": f"DynamoDB_20120810.Strange{n}", "Content-Type": "application/x-amz-json-1.0"})
        assert connection.getresponse().read()
    connection.close()
    metrics = scrape(region.http_port)
    assert answered(metrics, "Unknown", "UnknownOperationException") - before == 3
    assert not [labels for labels in metrics.all("tidemark_requests_total") if "Strange" in dict(labels)["operation"]]


def test_a_scrape_is_compressed_where_it_is_asked_for(region):
    answer, body = get(region.http_port, "/metrics", **{"Accept-Encoding": "gzip"})
    assert answer.status == 200 and answer.headers["Content-Encoding"] == "gzip"
    assert answer.headers["Content-Type"] == TYPE_OF_CONTENT
    parse(gzip.decompress(body).decode())


def test_a_query_after_the_path_is_passed_over(region):
    answer, body = get(region.http_port, "/metrics?collect[]=all")
    assert answer.status == 200
    parse(body.decode())


def test_other_paths_are_as_before(region):
    assert get(region.http_port, "/")[1].startswith(b"healthy: ")
    assert get(region.http_port, "/metricsx")[0].status == 404


def test_they_can_be_switched_off(tmp_path):
    from conftest import Region

    region = Region(tmp_path / "off", "us-east-1", 1)
    configure = region.configure

    def without():
        path = configure()
        path.write_text(path.read_text().replace("threads = 2;", "threads = 2; metrics = 0;"))
        return path

    region.configure = without
    region.start()
    try:
        assert get(region.http_port, "/metrics")[0].status == 404
        assert get(region.http_port, "/")[0].status == 200
    finally:
        region.stop()


def test_capacity_of_limited_tables_is_counted(region, client):
    name = "metrics-" + uuid.uuid4().hex[:8]
    client.create_table(
        TableName=name,
        ProvisionedThroughput={"ReadCapacityUnits": 3, "WriteCapacityUnits": 1},
        AttributeDefinitions=[{"AttributeName": "id", "AttributeType": "S"}],
        KeySchema=[{"AttributeName": "id", "KeyType": "HASH"}],
    )
    client.get_waiter("table_exists").wait(TableName=name)
    client.put_item(TableName=name, Item={"id": {"S": "a"}, "data": {"S": "x" * 398 * 1024}})
    client.get_item(TableName=name, Key={"id": {"S": "b"}})
    with pytest.raises(ClientError):
        region.client(retries={"total_max_attempts": 1}).delete_item(TableName=name, Key={"id": {"S": "a"}})
    metrics = scrape(region.http_port)
    assert metrics.get("tidemark_consumed_capacity_units_total", table_name=name, unit="write") == 399
    assert metrics.get("tidemark_consumed_capacity_units_total", table_name=name, unit="read") == 0.5
    assert metrics.get("tidemark_throttled_requests_total", table_name=name, unit="write") == 1
    assert metrics.get("aws_dynamodb_provisioned_read_capacity_units_average", table_name=name) == 3
    assert metrics.types["aws_dynamodb_consumed_write_capacity_units_sum"] == "gauge"
    client.delete_table(TableName=name)
