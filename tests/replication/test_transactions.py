"""Transfers between accounts in two tables, each one transaction: nobody ever sees half of one, in whatever region, whatever dies."""

import http.client
import random
import threading
import time
import uuid

import pytest

from dynamo import DynamoError
from harness import Cluster, wait_for

ACCOUNTS = 8  # half of them in each table
OPENING = 100
TELLERS = 4
SECONDS = 12
TABLES = ("current", "savings")


def key(i):
    return TABLES[i % 2], {"id": {"S": f"account{i}"}}


def transfer(source, target, amount):
    def change(i, sign):
        table, name = key(i)
        return {
            "Update": {
                "TableName": table,
                "Key": name,
                "UpdateExpression": f"SET balance = balance {sign} :a ADD moves :one",
                "ExpressionAttributeValues": {":a": {"N": str(amount)}, ":one": {"N": "1"}},
            }
        }

    return [change(source, "-"), change(target, "+")]


def open_accounts(region):
    puts = []
    for i in range(ACCOUNTS):
        table, name = key(i)
        puts.append({"Put": {"TableName": table, "Item": {**name, "balance": {"N": str(OPENING)}, "moves": {"N": "0"}}}})
    region.client().call("TransactWriteItems", TransactItems=puts)


def look(client):
    """Every account at one moment; None: they have not come yet."""
    gets = [{"Get": {"TableName": table, "Key": name}} for table, name in (key(i) for i in range(ACCOUNTS))]
    items = [answer.get("Item") for answer in client.call("TransactGetItems", TransactItems=gets)["Responses"]]
    assert None not in items or set(map(type, items)) == {type(None)}, "some accounts are there, and some are not"
    return None if items[0] is None else items


def whole(items):
    """What any number of whole transfers leaves: the sum, and an even number of moves."""
    assert sum(int(item["balance"]["N"]) for item in items) == ACCOUNTS * OPENING
    assert sum(int(item["moves"]["N"]) for item in items) % 2 == 0


class Teller(threading.Thread):
    """Transfers with tokens, repeated until their outcome is known."""

    def __init__(self, region, seed, ended):
        super().__init__()
        self.region, self.chance, self.ended = region, random.Random(seed), ended
        self.made, self.failure = [[0, 0] for _ in range(ACCOUNTS)], None

    def run(self):
        try:
            client = self.region.client(5)
            while not self.ended.is_set():
                source, target = self.chance.sample(range(ACCOUNTS), 2)
                amount, token = self.chance.randint(1, 9), uuid.uuid4().hex
                self.until_known(client, transfer(source, target, amount), token)
                for i, sign in ((source, -1), (target, 1)):
                    self.made[i][0] += sign * amount
                    self.made[i][1] += 1
        except Exception as error:  # shown by the test
            self.failure = error

    def until_known(self, client, actions, token):
        deadline = time.monotonic() + 60
        while True:
            try:
                client.call("TransactWriteItems", TransactItems=actions, ClientRequestToken=token)
                return
            except DynamoError as error:
                if error.status < 500 or time.monotonic() > deadline:
                    raise
            except (OSError, http.client.HTTPException):
                if time.monotonic() > deadline:
                    raise
            time.sleep(0.02)


class Reader(threading.Thread):
    def __init__(self, region, ended):
        super().__init__()
        self.region, self.ended, self.looks, self.failure = region, ended, 0, None

    def run(self):
        client = self.region.client(5)
        while not self.ended.is_set():
            try:
                if (items := look(client)) is not None:
                    whole(items)
                    self.looks += 1
            except (OSError, http.client.HTTPException, DynamoError) as error:
                # It is being killed, or its replica is on its way back; half a transaction is neither.
                if isinstance(error, DynamoError) and error.status < 500:
                    self.failure = error
                    return
                time.sleep(0.02)
            except AssertionError as error:
                self.failure = error
                return


@pytest.mark.parametrize("seed", [1, 2])
def test_nobody_sees_half_a_transfer_and_none_is_lost_or_made_twice(tmp_path, seed):
    chance = random.Random(seed)
    with Cluster(tmp_path, 2) as pair:
        here, there = pair
        for table in TABLES:
            pair.create_table(table)
        open_accounts(here)
        ended = threading.Event()
        tellers = [Teller(here, seed * 100 + n, ended) for n in range(TELLERS)]
        readers = [Reader(here, ended), Reader(there, ended), Reader(there, ended)]
        for thread in tellers + readers:
            thread.start()
        try:
            until = time.monotonic() + SECONDS
            while time.monotonic() < until:
                region, kinds = chance.choice([(here, ("api",)), (there, ("api",)), (here, ("replicator",)), (there, ("replicator",)), (there, ("api", "replicator"))])
                time.sleep(chance.random() * 0.8)
                region.kill(*kinds)
                time.sleep(chance.random() * 0.2)
                region.start(*kinds)
        finally:
            ended.set()
            for thread in tellers + readers:
                thread.join(120)
        assert [thread.failure for thread in tellers + readers] == [None] * len(tellers + readers)
        assert all(reader.looks > 10 for reader in readers)
        pair.wait_converged(60)
        expected = [[OPENING + sum(t.made[i][0] for t in tellers), sum(t.made[i][1] for t in tellers)] for i in range(ACCOUNTS)]
        for region in pair:
            items = look(region.client())
            assert [[int(item["balance"]["N"]), int(item["moves"]["N"])] for item in items] == expected, region.name
        assert sum(t.made[i][1] for t in tellers for i in range(ACCOUNTS)) > 100
        assert pair.assert_identical(*TABLES) == []
        pair.stop_and_check()


def test_parts_meet_other_writes_item_by_item(tmp_path):
    """Two transactions of regions that do not hear of each other: each item goes to the later one, the other one's part is logged."""
    with Cluster(tmp_path, 2) as pair:
        here, there = pair
        for table in TABLES:
            pair.create_table(table)
        open_accounts(here)
        pair.wait_converged(60)
        pair.cut(here, there)
        here.client().call("TransactWriteItems", TransactItems=transfer(0, 1, 10))
        there.client().call("TransactWriteItems", TransactItems=transfer(0, 3, 20))
        pair.heal(here, there)
        pair.wait_converged(60)
        log = pair.assert_identical(*TABLES)
        assert [entry["Key"]["M"]["id"]["S"] for entry in log] == ["account0"]
        later = there if log[0]["LoserRegion"]["S"] == here.name else here
        balances = [int(item["balance"]["N"]) for item in look(here.client())]
        assert balances[0] == OPENING - (20 if later is there else 10)
        assert (balances[1], balances[3]) == (OPENING + 10, OPENING + 20)
        pair.stop_and_check()


def test_a_region_that_holds_one_of_the_tables_gets_its_part(tmp_path):
    with Cluster(tmp_path, 2) as pair:
        here, there = pair
        pair.create_table(TABLES[0])
        pair.create_table(TABLES[1], [here])
        open_accounts(here)
        here.client().call("TransactWriteItems", TransactItems=transfer(0, 1, 10))

        def came():
            item = there.client().call("GetItem", TableName=TABLES[0], Key=key(0)[1]).get("Item")
            return item and item["balance"]["N"] == str(OPENING - 10)

        wait_for("the part of the table that is here", came, 30)
        pair.add_replica(TABLES[1], here, there)
        pair.wait_active(TABLES[1], there)
        whole(look(there.client()))
