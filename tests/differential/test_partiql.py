"""Seeded statements of PartiQL to a region and to DynamoDB Local: status, exception, message, rows, and the items left behind.

TIDEMARK_SEED and TIDEMARK_STATEMENTS choose another stream or a longer one.
"""

import collections
import os

import compare
import explained_partiql
import pytest
from generate_partiql import TABLE, TABLES, PartiqlGenerator

SEED = int(os.environ.get("TIDEMARK_SEED", 1))
STATEMENTS = int(os.environ.get("TIDEMARK_STATEMENTS", 10_000 if os.environ.get("TIDEMARK_LONG") else 600))
SHOWN_MAX = 20


def prepare(server):
    server.call("DeleteTable", {"TableName": TABLE})
    for wanted in (None, "ACTIVE"):
        if wanted:
            answer = server.call("CreateTable", TABLES)
            assert answer.status == 200, answer

        def reached(server=server, wanted=wanted):
            return server.call("DescribeTable", {"TableName": TABLE}).body.get("Table", {}).get("TableStatus") == wanted

        compare_wait(reached)


def compare_wait(condition):
    from conftest import regions

    regions.wait_for(condition, "the table", 30)


def items(server):
    found = server.call("Scan", {"TableName": TABLE, "ConsistentRead": True}).body["Items"]
    return {(item["pk"]["S"], item["sk"]["N"]): compare.in_order(item) for item in found}


def step(ours, local, operation, body):
    """Send a request to both; where the items left behind differ, both lose them, so as to go on alike."""
    x, y = ours.call(operation, body), local.call(operation, body)
    a, b = explained_partiql.normal(operation, body, x), explained_partiql.normal(operation, body, y)
    rule = None if a == b else explained_partiql.explain(operation, body, x, y, a, b) or compare.UNEXPLAINED
    if operation == "ExecuteStatement" and body["Statement"].startswith(("SELECT", "pk", "1", "{", "<<", "zz", "CREATE", "DROP")):
        return compare.Outcome(operation, body, x, y, rule)
    mine, theirs = items(ours), items(local)
    for key in set(mine) | set(theirs):
        if explained_partiql.canonical(mine.get(key)) == explained_partiql.canonical(theirs.get(key)):
            continue
        if rule is None:
            x, y, rule = mine.get(key), theirs.get(key), compare.UNEXPLAINED
        for server in (ours, local):
            server.call("DeleteItem", {"TableName": TABLE, "Key": {"pk": {"S": key[0]}, "sk": {"N": key[1]}}})
    return compare.Outcome(operation, body, x, y, rule)


def test_every_difference_is_explained(region, local_port):
    ours, local = compare.Server("tidemark", region.http_port), compare.Server("DynamoDB Local", local_port)
    for server in (ours, local):
        prepare(server)
    stream = PartiqlGenerator(SEED)
    rules, wrong = collections.Counter(), []
    for n in range(STATEMENTS):
        outcome = step(ours, local, *stream.request())
        rules[outcome.rule or "the same"] += 1
        if outcome.rule == compare.UNEXPLAINED:
            wrong.append(f"statement {n} of seed {SEED}: {outcome}")
    print(f"seed {SEED}:", ", ".join(f"{name} {count}" for name, count in rules.most_common()))
    assert not wrong, f"{len(wrong)} of {STATEMENTS} differ:\n" + "\n".join(wrong[:SHOWN_MAX])
    # The stream is worth something only while most of it is answered alike.
    assert rules["the same"] > STATEMENTS / 2


@pytest.mark.parametrize("seed", range(3))
def test_a_seed_is_a_stream(seed):
    first, second = PartiqlGenerator(seed), PartiqlGenerator(seed)
    assert [first.request() for _ in range(200)] == [second.request() for _ in range(200)]
