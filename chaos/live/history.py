"""What the clients of all regions recorded, as operations."""

import dataclasses
import json
import math


@dataclasses.dataclass(eq=False)
class Op:
    client: str
    region: str
    f: str
    key: str  # TABLE/KEY
    token: str | None  # of a write or a delete
    call: int
    end: float = math.inf
    outcome: str = "info"
    why: str = ""
    old: dict | None = None  # the item that it saw, of an `ok`
    new: dict | None = None  # what it made, where that does not depend on what it saw
    expected: str | None = None
    tag: str | None = None
    keys: dict | None = None  # of a batch: key -> token
    x: int | None = None  # the item's time, in seconds since 1970
    over: int | None = None  # when that is past, on the clock of the history
    accounts: dict | None = None  # of a look at a bank: key -> [balance, moves]
    left: tuple = ()
    text: str = ""

    @property
    def writes(self):
        return self.f != "get" and not self.of_many

    @property
    def of_many(self):
        """Of several items at once: checked by rules of its own."""
        return self.f in ("batch", "transfer", "repeat", "look")

    @property
    def saw(self):
        """The token that it saw; None: no item."""
        return self.old and self.old["w"]

    def __str__(self):
        what = {"get": "read", "delete": "deleted"}.get(self.f, self.f)
        saw = "" if self.outcome != "ok" else f" saw {self.saw}"
        return f"{self.client} {what} {self.key}{' ' + self.token if self.token else ''}{saw} ({self.outcome} {self.why})".replace(" )", ")")


def load(paths):
    """All operations, by the time they were invoked. A line cut off by the end of its client is not there."""
    ops = []
    for path in paths:
        open_ops = {}
        with open(path) as lines:
            for text in lines:
                try:
                    line = json.loads(text)
                except ValueError:
                    continue
                if "o" in line:
                    op = open_ops.pop(line["i"], None)
                    if op is None:
                        raise ValueError(f"{path}: operation {line['i']} ends without having begun")
                    op.outcome, op.why, op.text = line["o"], line.get("why", ""), line.get("text", "")
                    op.old, op.left = line.get("old"), tuple(line.get("left", ()))
                    op.accounts = line.get("accounts")
                    if op.outcome != "info":
                        op.end = line["t"]
                    continue
                client = line["c"]
                op = Op(client, client.split(".")[0], line["f"], line["k"], line.get("w"), line["t"], new=line.get("new"))
                op.expected, op.tag, op.keys = line.get("expected"), line.get("tag"), line.get("keys")
                op.x, op.over = line.get("x"), line.get("over")
                open_ops[line["i"]] = op
                ops.append(op)
    ops.sort(key=lambda op: op.call)
    return ops


def made(op, old):
    """The item that `op` makes of `old`: what every request of the workloads means."""
    if op.f == "delete":
        return None
    if op.new is not None:
        return op.new
    state = {**(old or {}), "w": op.token}
    if op.f == "touch":
        state["u"] = op.token
    elif op.f == "prolong":
        state["x"] = op.x
    elif op.f == "add":
        state["n"] = state.get("n", 0) + 1
    elif op.f == "append":
        state["l"] = [*state.get("l", []), op.token]
    elif op.f in ("tag", "untag"):
        tags = set(state.pop("tags", []))
        tags = tags | {op.token} if op.f == "tag" else tags - {op.tag}
        if tags:
            state["tags"] = sorted(tags)
    else:
        raise ValueError(f"no such operation: {op.f}")
    return state
