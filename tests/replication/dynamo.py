"""The smallest DynamoDB client: keep-alive, raw bodies. boto3 would spend more time than the regions under test."""

import http.client
import json


class DynamoError(Exception):
    """What DynamoDB's API answered instead of 200."""

    def __init__(self, status, body):
        try:
            answer = json.loads(body)
        except ValueError:
            answer = {}
        self.status = status
        self.name = answer.get("__type", "").rpartition("#")[2]
        super().__init__(f"{status} {self.name}: {answer.get('message', body[:200])}")


class Dynamo:
    """One connection to one region; one thread at a time."""

    AUTHORIZATION = (
        "AWS4-HMAC-SHA256 Credential=tidemark/20260101/{}/dynamodb/aws4_request, "
        "SignedHeaders=host;x-amz-date;x-amz-target, Signature=" + "0" * 64
    )

    def __init__(self, port, timeout=30, region="us-east-1"):
        self.port = port
        self.authorization = self.AUTHORIZATION.format(region)
        self.timeout = timeout
        self.connection = None

    def raw(self, operation, body):
        """The answer's bytes. OSError and http.client.HTTPException: the outcome is unknown."""
        if self.connection is None:
            self.connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=self.timeout)
        try:
            self.connection.request(
                "POST",
                "/",
                body,
                {
                    "X-Amz-Target": "DynamoDB_20120810." + operation,
                    "Content-Type": "application/x-amz-json-1.0",
                    "X-Amz-Date": "20260101T000000Z",
                    "Authorization": self.authorization,
                },
            )
            answer = self.connection.getresponse()
            text = answer.read()
        except (OSError, http.client.HTTPException):
            self.close()
            raise
        if answer.status != 200:
            raise DynamoError(answer.status, text)
        return text

    def call(self, operation, **parameters):
        return json.loads(self.raw(operation, json.dumps(parameters)))

    def scan_raw(self, table):
        """Every page's bytes, in order."""
        pages = []
        start = None
        while True:
            request = {"TableName": table, "ConsistentRead": True}
            if start is not None:
                request["ExclusiveStartKey"] = start
            page = self.raw("Scan", json.dumps(request))
            pages.append(page)
            start = json.loads(page).get("LastEvaluatedKey")
            if start is None:
                return pages

    def scan(self, table):
        return [item for page in self.scan_raw(table) for item in json.loads(page)["Items"]]

    def close(self):
        if self.connection is not None:
            self.connection.close()
            self.connection = None
