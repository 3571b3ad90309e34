"""Transactions out of generate.py's requests for single items: what those have of faults and limits, transactions have too."""

import copy

from generate import Generator

ACTIONS = {"PutItem": "Put", "UpdateItem": "Update", "DeleteItem": "Delete"}
KEPT = {
    "Put": ("TableName", "Item", "ConditionExpression", "ExpressionAttributeNames", "ExpressionAttributeValues", "ReturnValuesOnConditionCheckFailure"),
    "Get": ("TableName", "Key", "ProjectionExpression", "ExpressionAttributeNames"),
}
KEPT["Delete"] = ("TableName", "Key") + KEPT["Put"][2:]
KEPT["Update"] = ("UpdateExpression",) + KEPT["Delete"]


class TransactionGenerator(Generator):
    def single(self, *operations):
        """The next request of one of these operations, with expressions."""
        while True:
            operation, body = super().request()
            if operation in operations and isinstance(body, dict):
                return operation, body

    def kept(self, action, body):
        return {name: copy.deepcopy(body[name]) for name in KEPT[action] if name in body}

    def write(self):
        operation, body = self.single(*ACTIONS)
        action = self.kept(ACTIONS[operation], body)
        if operation == "UpdateItem" and "UpdateExpression" not in action:
            action["UpdateExpression"] = "SET s = :s"
            action["ExpressionAttributeValues"] = {":s": {"S": "a"}}
            for name in ("ConditionExpression", "ExpressionAttributeNames"):
                action.pop(name, None)
        if operation == "DeleteItem" and "ConditionExpression" in action and self.chance(60):
            return {"ConditionCheck": action}
        return {ACTIONS[operation]: action}

    def read(self):
        return {"Get": self.kept("Get", self.single("GetItem")[1])}

    def request(self):
        reads = self.chance(25)
        items = [self.read() if reads else self.write() for _ in range(self.one([1, 1, 2, 2, 3, 4]))]
        if self.fault(3):
            items.append(copy.deepcopy(self.one(items)))
        if self.fault(2):
            items.append(self.one([{}, {"Put": {}}, {"Get": {}}, {**items[0], "Delete": {"TableName": "hash", "Key": {"pk": {"S": "a"}}}}]))
        body = {"TransactItems": items}
        if self.chance(15):
            body["ReturnConsumedCapacity"] = self.one(["TOTAL", "INDEXES", "NONE"])
        if not reads and self.chance(15):
            body["ClientRequestToken"] = self.one(["t%d" % n for n in range(6)])
        return "TransactGetItems" if reads else "TransactWriteItems", body
