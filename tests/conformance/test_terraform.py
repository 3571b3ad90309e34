"""Terraform with the AWS provider, unchanged: tables with indexes, time to live, streams, tags and replicas, items, autoscaling; made, read,
changed and destroyed through `endpoints` alone. After every apply a plan must find nothing to change."""

import http.client
import http.server
import json
import os
import pathlib
import re
import shutil
import subprocess
import threading
import time
import uuid

import pytest

from conftest import Cluster, Region, program

# Where administrators keep providers for machines without access to Terraform's registry.
MIRRORS = ["~/.terraform.d/plugins", "/usr/local/share/terraform/plugins", "/usr/share/terraform/plugins", "/opt/*"]
RUN = uuid.uuid4().hex[:8]


def mirror():
    for pattern in MIRRORS:
        path = pathlib.Path(pattern).expanduser()
        for folder in path.parent.glob(path.name):
            if list(folder.glob("registry.terraform.io/hashicorp/aws/*/*/terraform-provider-aws*")):
                return folder
    return None


class Reachable(Region):
    """A region that sends requests for its peers' regions on to them."""

    def configure(self):
        path = super().configure()
        text = path.read_text()
        for peer in self.peers:
            text = text.replace(f'region = "{peer.name}"; ', f'region = "{peer.name}"; api = "{peer.url}"; ')
        path.write_text(text)
        return path


class Front(http.server.BaseHTTPRequestHandler):
    """Hands everything on to a region as it came. Backups are another matter: where a region does not have them yet, its tables read as
    tables without them, which is all that the provider wants to know."""

    protocol_version = "HTTP/1.1"
    wbufsize = -1
    region = None
    seen = []

    def do_POST(self):
        body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        onward = http.client.HTTPConnection("127.0.0.1", self.region.http_port, timeout=60)
        onward.request("POST", self.path, body, {k: v for k, v in self.headers.items() if k.lower() not in ("accept-encoding", "connection")})
        reply = onward.getresponse()
        status, answer = reply.status, reply.read()
        onward.close()
        operation = self.headers.get("X-Amz-Target", "").split(".")[-1]
        if b"ContinuousBackups is not supported" in answer:
            off = {"ContinuousBackupsStatus": "ENABLED", "PointInTimeRecoveryDescription": {"PointInTimeRecoveryStatus": "DISABLED"}}
            status, answer = 200, json.dumps({"ContinuousBackupsDescription": off}).encode()
        self.seen.append((operation, status, answer))
        self.send_response(status)
        for name, value in reply.getheaders():
            if name.lower() in ("content-type", "x-amzn-requestid"):
                self.send_header(name, value)
        self.send_header("Content-Length", str(len(answer)))
        self.end_headers()
        self.wfile.write(answer)

    def log_message(self, *_):
        pass


@pytest.fixture(scope="module")
def regions(tmp_path_factory):
    try:
        program("tidemark-replicator")
    except FileNotFoundError as e:
        pytest.skip(str(e))
    folder = tmp_path_factory.mktemp("terraform-regions")
    cluster = Cluster(folder, [])
    cluster += [Reachable(folder / name, name, n + 1) for n, name in enumerate(("us-east-1", "eu-west-1"))]
    for region in cluster:
        region.peers = [p for p in cluster if p is not region]
    try:
        yield cluster.start()
    finally:
        cluster.stop()


@pytest.fixture(scope="module")
def front(regions):
    handler = type("ToFirst", (Front,), {"region": regions[0], "seen": []})
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler)
    server.daemon_threads = True
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}", handler.seen
    server.shutdown()
    server.server_close()


class Terraform:
    """Commands in one folder."""

    def __init__(self, folder, url):
        self.folder = folder
        (folder / "cli.tfrc").write_text(f'provider_installation {{\n  filesystem_mirror {{\n    path = "{mirror()}"\n  }}\n}}\ndisable_checkpoint = true\n')
        self.environment = {k: v for k, v in os.environ.items() if not k.startswith(("AWS_", "TF_"))}
        self.environment |= {"TF_CLI_CONFIG_FILE": str(folder / "cli.tfrc"), "TF_IN_AUTOMATION": "1", "HOME": str(folder)}
        # Every command starts the provider up to three times, which takes most of the time, half of it for collecting garbage.
        self.environment["GOGC"] = "800"
        (folder / "provider.tf").write_text(PROVIDER.replace("URL", url))

    def __call__(self, *arguments, ok=(0,)):
        started = time.monotonic()
        done = subprocess.run(["terraform", *arguments, "-no-color"], cwd=self.folder, env=self.environment, capture_output=True, text=True, timeout=300)
        print(arguments, round(time.monotonic() - started, 1), "s", *re.findall(r"\S+: \w+ complete after \w+", done.stdout))
        assert done.returncode in ok, done.stdout[-6000:] + done.stderr[-6000:]
        return done

    def apply(self, text):
        """What is applied is read back as it was asked for: a second plan is empty. How many resources were added, changed, destroyed."""
        (self.folder / "main.tf").write_text(text.replace("RUN", RUN))
        done = self("apply", "-auto-approve", "-input=false")
        again = self("plan", "-detailed-exitcode", "-input=false", ok=(0, 2))
        assert again.returncode == 0, "the plan does not settle:\n" + again.stdout[-6000:]
        return re.search(r"Resources: (\d+) added, (\d+) changed, (\d+) destroyed", done.stdout).groups()

    def state(self):
        """Address without its index -> attributes, as the last apply has left them."""
        resources = json.loads((self.folder / "terraform.tfstate").read_text())["resources"]
        return {f"{'data.' if r['mode'] == 'data' else ''}{r['type']}.{r['name']}": r["instances"][0]["attributes"] for r in resources}


PROVIDER = """
terraform {
  required_providers { aws = { source = "hashicorp/aws" } }
}
provider "aws" {
  region     = "us-east-1"
  access_key = "test"
  secret_key = "test"
  skip_metadata_api_check = true
  endpoints {
    dynamodb       = "URL"
    kms            = "URL"
    sts            = "URL"
    appautoscaling = "URL"
  }
}
"""


@pytest.fixture(scope="module")
def terraform(front, tmp_path_factory):
    if not shutil.which("terraform"):
        pytest.skip("no terraform")
    if mirror() is None:
        pytest.skip(f"no AWS provider for Terraform in any of {MIRRORS}")
    terraform = Terraform(tmp_path_factory.mktemp("terraform"), front[0])
    terraform("init", "-input=false")
    return terraform


# The example of the provider's documentation, with a local index and autoscaling of writes beside it.
SCORES = """
resource "aws_dynamodb_table" "scores" {
  name           = "GameScores-RUN"
  billing_mode   = "PROVISIONED"
  read_capacity  = 20
  write_capacity = 20
  hash_key       = "UserId"
  range_key      = "GameTitle"
  attribute {
    name = "UserId"
    type = "S"
  }
  attribute {
    name = "GameTitle"
    type = "S"
  }
  attribute {
    name = "TopScore"
    type = "N"
  }
  ttl {
    attribute_name = "TimeToExist"
    enabled        = true
  }
  global_secondary_index {
    name               = "GameTitleIndex"
    hash_key           = "GameTitle"
    range_key          = "TopScore"
    write_capacity     = 10
    read_capacity      = 10
    projection_type    = "INCLUDE"
    non_key_attributes = ["UserName"]
  }
  local_secondary_index {
    name            = "TopScoreLocal"
    range_key       = "TopScore"
    projection_type = "KEYS_ONLY"
  }
  tags = {
    Name        = "dynamodb-table-1"
    Environment = "production"
  }
  lifecycle {
    ignore_changes = [write_capacity]
  }
}
resource "aws_dynamodb_table_item" "score" {
  table_name = aws_dynamodb_table.scores.name
  hash_key   = aws_dynamodb_table.scores.hash_key
  range_key  = aws_dynamodb_table.scores.range_key
  item = jsonencode({ UserId = { S = "u1" }, GameTitle = { S = "chess" }, TopScore = { N = "12" }, Seen = { L = [{ BOOL = true }, { NULL = true }] } })
}
resource "aws_appautoscaling_target" "writes" {
  min_capacity       = 20
  max_capacity       = 100
  resource_id        = "table/${aws_dynamodb_table.scores.name}"
  scalable_dimension = "dynamodb:table:WriteCapacityUnits"
  service_namespace  = "dynamodb"
}
resource "aws_appautoscaling_policy" "writes" {
  name               = "DynamoDBWriteCapacityUtilization:${aws_appautoscaling_target.writes.resource_id}"
  policy_type        = "TargetTrackingScaling"
  resource_id        = aws_appautoscaling_target.writes.resource_id
  scalable_dimension = aws_appautoscaling_target.writes.scalable_dimension
  service_namespace  = aws_appautoscaling_target.writes.service_namespace
  target_tracking_scaling_policy_configuration {
    predefined_metric_specification {
      predefined_metric_type = "DynamoDBWriteCapacityUtilization"
    }
    target_value = 70
  }
}
"""

# A global table, on demand, protected, with the stream and the encryption that are asked for.
CARTS = """
resource "aws_dynamodb_table" "carts" {
  name             = "Carts-RUN"
  billing_mode     = "PAY_PER_REQUEST"
  hash_key         = "id"
  stream_enabled   = true
  stream_view_type = "NEW_AND_OLD_IMAGES"
  table_class      = "STANDARD"
  attribute {
    name = "id"
    type = "S"
  }
  server_side_encryption {
    enabled = true
  }
  replica {
    region_name    = "eu-west-1"
    propagate_tags = true
  }
  tags = { team = "shop" }
}
data "aws_dynamodb_table" "carts" {
  name = aws_dynamodb_table.carts.name
}
"""


def changed(text, *pairs):
    for old, new in pairs:
        assert old in text
        text = text.replace(old, new)
    return text


# An index more, another less, the class, capacity, tags, time to live off, the item another; of the carts the replica gone (the stream stays: AWS
# refuses to end both at once).
CHANGED = (
    changed(
        SCORES,
        ("GameTitleIndex", "ByTitle"),
        ("read_capacity  = 20", 'read_capacity  = 25\n  table_class    = "STANDARD_INFREQUENT_ACCESS"\n  deletion_protection_enabled = false'),
        ("enabled        = true", "enabled        = false"),
        ('Environment = "production"', 'Stage = "test"'),
        ('{ N = "12" }', '{ N = "13" }'),
        ("target_value = 70", "target_value = 55.5"),
        ("max_capacity       = 100", "max_capacity       = 200"),
    )
    + changed(
        CARTS,
        ('  replica {\n    region_name    = "eu-west-1"\n    propagate_tags = true\n  }\n', ""),
        ('team = "shop"', 'team = "cart"'),
    )
)


def test_tables_from_the_first_apply_to_destroy(terraform, front, regions):
    here, there = (r.client() for r in regions)
    scores, carts = f"GameScores-{RUN}", f"Carts-{RUN}"

    assert terraform.apply(SCORES + CARTS) == ("5", "0", "0")
    table = here.describe_table(TableName=scores)["Table"]
    assert [(i["IndexName"], i["IndexStatus"], i["ProvisionedThroughput"]["ReadCapacityUnits"]) for i in table["GlobalSecondaryIndexes"]] == [("GameTitleIndex", "ACTIVE", 10)]
    assert [i["IndexName"] for i in table["LocalSecondaryIndexes"]] == ["TopScoreLocal"]
    assert here.describe_time_to_live(TableName=scores)["TimeToLiveDescription"] == {"TimeToLiveStatus": "ENABLED", "AttributeName": "TimeToExist"}
    found = here.query(
        TableName=scores, IndexName="GameTitleIndex", KeyConditionExpression="GameTitle = :t", ExpressionAttributeValues={":t": {"S": "chess"}}
    )
    assert found["Items"] == [{"UserId": {"S": "u1"}, "GameTitle": {"S": "chess"}, "TopScore": {"N": "12"}}]
    assert [r["RegionName"] for r in here.describe_table(TableName=carts)["Table"]["Replicas"]] == ["eu-west-1"]
    copy = there.describe_table(TableName=carts)["Table"]
    assert there.list_tags_of_resource(ResourceArn=copy["TableArn"])["Tags"] == [{"Key": "team", "Value": "shop"}]
    state = terraform.state()
    assert state["data.aws_dynamodb_table.carts"]["replica"][0]["region_name"] == "eu-west-1"
    assert state["aws_dynamodb_table.carts"]["stream_arn"].startswith(f"arn:aws:dynamodb:us-east-1:000000000000:table/{carts}/stream/")
    assert state["aws_dynamodb_table.scores"]["arn"] == f"arn:aws:dynamodb:us-east-1:000000000000:table/{scores}"

    assert terraform.apply(CHANGED) == ("0", "5", "0")
    table = here.describe_table(TableName=scores)["Table"]
    assert [i["IndexName"] for i in table["GlobalSecondaryIndexes"]] == ["ByTitle"]
    assert table["ProvisionedThroughput"]["ReadCapacityUnits"] == 25
    assert table["TableClassSummary"]["TableClass"] == "STANDARD_INFREQUENT_ACCESS"
    assert here.describe_time_to_live(TableName=scores)["TimeToLiveDescription"]["TimeToLiveStatus"] == "DISABLED"
    tags = here.list_tags_of_resource(ResourceArn=table["TableArn"])["Tags"]
    assert sorted((t["Key"], t["Value"]) for t in tags) == [("Name", "dynamodb-table-1"), ("Stage", "test")]
    found = here.query(TableName=scores, IndexName="ByTitle", KeyConditionExpression="GameTitle = :t", ExpressionAttributeValues={":t": {"S": "chess"}})
    assert [i["TopScore"]["N"] for i in found["Items"]] == ["13"]
    assert "Replicas" not in here.describe_table(TableName=carts)["Table"]

    terraform("destroy", "-auto-approve", "-input=false")
    for client in (here, there):
        assert not {scores, carts} & set(client.list_tables()["TableNames"])
    # What fails here fails at AWS too: a table that is not there any more, one that is still being changed.
    assert [s for s in front[1] if s[1] >= 500] == []


# A replica as a resource of its own, made through a provider for its region at the same URL; a policy, a tag, on-demand maximums.
MEMBERS = """
resource "aws_dynamodb_table" "orders" {
  name             = "Orders-RUN"
  billing_mode     = "PAY_PER_REQUEST"
  hash_key         = "id"
  stream_enabled   = true
  stream_view_type = "NEW_AND_OLD_IMAGES"
  attribute {
    name = "id"
    type = "S"
  }
  attribute {
    name = "day"
    type = "S"
  }
  global_secondary_index {
    name            = "byDay"
    hash_key        = "day"
    projection_type = "ALL"
    on_demand_throughput {
      max_read_request_units  = 50
      max_write_request_units = 60
    }
  }
  on_demand_throughput {
    max_read_request_units  = 100
    max_write_request_units = 100
  }
  lifecycle {
    ignore_changes = [replica, tags, tags_all]
  }
}
resource "aws_dynamodb_table_replica" "orders" {
  provider         = aws.eu
  global_table_arn = aws_dynamodb_table.orders.arn
  tags             = { Pozo = "Amargo" }
}
resource "aws_dynamodb_tag" "orders" {
  resource_arn = aws_dynamodb_table.orders.arn
  key          = "team"
  value        = "shop"
}
resource "aws_dynamodb_resource_policy" "orders" {
  resource_arn = aws_dynamodb_table.orders.arn
  policy = jsonencode({
    Version   = "2012-10-17"
    Statement = [{ Effect = "Allow", Principal = { AWS = "arn:aws:iam::000000000000:root" }, Action = "dynamodb:GetItem", Resource = aws_dynamodb_table.orders.arn }]
  })
}
"""


@pytest.mark.skipif(not os.environ.get("TIDEMARK_LONG"), reason="TIDEMARK_LONG is not set: a second provider takes another minute")
def test_replicas_and_policies_as_resources(terraform, regions):
    here, there = (r.client() for r in regions)
    orders = f"Orders-{RUN}"
    alias = (terraform.folder / "provider.tf").read_text().split("provider", 2)[2]
    text = MEMBERS + "provider" + alias.replace('"us-east-1"', '"eu-west-1"').replace('"aws" {', '"aws" {\n  alias = "eu"')
    assert terraform.apply(text) == ("4", "0", "0")
    assert [r["RegionName"] for r in here.describe_table(TableName=orders)["Table"]["Replicas"]] == ["eu-west-1"]
    copy = there.describe_table(TableName=orders)["Table"]
    assert there.list_tags_of_resource(ResourceArn=copy["TableArn"])["Tags"] == [{"Key": "Pozo", "Value": "Amargo"}]
    assert copy["GlobalSecondaryIndexes"][0]["OnDemandThroughput"] == {"MaxReadRequestUnits": 50, "MaxWriteRequestUnits": 60}
    # The replica goes first; the table, which remembers it, is told that it is gone.
    terraform("destroy", "-auto-approve", "-input=false")
    assert all(orders not in client.list_tables()["TableNames"] for client in (here, there))
