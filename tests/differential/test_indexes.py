"""The same seeded requests to tables with indexes, of a region and of DynamoDB Local: as test_differential.py, whose variables hold here too."""

import collections

import compare
import generate_index
import pytest
from test_differential import REQUESTS, SEED, SHOWN_MAX


def test_every_difference_is_explained(region, local_port):
    ours, local = compare.Server("tidemark", region.http_port), compare.Server("DynamoDB Local", local_port)
    for server in (ours, local):
        compare.prepare(server, generate_index.TABLES, generate_index.create_table)
    stream = generate_index.IndexGenerator(SEED)
    rules, wrong = collections.Counter(), []
    for n in range(REQUESTS):
        outcome = compare.step(ours, local, *stream.request())
        rules[outcome.rule or "the same"] += 1
        if outcome.rule == compare.UNEXPLAINED:
            wrong.append(f"request {n} of seed {SEED}: {outcome}")
    print(f"seed {SEED}:", ", ".join(f"{name} {count}" for name, count in rules.most_common()))
    assert not wrong, f"{len(wrong)} of {REQUESTS} differ:\n" + "\n".join(wrong[:SHOWN_MAX])
    assert rules["the same"] > REQUESTS / 2
    assert_indexes_agree(ours, local)


def assert_indexes_agree(ours, local):
    """What is in each index in the end, however it came there."""
    for table in generate_index.TABLES:
        names = [*generate_index.GLOBAL, *(generate_index.LOCAL if table == "ix" else ())]
        for name in names:
            body = {"TableName": generate_index.table_name(table), "IndexName": name}
            mine, theirs = (compare.normal("Scan", compare.ask(s, "Scan", body), name) for s in (ours, local))
            assert compare.explained.canonical(mine) == compare.explained.canonical(theirs), (table, name)


@pytest.mark.parametrize("seed", range(3))
def test_a_seed_is_a_stream(seed):
    first, second = generate_index.IndexGenerator(seed), generate_index.IndexGenerator(seed)
    assert [first.request() for _ in range(200)] == [second.request() for _ in range(200)]
