"""
Clients that write and remember what was acknowledged.

Each client owns its keys, so it knows what each of them holds: one state that was acknowledged, and, while an answer is missing,
the states that the write without an answer may have made.
"""

import http.client
import threading

from dynamo import Dynamo, DynamoError

TABLE = "crash"
KEYS = 12  # of one client
CLIENTS = 4


def make_table(port):
    client = Dynamo(port)
    client.call(
        "CreateTable",
        TableName=TABLE,
        BillingMode="PAY_PER_REQUEST",
        AttributeDefinitions=[{"AttributeName": "id", "AttributeType": "S"}],
        KeySchema=[{"AttributeName": "id", "KeyType": "HASH"}],
    )
    while client.call("DescribeTable", TableName=TABLE)["Table"]["TableStatus"] != "ACTIVE":
        pass
    client.close()


def item_of(key, number):
    """All of an item follows from its number: half an item would show."""
    return {"id": {"S": key}, "v": {"N": str(number)}, "filler": {"S": f"{number}." * (1 + number * 7919 % 1500)}}


class Client(threading.Thread):
    def __init__(self, number, seed):
        super().__init__(daemon=True)
        import random

        self.number, self.random = number, random.Random(seed * 1000 + number)
        self.keys = [f"c{number}-k{k}" for k in range(KEYS)]
        self.known = dict.fromkeys(self.keys)  # key: number, or None for no item
        self.maybe = {}  # key: what it holds if the write without an answer was done
        self.earlier = []  # the same of clients before us, as nobody could be asked meanwhile
        self.last = 0
        self.counted, self.counted_maybe = 0, 0  # additions to the counter that all clients share
        self.acknowledged = 0
        self.port, self.failure = None, None
        self.asked_to_stop = False

    # --- writing ---

    def run(self):
        dynamo = Dynamo(self.port)
        try:
            while not self.asked_to_stop:
                self.write(dynamo)
        except (OSError, http.client.HTTPException):
            pass  # the process is gone
        except DynamoError as error:
            if error.status < 500:
                self.failure = error
        finally:
            dynamo.close()

    def next(self):
        self.last += 1
        return self.last

    def write(self, dynamo):
        self.random.choice([self.put, self.put, self.delete, self.update, self.update, self.batch, self.count])(dynamo)
        self.acknowledged += 1

    def change(self, dynamo, operation, after, **parameters):
        """One request that makes these keys hold `after`."""
        self.maybe = after
        dynamo.call(operation, **parameters)
        self.known.update(after)
        self.maybe = {}

    def put(self, dynamo):
        key, number = self.random.choice(self.keys), self.next()
        self.change(dynamo, "PutItem", {key: number}, TableName=TABLE, Item=item_of(key, number))

    def delete(self, dynamo):
        key = self.random.choice(self.keys)
        self.change(dynamo, "DeleteItem", {key: None}, TableName=TABLE, Key={"id": {"S": key}})

    def update(self, dynamo):
        """Only if the item is what we know it is: an earlier write that was lost would show at once."""
        key, number = self.random.choice(self.keys), self.next()
        item, had = item_of(key, number), self.known[key]
        values = {":v": item["v"], ":filler": item["filler"]}
        if had is None:
            condition = "attribute_not_exists(id)"
        else:
            condition, values[":had"] = "v = :had", {"N": str(had)}
        self.change(
            dynamo,
            "UpdateItem",
            {key: number},
            TableName=TABLE,
            Key={"id": {"S": key}},
            UpdateExpression="SET v = :v, filler = :filler",
            ConditionExpression=condition,
            ExpressionAttributeValues=values,
        )

    def batch(self, dynamo):
        after, requests = {}, []
        for key in self.random.sample(self.keys, self.random.randrange(2, KEYS)):
            after[key] = self.next() if self.random.random() < 0.7 else None
            if after[key] is None:
                requests.append({"DeleteRequest": {"Key": {"id": {"S": key}}}})
            else:
                requests.append({"PutRequest": {"Item": item_of(key, after[key])}})
        self.maybe = after
        answer = dynamo.call("BatchWriteItem", RequestItems={TABLE: requests})
        assert not answer.get("UnprocessedItems"), answer
        self.known.update(after)
        self.maybe = {}

    def count(self, dynamo):
        self.counted_maybe += 1
        dynamo.call(
            "UpdateItem",
            TableName=TABLE,
            Key={"id": {"S": "counter"}},
            UpdateExpression="ADD n :one",
            ExpressionAttributeValues={":one": {"N": "1"}},
        )
        self.counted_maybe -= 1
        self.counted += 1

    # --- what must be there ---

    def verify(self, items):
        for key in self.keys:
            item = items.pop(key, None)
            number = None if item is None else int(item["v"]["N"])
            assert item is None or item == item_of(key, number), f"{key}: half an item: {item}"
            allowed = [self.known[key], *(state[key] for state in [*self.earlier, self.maybe] if key in state)]
            assert number in allowed, f"{key} holds {number}, acknowledged or under way was {allowed}"
            self.known[key] = number
        self.maybe, self.earlier = {}, []


class Load:
    """All clients, over the lives of one region."""

    def __init__(self, seed):
        self.seed, self.life = seed, 0
        self.clients = [Client(n, seed) for n in range(CLIENTS)]

    def run(self, port):
        """Clients go on until the process is gone."""
        self.life += 1
        before = self.clients
        self.clients = [Client(n, self.seed * 100 + self.life) for n in range(CLIENTS)]
        for old, new in zip(before, self.clients):
            new.known, new.last, new.counted = old.known, old.last, old.counted
            new.earlier, new.counted_maybe = old.earlier, old.counted_maybe
            new.acknowledged = old.acknowledged
            new.port = port
            new.start()

    def acknowledged(self):
        return sum(client.acknowledged for client in self.clients)

    def stop(self):
        """Each client ends after the request it is at."""
        for client in self.clients:
            client.asked_to_stop = True

    def keep(self):
        """The region cannot be asked what became of the writes without an answer: any of them may show later."""
        for client in self.clients:
            if client.maybe:
                client.earlier.append(client.maybe)
                client.maybe = {}

    def join(self):
        for client in self.clients:
            client.join(60)
            assert not client.is_alive(), "a client still waits for an answer"
            if client.failure is not None:
                raise client.failure

    def verify(self, port, besides=None):
        """What is there is what was acknowledged; `besides`: how keys begin that others wrote."""
        dynamo = Dynamo(port)
        items = {item["id"]["S"]: item for item in dynamo.scan(TABLE)}
        if besides is not None:
            items = {key: item for key, item in items.items() if not key.startswith(besides)}
        dynamo.close()
        counter = int(items.pop("counter", {"n": {"N": "0"}})["n"]["N"])
        least = sum(client.counted for client in self.clients)
        most = least + sum(client.counted_maybe for client in self.clients)
        assert least <= counter <= most, f"the counter is {counter}, not {least} to {most}"
        for client in self.clients:
            client.verify(items)
            client.counted, client.counted_maybe = 0, 0
        self.clients[0].counted = counter
        assert not items, f"nobody wrote {list(items)}"
