"""The same seeded requests to a region and to DynamoDB Local: status, exception, message, body and the items left behind.

TIDEMARK_SEED and TIDEMARK_REQUESTS choose another stream or a longer one, TIDEMARK_LEGACY how many in a hundred have the
parameters from before expressions.
"""

import collections
import os
import re

import compare
import explained
import explained_partiql
import generate
import generate_legacy
import pytest
from conftest import ROOT

SEED = int(os.environ.get("TIDEMARK_SEED", 1))
REQUESTS = int(os.environ.get("TIDEMARK_REQUESTS", 20_000 if os.environ.get("TIDEMARK_LONG") else 600))
LEGACY = int(os.environ.get("TIDEMARK_LEGACY", 25))
SHOWN_MAX = 20


def test_every_difference_is_explained(region, local_port):
    ours, local = compare.Server("tidemark", region.http_port), compare.Server("DynamoDB Local", local_port)
    for server in (ours, local):
        compare.prepare(server)
    streams = generate.Generator(SEED), generate_legacy.LegacyGenerator(SEED)
    rules, wrong = collections.Counter(), []
    for n in range(REQUESTS):
        # spread evenly: request n is a legacy one where n * LEGACY passes another hundred
        legacy = (n + 1) * LEGACY // 100 > n * LEGACY // 100
        outcome = compare.step(ours, local, *streams[legacy].request())
        rules[outcome.rule or "the same"] += 1
        if outcome.rule == compare.UNEXPLAINED:
            wrong.append(f"request {n} of seed {SEED}: {outcome}")
    print(f"seed {SEED}:", ", ".join(f"{name} {count}" for name, count in rules.most_common()))
    assert not wrong, f"{len(wrong)} of {REQUESTS} differ:\n" + "\n".join(wrong[:SHOWN_MAX])
    # The stream is worth something only while most of it is answered alike, and much of it well.
    assert rules["the same"] > REQUESTS / 2


def test_every_rule_is_documented():
    text = (ROOT / "docs" / "api-compatibility.md").read_text()
    section = text.split("## Differences to DynamoDB Local", 1)[1].split("\n## ", 1)[0]
    documented = set(re.findall(r"^\| `([a-z0-9-]+)` \|", section, re.M))
    source = (ROOT / "tests" / "differential" / "explained.py").read_text() + (ROOT / "tests" / "differential" / "compare.py").read_text()
    source += (ROOT / "tests" / "differential" / "explained_transactions.py").read_text()
    source += (ROOT / "tests" / "differential" / "explained_partiql.py").read_text()
    known = {name for name, _, _ in explained.WORDINGS + explained_partiql.WORDINGS}
    known |= set(re.findall(r'return "([a-z0-9-]+)"', source)) | set(re.findall(r'names\.append\("([a-z0-9-]+)"\)', source))
    known |= set(re.findall(r'rule = "([a-z0-9-]+)"', source)) | set(re.findall(r'return "([a-z0-9-]+)" if ', source))
    known.discard("0")  # explained.number's
    assert documented == known


@pytest.mark.parametrize("kind", [generate.Generator, generate_legacy.LegacyGenerator])
@pytest.mark.parametrize("seed", range(3))
def test_a_seed_is_a_stream(seed, kind):
    first, second = kind(seed), kind(seed)
    assert [first.request() for _ in range(200)] == [second.request() for _ in range(200)]
