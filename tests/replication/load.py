"""Clients that write overlapping keys in one region and remember every answer; and what must hold of all their answers.

Run as a program, one per region, so that the regions' clients do not share one interpreter:

    python load.py PORT '{"writer": "us", "clients": 8, "writes": 1000, "keys": 500, "seed": 1, "table": "t", "out": "FILE"}'

Every write sets a token of its own and asks for the old image (ReturnValues ALL_OLD), so each answer names the write that it
replaced. An acknowledged write is therefore accounted for when its token is in the final item, or was replaced by a write that
had seen it, or lost a conflict. Deletes have no token to lose; what they replaced counts.
"""

import collections
import http.client
import json
import os
import random
import subprocess
import sys
import threading
import time

from dynamo import Dynamo, DynamoError

HERE = os.path.dirname(os.path.abspath(__file__))


class Writer(threading.Thread):
    def __init__(self, port, options, number, record):
        super().__init__()
        self.options, self.number, self.record = options, number, record
        self.random = random.Random(f"{options['seed']} {options['writer']} {number}")
        self.client = Dynamo(port, timeout=20)
        self.deadline = time.monotonic() + options.get("seconds", 3600)

    def run(self):
        done = 0
        while done < self.options["writes"] and time.monotonic() < self.deadline:
            token = f"{self.options['writer']}.{self.number}.{done}"
            key = f"k{self.random.randrange(self.options['keys'])}"
            kind, operation, request = self.next_request(key, token)
            outcome, old = self.send(operation, request)
            if outcome == "down":
                time.sleep(0.02)  # nobody listens: nothing was sent, the same write again
                continue
            self.record(key, token, kind, outcome, old)
            done += 1
        self.client.close()

    def next_request(self, key, token):
        padding = "x" * self.random.randrange(300)
        request = {"TableName": self.options["table"], "ReturnValues": "ALL_OLD"}
        choice = self.random.random()
        if choice < 0.10:
            request["Key"] = {"id": {"S": key}}
            return "delete", "DeleteItem", request
        if choice < 0.25:
            request["Key"] = {"id": {"S": key}}
            request["UpdateExpression"] = "SET #t = :t, padding = :p ADD n :one"
            request["ExpressionAttributeNames"] = {"#t": "token"}
            request["ExpressionAttributeValues"] = {":t": {"S": token}, ":p": {"S": padding}, ":one": {"N": "1"}}
            return "write", "UpdateItem", request
        request["Item"] = {"id": {"S": key}, "token": {"S": token}, "padding": {"S": padding}}
        if choice < 0.30:
            request["ConditionExpression"] = "attribute_not_exists(id)"
        return "write", "PutItem", request

    def send(self, operation, request):
        try:
            answer = json.loads(self.client.raw(operation, json.dumps(request)))
        except ConnectionRefusedError:
            return "down", None
        except (OSError, http.client.HTTPException):
            return "unknown", None
        except DynamoError as error:
            if error.name == "ConditionalCheckFailedException":
                return "refused", None
            if error.status < 500:
                raise
            return "unknown", None
        return "acked", answer.get("Attributes", {}).get("token", {}).get("S")


def main():
    port, options = int(sys.argv[1]), json.loads(sys.argv[2])
    lock = threading.Lock()
    with open(options["out"], "w") as out:

        def record(*fields):
            with lock:
                out.write(json.dumps(fields) + "\n")

        writers = [Writer(port, options, i, record) for i in range(options["clients"])]
        for writer in writers:
            writer.start()
        for writer in writers:
            writer.join()


class Load:
    """The clients of every region, running beside the test."""

    def __init__(self, cluster, table, writes, keys, seed, clients=8, seconds=600, regions=None):
        self.outs, self.processes = [], []
        for region in regions or cluster:
            out = cluster.folder / f"load-{region.name}-{table}-{seed}.jsonl"
            options = {
                "writer": region.name, "clients": clients, "writes": writes // (len(cluster) * clients),
                "keys": keys, "seed": seed, "table": table, "out": str(out), "seconds": seconds,
            }
            self.outs.append(out)
            self.processes.append(
                subprocess.Popen([sys.executable, os.path.join(HERE, "load.py"), str(region.port), json.dumps(options)])
            )

    def running(self):
        return any(process.poll() is None for process in self.processes)

    def wait(self):
        for process in self.processes:
            assert process.wait() == 0, "a client met an answer that it should not have got"
        return self.records()

    def records(self):
        found = []
        for out in self.outs:
            with open(out) as lines:
                found += [json.loads(line) for line in lines]
        return found

    def kill(self):
        for process in self.processes:
            if process.poll() is None:
                process.kill()
                process.wait()


def account(records, items, conflicts):
    """Every acknowledged write is the final one, replaced by one that had seen it, or in the conflict log."""
    final = {item["id"]["S"]: item["token"]["S"] for item in items}
    attempted = {token for _, token, kind, _, _ in records if kind == "write"}
    replaced = {old for _, _, _, _, old in records if old is not None}
    lost = loser_tokens(conflicts)
    unknown = collections.Counter(key for key, _, _, outcome, _ in records if outcome == "unknown")
    refused = {token for _, token, _, outcome, _ in records if outcome == "refused"}
    keys = {key for key, *_ in records}
    deleted = {key for key, _, kind, outcome, _ in records if kind == "delete" and outcome in ("acked", "unknown")}

    assert set(final) <= keys, f"items that nobody wrote: {sorted(set(final) - keys)[:5]}"
    strangers = (set(final.values()) | replaced | lost) - attempted
    assert not strangers, f"values that nobody wrote: {sorted(strangers)[:5]}"
    impossible = (set(final.values()) | replaced | lost) & refused
    assert not impossible, f"writes that were refused and yet happened: {sorted(impossible)[:5]}"

    missing = collections.defaultdict(list)
    for key, token, kind, outcome, _ in records:
        if kind != "write" or outcome != "acked":
            continue
        if final.get(key) != token and token not in replaced and token not in lost:
            missing[key].append(token)
    # A write whose answer never came may have replaced one, and told nobody: at most one each.
    bad = {key: tokens for key, tokens in missing.items() if len(tokens) > unknown[key]}
    assert not bad, f"acknowledged writes that are nowhere: {dict(list(bad.items())[:5])}"
    gone = {key for key, _, kind, outcome, _ in records if kind == "write" and outcome == "acked"} - set(final) - deleted
    assert not gone, f"items that vanished though nobody deleted them: {sorted(gone)[:5]}"


def loser_tokens(conflicts):
    """The tokens of the images that lost; a delete that lost has none."""
    tokens = set()
    for entry in conflicts:
        image = entry.get("Loser", {}).get("M")
        if image is not None:
            tokens.add(image["token"]["S"])
    return tokens


if __name__ == "__main__":
    main()
