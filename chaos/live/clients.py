"""
The clients of one region: a program that writes and reads through the public API and records all of it.

    python clients.py '{"region": "us-east-1", "port": 8001, "out": "FILE", "seed": 1, "loads": [{"kind": "register", ...}]}'

"quiet" and "go" on stdin hold the clients and let them go on ("ok" is the answer, when no request is under way any more); the end of stdin
ends the program. The history has two lines per operation, the second when its outcome is known:

    {"i": 7, "c": "us-east-1.3", "t": NS, "f": "put", "k": "chaos/register.s.1", "w": "us-east-1.3.7", ...}      invoked
    {"i": 7, "t": NS, "o": "ok", "old": STATE, "new": STATE}                                                     its outcome

`t` is the machine's monotonic clock, one for all regions. Outcomes: ok; fail (it has not happened); info (it may have happened, or may yet).
Every write carries a token of its own (`w`), and asks for the item that it replaced (`old`): each answer names the write that it had seen.
Everything else in an item follows from the writes that made it: STATE is compared whole.
"""

import http.client
import json
import random
import sys
import threading
import time

sys.path.insert(0, __file__.rsplit("/chaos/", 1)[0] + "/tests/replication")

from dynamo import Dynamo, DynamoError  # noqa: E402

TIMEOUT = 5
DOWN_PAUSE = 0.1
LIST_MAX = 40
LARGE = 380_000
DEFAULTS = {
    # kind: (clients of each region, keys, operations a second of each client)
    "register": (3, 12, 12), "counter": (2, 4, 12), "set": (2, 4, 10), "append": (2, 4, 10), "race": (2, 2, 12), "hot": (3, 1, 20),
    "large": (1, 3, 1.5), "batch": (1, 1, 3), "causal": (2, 4, 10), "ttl": (2, 8, 5),
    "bank": (2, 6, 8),
}  # fmt: skip


def filler(token, size):
    """A value that names its writer and shows when it is not whole; a large one cannot be compressed."""
    if size > LARGE // 4:
        head = token + "|"
        return head + random.Random(token).randbytes((size - len(head) + 1) // 2).hex()[: size - len(head)]
    text = (token + "|") * (size // (len(token) + 1) + 1)
    return text[: max(size, len(token) + 1)]


def state_of(item):
    """An item as the history keeps it; None where there is none."""
    if not item:
        return None
    state = {"w": item["w"]["S"]}
    if "v" in item:
        value = item["v"]["S"]
        writer = value.partition("|")[0]
        state["v"] = [writer, len(value)] if value == filler(writer, len(value)) else "torn"
    if "u" in item:
        state["u"] = item["u"]["S"]
    if "n" in item:
        state["n"] = int(item["n"]["N"])
    if "x" in item:
        state["x"] = int(item["x"]["N"])
    if "m" in item:
        state["m"] = int(item["m"]["N"])
    if "tags" in item:
        state["tags"] = sorted(item["tags"]["SS"])
    if "l" in item:
        state["l"] = [part["S"] for part in item["l"]["L"]]
    extra = set(item) - {"id", "w", "v", "u", "n", "m", "x", "tags", "l"}
    if extra:
        state["extra"] = sorted(extra)
    return state


class History:
    def __init__(self, path):
        self.out, self.lock, self.last = open(path, "w", buffering=1), threading.Lock(), 0

    def invoke(self, client, **what):
        with self.lock:
            self.last += 1
            line = {"i": self.last, "c": client, "t": time.monotonic_ns(), **what}
            self.out.write(json.dumps(line, separators=(",", ":")) + "\n")
            return self.last

    def complete(self, number, outcome, **what):
        at = time.monotonic_ns()
        with self.lock:
            line = {"i": number, "t": at, "o": outcome, **what}
            self.out.write(json.dumps(line, separators=(",", ":")) + "\n")


class Gate:
    """Holds all clients between two operations."""

    def __init__(self):
        self.changed = threading.Condition()
        self.open, self.ended, self.busy = True, False, 0

    def enter(self):
        with self.changed:
            while not self.open and not self.ended:
                self.changed.wait()
            if self.ended:
                return False
            self.busy += 1
            return True

    def leave(self):
        with self.changed:
            self.busy -= 1
            self.changed.notify_all()

    def set(self, is_open, ended=False):
        with self.changed:
            self.open, self.ended = is_open, self.ended or ended
            self.changed.notify_all()
            while not is_open and self.busy:
                self.changed.wait()


class Client(threading.Thread):
    def __init__(self, name, options, load, history, gate):
        super().__init__(daemon=True)
        self.name_, self.load, self.history, self.gate = name, load, history, gate
        self.region, self.table, self.kind = options["region"], load["table"], load["kind"]
        self.random = random.Random(f"{options['seed']} {name}")
        self.dynamo = Dynamo(options["port"], TIMEOUT)
        self.tokens, self.seen, self.refused = 0, {}, None

    def run(self):
        act = getattr(self, "do_" + {"race": "register", "hot": "register", "large": "register"}.get(self.kind, self.kind))
        while True:
            time.sleep(min(self.random.expovariate(self.load["rate"]), 3.0))
            if not self.gate.enter():
                break
            try:
                down = act() == "down"
            finally:
                self.gate.leave()
            if down:
                time.sleep(DOWN_PAUSE)
        self.dynamo.close()

    # --- one operation ---

    def key(self):
        scope = self.load["scope"]
        if scope == "both":
            scope = self.random.choice(("local", "shared"))
        return f"{self.kind}.{'s' if scope == 'shared' else self.region}.{self.random.randrange(self.load['keys'])}"

    def token(self):
        self.tokens += 1
        return f"{self.name_}.{self.tokens}"

    def send(self, operation, function, key, request, answer, token=None, **more):
        """Record and send; `answer` makes of the reply what the history keeps."""
        what = {"f": function, "k": f"{self.table}/{key}", **({"w": token} if token else {}), **more}
        number = self.history.invoke(self.name_, **what)
        try:
            reply = json.loads(self.dynamo.raw(operation, json.dumps({"TableName": self.table, **request} if key != "*" else request)))
        except ConnectionRefusedError:
            self.history.complete(number, "fail", why="down")
            return "down"
        except (OSError, http.client.HTTPException) as error:
            self.history.complete(number, "info", why=type(error).__name__)
            return "down"
        except DynamoError as error:
            if error.name == "ConditionalCheckFailedException":
                self.history.complete(number, "fail", why="condition")
                return "fail"
            # A table that is not there (yet, or any more), or a replica that takes no writes; of 5xx the outcome is unknown.
            outcome = "info" if error.status >= 500 else "fail"
            self.history.complete(number, outcome, why=f"{error.status} {error.name}", text=str(error)[:200])
            return "down"
        found = answer(reply)
        self.history.complete(number, "ok", **found)
        return found

    def old(self, reply):
        return {"old": state_of(reply.get("Attributes"))}

    def get(self, key):
        request = {"Key": {"id": {"S": key}}, "ConsistentRead": True}
        found = self.send("GetItem", "get", key, request, lambda reply: {"old": state_of(reply.get("Item"))})
        if isinstance(found, dict):
            self.seen[key] = found["old"] and found["old"]["w"]
        return found

    def delete(self, key):
        request = {"Key": {"id": {"S": key}}, "ReturnValues": "ALL_OLD"}
        return self.send("DeleteItem", "delete", key, request, self.old, self.token())

    def update(self, function, key, sets, values, extra="", names=None, **more):
        """SET w and whatever else."""
        token = self.token()
        request = {
            "Key": {"id": {"S": key}},
            "UpdateExpression": f"SET w = :w{sets}{extra}",
            "ExpressionAttributeValues": {":w": {"S": token}, **values(token)},
            "ReturnValues": "ALL_OLD",
            **(names or {}),
        }
        return self.send("UpdateItem", function, key, request, self.old, token, **more)

    # --- the kinds ---

    def do_register(self):
        key, choice = self.key(), self.random.random()
        deletes = {"race": 0.35, "large": 0.05}.get(self.kind, 0.08)
        if choice < 0.25:
            return self.get(key)
        if choice < 0.25 + deletes:
            return self.delete(key)
        if choice < 0.75:
            return self.put(key, self.random.random())
        if choice < 0.88:
            return self.update("touch", key, ", u = :u", lambda token: {":u": {"S": token}})
        # Compare and set: on what this client saw last.
        if self.seen.get(key) is None and self.get(key) == "down":
            return "down"
        expected = self.seen.pop(key, None)
        if expected is None:
            return self.put(key, 0)
        return self.put(key, 1, expected)

    def put(self, key, choice, expected=None):
        token = self.token()
        if self.kind == "large":
            size = self.random.randrange(LARGE // 2, LARGE)
        else:
            size = self.load.get("size") or self.random.randrange(30, 400)
        item = {"id": {"S": key}, "w": {"S": token}, "v": {"S": filler(token, size)}}
        request = {"Item": item, "ReturnValues": "ALL_OLD"}
        new = {"w": token, "v": [token, len(item["v"]["S"])]}
        if expected is not None:
            request |= {"ConditionExpression": "w = :e", "ExpressionAttributeValues": {":e": {"S": expected}}}
            return self.send("PutItem", "cas", key, request, self.old, token, new=new, expected=expected)
        if choice < 0.15:
            request["ConditionExpression"] = "attribute_not_exists(id)"
            return self.send("PutItem", "insert", key, request, self.old, token, new=new)
        return self.send("PutItem", "put", key, request, self.old, token, new=new)

    def do_counter(self):
        key = self.key()
        if self.random.random() < 0.2:
            return self.get(key)
        return self.update("add", key, "", lambda token: {":one": {"N": "1"}}, " ADD n :one")

    def do_set(self):
        key, choice = self.key(), self.random.random()
        if choice < 0.2:
            return self.bounded(key, "tags")
        if choice < 0.35 and self.seen.get(key):
            tag = self.seen[key]
            return self.update("untag", key, "", lambda token: {":t": {"SS": [tag]}}, " DELETE tags :t", tag=tag)
        return self.update("tag", key, "", lambda token: {":t": {"SS": [token]}}, " ADD tags :t")

    def do_append(self):
        key = self.key()
        if self.random.random() < 0.2:
            return self.bounded(key, "l")
        # `l` is no reserved word; `:n` stands for the list that is not there yet.
        return self.update(
            "append", key, ", l = list_append(if_not_exists(l, :n), :l)", lambda token: {":l": {"L": [{"S": token}]}, ":n": {"L": []}}
        )

    def bounded(self, key, member):
        """Read; what has grown large enough is deleted."""
        found = self.get(key)
        if isinstance(found, dict) and len((found["old"] or {}).get(member, [])) > LIST_MAX:
            return self.delete(key)
        return found

    def do_causal(self):
        """Read x, then write y; or read y, then x: who saw the effect must see the cause."""
        pair = self.random.randrange(self.load["keys"])
        x, y = f"causal.s.x{pair}", f"causal.s.y{pair}"
        if self.random.random() < 0.5:
            first = self.get(x) if self.random.random() < 0.5 else self.put(x, 1)
            return first if first == "down" else self.put(y, 1)
        first = self.get(y)
        return first if first == "down" else self.get(x)

    def life(self):
        """When an item's time is over, and that on the history's clock: it is over once the second has passed."""
        choice = self.random.random()
        if choice < 0.1:
            return None, None
        now = time.time()
        # Over in a moment; so long over that every region deletes it at once; or not in this run.
        x = int(now) + (self.random.randrange(0, 6) if choice < 0.65 else -700 if choice < 0.8 else 7200)
        return x, time.monotonic_ns() + int((x + 1 - now) * 1e9)

    def do_ttl(self):
        """No client deletes here: what is gone has expired, or has lost to a delete of what had."""
        key, choice = f"ttl.s.{self.random.randrange(self.load['keys'])}", self.random.random()
        if choice < 0.4:
            return self.get(key)
        x, over = self.life()
        if choice < 0.65 and x is not None:
            return self.update("prolong", key, ", x = :x", lambda token: {":x": {"N": str(x)}}, x=x, over=over)
        token = self.token()
        item, new = {"id": {"S": key}, "w": {"S": token}}, {"w": token}
        if x is not None:
            item["x"], new["x"] = {"N": str(x)}, x
        return self.send("PutItem", "put", key, {"Item": item, "ReturnValues": "ALL_OLD"}, self.old, token, new=new, x=x, over=over)

    def do_bank(self):
        """Amounts go from one account of this region to another, in one transaction; everybody looks at all accounts of a region."""
        if self.random.random() < 0.4:
            return self.look(self.random.choice(self.load["regions"]))
        token, amount = self.token(), self.random.randrange(1, 100)
        source, target = (f"bank.{self.region}.{i}" for i in self.random.sample(range(self.load["keys"]), 2))
        actions = [
            {
                "Update": {
                    "TableName": self.table,
                    "Key": {"id": {"S": key}},
                    "UpdateExpression": "SET w = :w ADD n :n, m :one",
                    "ExpressionAttributeValues": {":w": {"S": token}, ":n": {"N": str(change)}, ":one": {"N": "1"}},
                }
            }
            for key, change in ((source, -amount), (target, amount))
        ]
        request = {"TransactItems": actions, "ClientRequestToken": token[-36:]}
        found = self.send("TransactWriteItems", "transfer", "*", request, lambda reply: {}, token, keys={source: -amount, target: amount})
        if isinstance(found, dict) and self.random.random() < 0.3:
            return self.send("TransactWriteItems", "repeat", "*", request, lambda reply: {}, keys={})
        return found

    def look(self, owner):
        keys = [f"bank.{owner}.{i}" for i in range(self.load["keys"])]
        request = {"TransactItems": [{"Get": {"TableName": self.table, "Key": {"id": {"S": key}}}} for key in keys]}

        def accounts(reply):
            states = [state_of(one.get("Item")) or {} for one in reply["Responses"]]
            return {"accounts": {key: [state.get("n", 0), state.get("m", 0)] for key, state in zip(keys, states)}}

        return self.send("TransactGetItems", "look", "*", request, accounts, keys={"owner": owner})

    def do_batch(self):
        """Keys that are written once: all of them must be there at the end."""
        keys = {f"batch.{self.region}.{token}": token for token in (self.token() for _ in range(8))}
        requests = [
            {"PutRequest": {"Item": {"id": {"S": key}, "w": {"S": token}, "v": {"S": filler(token, 100)}}}} for key, token in keys.items()
        ]
        return self.send(
            "BatchWriteItem", "batch", "*", {"RequestItems": {self.table: requests}},
            lambda reply: {"left": [one["PutRequest"]["Item"]["id"]["S"] for one in reply.get("UnprocessedItems", {}).get(self.table, [])]},
            keys=keys,
        )  # fmt: skip


def main():
    options = json.loads(sys.argv[1])
    history, gate, clients = History(options["out"]), Gate(), []
    for load in options["loads"]:
        n, keys, rate = DEFAULTS[load["kind"]]
        load = {"clients": n, "keys": keys, "rate": rate, "scope": "both", **load}
        for i in range(load["clients"]):
            clients.append(Client(f"{options['region']}.{load['kind']}{load['at']}-{i}", options, load, history, gate))
    for client in clients:
        client.start()
    for line in sys.stdin:
        gate.set(line.strip() != "quiet")
        print("ok", flush=True)
    gate.set(False, ended=True)
    for client in clients:
        client.join(2 * TIMEOUT)


if __name__ == "__main__":
    main()
