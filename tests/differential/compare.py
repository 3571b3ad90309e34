"""Send one request to two servers and find what their answers differ in, and whether that is explained."""

import http.client
import json
import time

import explained
import generate_index
from generate import TABLES, create_table, table_name

UNEXPLAINED = "UNEXPLAINED"
SEGMENTS_MAX = 8
HEADERS = {
    "Content-Type": "application/x-amz-json-1.0",
    "Authorization": "AWS4-HMAC-SHA256 Credential=test/20261121/us-east-1/dynamodb/aws4_request, "
    "SignedHeaders=host;x-amz-date, Signature=" + "0" * 64,
    "X-Amz-Date": "20261121T000000Z",
}
PAGES_MAX = 50


class Answer:
    """A reply: status, exception's name, message, body."""

    def __init__(self, status, body):
        self.status, self.body = status, body
        self.type = self.message = None
        if status != 200:
            self.type = body.get("__type", "").split("#")[-1]
            self.message = body.get("message", body.get("Message"))

    def __repr__(self):
        if self.status == 200:
            return json.dumps(self.body, ensure_ascii=False)[:1500]
        rest = {k: v for k, v in self.body.items() if k not in ("__type", "message", "Message")}
        return f"{self.status} {self.type}: {self.message} {rest or ''}"


class Server:
    def __init__(self, name, port):
        self.name, self.port = name, port
        self.connection = None

    def call(self, operation, body):
        raw = json.dumps(body).encode()
        for attempt in (1, 2):
            if self.connection is None:
                self.connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=60)
            try:
                self.connection.request("POST", "/", raw, {**HEADERS, "X-Amz-Target": "DynamoDB_20120810." + operation})
                reply = self.connection.getresponse()
                text = reply.read()
                return Answer(reply.status, json.loads(text) if text else {})
            except (http.client.HTTPException, OSError):
                self.connection = None
                if attempt == 2:
                    raise

    def all_pages(self, operation, body):
        """Every page of a Scan as one answer: where a page ends depends on the order, which differs."""
        body = dict(body)
        total = None
        for _ in range(PAGES_MAX):
            page = self.call(operation, body)
            if page.status != 200:
                return page
            if total is None:
                total = page
            else:
                total.body["Count"] += page.body["Count"]
                total.body["ScannedCount"] += page.body["ScannedCount"]
                if "Items" in page.body:
                    total.body["Items"] += page.body["Items"]
            next_key = page.body.get("LastEvaluatedKey")
            if next_key is None:
                total.body.pop("LastEvaluatedKey", None)
                return total
            body["ExclusiveStartKey"] = next_key
        raise AssertionError(f"{self.name}: more than {PAGES_MAX} pages")


def in_order(value):
    """Sets sorted: they have no order."""
    if isinstance(value, dict):
        return {k: sorted(v) if k in ("SS", "NS", "BS") and all(isinstance(x, str) for x in v) else in_order(v) for k, v in value.items()}
    if isinstance(value, list):
        return [in_order(v) for v in value]
    return value


def as_text(value):
    return json.dumps(value, sort_keys=True)


def normal(operation, answer, index=None):
    """The body with what has no order in one order."""
    body = in_order(answer.body)
    if answer.status == 200 and (operation == "Scan" or index is not None) and isinstance(body.get("Items"), list):
        body["Items"].sort(key=as_text)
    if answer.status == 200 and operation == "BatchGetItem":
        for items in body.get("Responses", {}).values():
            items.sort(key=as_text)
    if isinstance(body.get("ConsumedCapacity"), list):
        body["ConsumedCapacity"].sort(key=as_text)
    if answer.status == 200:
        return {"status": 200, "body": body}
    # The prefixes of __type name the service's internals.
    rest = {k: v for k, v in body.items() if k not in ("__type", "message", "Message")}
    return {"status": answer.status, "type": answer.type, "message": answer.message, "rest": rest}


def ask(server, operation, body):
    """The answer; of a Scan with few segments, the answer of all of them: which items a segment has is not said."""
    if operation == "Query" and body.get("IndexName") is not None:
        return server.all_pages(operation, body)  # entries with one key have another order: so have the pages
    if operation != "Scan":
        return server.call(operation, body)
    total, segment = (int(v) if isinstance(v, float) else v for v in (body.get("TotalSegments"), body.get("Segment")))  # 1.5 is read as 1
    if not (isinstance(total, int) and isinstance(segment, int) and 0 <= segment < total <= SEGMENTS_MAX):
        return server.all_pages(operation, body)
    whole = None
    for n in range(total):
        part = server.all_pages(operation, {**body, "Segment": n})
        if part.status != 200:
            return part
        if whole is None:
            whole = part
            continue
        whole.body["Count"] += part.body["Count"]
        whole.body["ScannedCount"] += part.body["ScannedCount"]
        if "Items" in part.body:
            whole.body["Items"] += part.body["Items"]
    return whole


def keys_written(operation, body):
    """(table, key) of every item that a write may have changed."""
    found = []

    def add(table, item):
        names = [k[0] for k in {**TABLES, **generate_index.TABLES}.get(str(table).split(".")[-1], ((None, None), None)) if k]
        if isinstance(item, dict) and all(n in item for n in names):
            found.append((table, {n: item[n] for n in names}))

    if operation in ("PutItem", "UpdateItem", "DeleteItem"):
        add(body.get("TableName"), body.get("Item", body.get("Key")))
    elif operation == "BatchWriteItem" and isinstance(body.get("RequestItems"), dict):
        for table, writes in body["RequestItems"].items():
            for write in writes if isinstance(writes, list) else []:
                if isinstance(write, dict):
                    add(table, (write.get("PutRequest") or {}).get("Item"))
                    add(table, (write.get("DeleteRequest") or {}).get("Key"))
    return found


class Outcome:
    """What one request came to: `rule` is None when both agree, a rule's name, or UNEXPLAINED."""

    def __init__(self, operation, body, ours, local, rule):
        self.operation, self.body, self.ours, self.local, self.rule = operation, body, ours, local, rule

    def __str__(self):
        return (
            f"{self.operation} {json.dumps(self.body, ensure_ascii=False)[:1500]}\n"
            f"    tidemark       {str(self.ours)[:1000]}\n    DynamoDB Local {str(self.local)[:1000]}"
        )


def step(ours, local, operation, body):
    """Send a request to both. Where the answers or the items written differ, both lose the item, so as to go on alike."""
    written = keys_written(operation, body)
    before = None
    if operation == "UpdateItem" and written:
        before = in_order(ours.call("GetItem", {"TableName": written[0][0], "Key": written[0][1], "ConsistentRead": True}).body.get("Item"))
    x, y = ask(ours, operation, body), ask(local, operation, body)
    index = body.get("IndexName") if isinstance(body, dict) else None
    a, b = normal(operation, x, index), normal(operation, y, index)
    rule = None if a == b else explained.explain(operation, body, before, x, y, a, b) or UNEXPLAINED
    if x.status == 200 or y.status == 200:
        for table, key in written:
            read = {"TableName": table, "Key": key, "ConsistentRead": True}
            mine, theirs = in_order(ours.call("GetItem", read).body), in_order(local.call("GetItem", read).body)
            if explained.canonical(mine) == explained.canonical(theirs):
                continue
            # a created item has its key in any case
            if rule is None and explained.half_updated(body, before, mine.get("Item"), theirs.get("Item")):
                rule = "action-absent"
            elif rule is None:
                x, y = mine, theirs
                rule = UNEXPLAINED
                if before is None and "Item" not in mine and explained.canonical(theirs.get("Item")) == explained.canonical(key):
                    rule = "key-only-item"
            for server in (ours, local):
                server.call("DeleteItem", {"TableName": table, "Key": key})
    return Outcome(operation, body, x, y, rule)


def prepare(server, tables=TABLES, create=create_table):
    """The tables, empty."""
    for name in tables:
        server.call("DeleteTable", {"TableName": table_name(name)})
        wait_for_status(server, name, None)
        answer = server.call("CreateTable", create(name))
        assert answer.status == 200, answer
        wait_for_status(server, name, "ACTIVE")


def wait_for_status(server, name, wanted):
    deadline = time.monotonic() + 30
    while True:
        answer = server.call("DescribeTable", {"TableName": table_name(name)})
        if answer.body.get("Table", {}).get("TableStatus") == wanted:
            return
        assert time.monotonic() < deadline, answer
        time.sleep(0.02)
