"""Application Auto Scaling on the same endpoint: what is registered, as boto3 and the AWS CLI see it."""

import json
import os
import pathlib
import subprocess
import sys

import pytest
from botocore.exceptions import ClientError
from conftest import wait_for

CLI = pathlib.Path(sys.executable).parent / "aws"
READ = "dynamodb:table:ReadCapacityUnits"
WRITE = "dynamodb:table:WriteCapacityUnits"


@pytest.fixture
def scaling(region):
    return region.client("application-autoscaling", parameter_validation=True)


@pytest.fixture
def table(region, request):
    name = "Scaled" + request.node.name.replace("[", "").replace("]", "")[:40]
    db = region.client()
    db.create_table(
        TableName=name,
        KeySchema=[{"AttributeName": "pk", "KeyType": "HASH"}],
        AttributeDefinitions=[{"AttributeName": "pk", "AttributeType": "S"}],
        ProvisionedThroughput={"ReadCapacityUnits": 5, "WriteCapacityUnits": 5},
    )
    db.get_waiter("table_exists").wait(TableName=name)
    yield name
    db.delete_table(TableName=name)


def named(table, dimension=READ):
    return {"ServiceNamespace": "dynamodb", "ResourceId": f"table/{table}", "ScalableDimension": dimension}


def code(call, **parameters):
    with pytest.raises(ClientError) as caught:
        call(**parameters)
    error = caught.value.response["Error"]
    return error["Code"], error["Message"]


def test_a_target_is_registered_described_changed_and_deregistered(scaling, table):
    arn = scaling.register_scalable_target(**named(table), MinCapacity=5, MaxCapacity=50, Tags={"a": "b"})["ScalableTargetARN"]
    assert ":application-autoscaling:" in arn and ":scalable-target/" in arn
    (target,) = scaling.describe_scalable_targets(ServiceNamespace="dynamodb", ResourceIds=[f"table/{table}"])["ScalableTargets"]
    assert (target["MinCapacity"], target["MaxCapacity"], target["ScalableDimension"]) == (5, 50, READ)
    assert target["RoleARN"].endswith("AWSServiceRoleForApplicationAutoScaling_DynamoDBTable")
    assert target["ScalableTargetARN"] == arn
    assert target["SuspendedState"] == {
        "DynamicScalingInSuspended": False,
        "DynamicScalingOutSuspended": False,
        "ScheduledScalingSuspended": False,
    }
    assert scaling.list_tags_for_resource(ResourceARN=arn)["Tags"] == {"a": "b"}
    scaling.tag_resource(ResourceARN=arn, Tags={"c": "d"})
    scaling.untag_resource(ResourceARN=arn, TagKeys=["a"])
    assert scaling.list_tags_for_resource(ResourceARN=arn)["Tags"] == {"c": "d"}
    # One bound alone may be changed; what is not said stays.
    assert scaling.register_scalable_target(**named(table), MaxCapacity=60)["ScalableTargetARN"] == arn
    (target,) = scaling.describe_scalable_targets(ServiceNamespace="dynamodb", ResourceIds=[f"table/{table}"])["ScalableTargets"]
    assert (target["MinCapacity"], target["MaxCapacity"]) == (5, 60)
    scaling.deregister_scalable_target(**named(table))
    assert scaling.describe_scalable_targets(ServiceNamespace="dynamodb", ResourceIds=[f"table/{table}"])["ScalableTargets"] == []
    assert code(scaling.deregister_scalable_target, **named(table)) == (
        "ObjectNotFoundException",
        f"No scalable target registered for service namespace: dynamodb, resource ID: table/{table}, scalable dimension: {READ}",
    )


def test_what_cannot_be_registered_is_refused(scaling, table):
    assert code(scaling.register_scalable_target, **named("no-such-table"), MinCapacity=1, MaxCapacity=2) == (
        "ValidationException",
        "DynamoDB table does not exist: table/no-such-table",
    )
    assert code(scaling.register_scalable_target, **named(table), MinCapacity=3, MaxCapacity=2)[0] == "ValidationException"
    assert code(scaling.register_scalable_target, **named(table), MinCapacity=3)[0] == "ValidationException"
    ecs = {"ServiceNamespace": "ecs", "ResourceId": "service/a/b", "ScalableDimension": "ecs:service:DesiredCount"}
    assert code(scaling.register_scalable_target, **ecs, MinCapacity=1, MaxCapacity=2)[0] == "ValidationException"
    assert code(scaling.register_scalable_target, **named(table, "dynamodb:index:ReadCapacityUnits"), MinCapacity=1, MaxCapacity=2)[0] == (
        "ValidationException"
    )
    assert code(scaling.list_tags_for_resource, ResourceARN="arn:aws:application-autoscaling:us-east-1:000000000000:scalable-target/x")[0] == (
        "ResourceNotFoundException"
    )


def tracking(value, metric="DynamoDBReadCapacityUtilization", **more):
    return {"TargetValue": value, "PredefinedMetricSpecification": {"PredefinedMetricType": metric}, **more}


def test_a_policy_belongs_to_a_target(scaling, table):
    policy = {"PolicyName": "reads", "PolicyType": "TargetTrackingScaling", "TargetTrackingScalingPolicyConfiguration": tracking(70.5)}
    assert code(scaling.put_scaling_policy, **named(table), **policy)[0] == "ObjectNotFoundException"
    scaling.register_scalable_target(**named(table), MinCapacity=5, MaxCapacity=50)
    arn = scaling.put_scaling_policy(**named(table), **policy)["PolicyARN"]
    assert arn.startswith("arn:aws:autoscaling:") and arn.endswith(f":resource/dynamodb/table/{table}:policyName/reads")
    (got,) = scaling.describe_scaling_policies(ServiceNamespace="dynamodb", ResourceId=f"table/{table}")["ScalingPolicies"]
    assert got["PolicyARN"] == arn and got["PolicyType"] == "TargetTrackingScaling" and got["Alarms"] == []
    assert got["TargetTrackingScalingPolicyConfiguration"] == tracking(70.5)
    again = dict(policy, TargetTrackingScalingPolicyConfiguration=tracking(50, ScaleInCooldown=60, ScaleOutCooldown=30, DisableScaleIn=True))
    assert scaling.put_scaling_policy(**named(table), **again)["PolicyARN"] == arn
    (got,) = scaling.describe_scaling_policies(ServiceNamespace="dynamodb", PolicyNames=["reads"], **{"ResourceId": f"table/{table}"})["ScalingPolicies"]
    assert got["TargetTrackingScalingPolicyConfiguration"] == tracking(50.0, ScaleInCooldown=60, ScaleOutCooldown=30, DisableScaleIn=True)
    other = dict(policy, PolicyName="other")
    assert code(scaling.put_scaling_policy, **named(table), **other) == (
        "ValidationException",
        "Only one TargetTrackingScaling policy for a given metric specification is allowed.",
    )
    for wrong in (tracking(95), tracking(70, "DynamoDBWriteCapacityUtilization"), {"TargetValue": 70.0}):
        refused = dict(policy, TargetTrackingScalingPolicyConfiguration=wrong)
        assert code(scaling.put_scaling_policy, **named(table), **refused)[0] == "ValidationException"
    scaling.delete_scaling_policy(**named(table), PolicyName="reads")
    assert code(scaling.delete_scaling_policy, **named(table), PolicyName="reads")[0] == "ObjectNotFoundException"
    scaling.deregister_scalable_target(**named(table))


def test_scheduled_actions_are_kept(scaling, table):
    scaling.register_scalable_target(**named(table), MinCapacity=5, MaxCapacity=50)
    action = {"ScheduledActionName": "night", "Schedule": "cron(0 22 ? * MON-FRI *)", "ScalableTargetAction": {"MinCapacity": 1, "MaxCapacity": 5}}
    scaling.put_scheduled_action(**named(table), **action)
    (got,) = scaling.describe_scheduled_actions(ServiceNamespace="dynamodb", ResourceId=f"table/{table}")["ScheduledActions"]
    assert {k: got[k] for k in action} == action
    assert got["ScheduledActionARN"].endswith(f":resource/dynamodb/table/{table}:scheduledActionName/night")
    for wrong in ("cron(0 22 * * MON-FRI *)", "rate(1 minutes)", "at(tomorrow)", "daily"):
        assert code(scaling.put_scheduled_action, **named(table), **dict(action, Schedule=wrong))[0] == "ValidationException"
    scaling.delete_scheduled_action(**named(table), ScheduledActionName="night")
    assert code(scaling.delete_scheduled_action, **named(table), ScheduledActionName="night")[0] == "ObjectNotFoundException"
    scaling.deregister_scalable_target(**named(table))


def test_descriptions_come_in_pages(scaling, table):
    for dimension in (READ, WRITE):
        scaling.register_scalable_target(**named(table, dimension), MinCapacity=5, MaxCapacity=50)
    pages = list(
        scaling.get_paginator("describe_scalable_targets").paginate(
            ServiceNamespace="dynamodb", ResourceIds=[f"table/{table}"], PaginationConfig={"PageSize": 1}
        )
    )
    assert [t["ScalableDimension"] for p in pages for t in p["ScalableTargets"]] == [READ, WRITE]
    assert code(scaling.describe_scalable_targets, ServiceNamespace="dynamodb", NextToken="nonsense")[0] == "InvalidNextTokenException"
    for dimension in (READ, WRITE):
        scaling.deregister_scalable_target(**named(table, dimension))


def test_capacity_is_brought_within_bounds_that_outlive_a_restart(fresh_region):
    """Auto scaling acts once a minute, the first time when a region starts."""
    region, table = fresh_region, "Scaled"
    scaling, db = region.client("application-autoscaling"), region.client()
    db.create_table(
        TableName=table,
        KeySchema=[{"AttributeName": "pk", "KeyType": "HASH"}],
        AttributeDefinitions=[{"AttributeName": "pk", "AttributeType": "S"}],
        ProvisionedThroughput={"ReadCapacityUnits": 5, "WriteCapacityUnits": 5},
    )
    scaling.register_scalable_target(**named(table), MinCapacity=7, MaxCapacity=50)
    region.stop()
    region.start()
    (target,) = scaling.describe_scalable_targets(ServiceNamespace="dynamodb")["ScalableTargets"]
    assert (target["MinCapacity"], target["MaxCapacity"]) == (7, 50)
    wait_for(lambda: db.describe_table(TableName=table)["Table"]["ProvisionedThroughput"]["ReadCapacityUnits"] == 7, "the minimum applied", 90)
    (activity,) = scaling.describe_scaling_activities(ServiceNamespace="dynamodb")["ScalingActivities"]
    assert (activity["StatusCode"], activity["ResourceId"]) == ("Successful", f"table/{table}")
    assert activity["Cause"] == "minimum capacity was set to 7"


def test_the_cli_registers_and_describes(region, table, scaling):
    environment = dict(
        {k: v for k, v in os.environ.items() if not k.startswith("AWS_")}, AWS_ACCESS_KEY_ID="test", AWS_SECRET_ACCESS_KEY="test", AWS_DEFAULT_REGION=region.name
    )

    def run(*arguments):
        done = subprocess.run(
            [str(CLI), "--endpoint-url", region.url, "application-autoscaling", *arguments], capture_output=True, text=True, env=environment, timeout=60
        )
        assert done.returncode == 0, done.stderr
        return json.loads(done.stdout) if done.stdout.strip() else None

    same = ["--service-namespace", "dynamodb"]
    named_by = ["--resource-id", f"table/{table}", "--scalable-dimension", WRITE]
    run("register-scalable-target", *same, *named_by, "--min-capacity", "5", "--max-capacity", "10")
    assert run("describe-scalable-targets", *same, "--resource-ids", f"table/{table}")["ScalableTargets"][0]["MaxCapacity"] == 10
    run("deregister-scalable-target", *same, *named_by)


def test_replica_auto_scaling_sets_the_targets_of_the_region_that_is_asked(cluster):
    """Of a table in two regions: the one that is asked has its targets changed, the other one is to be asked itself."""
    one, two = cluster[0], cluster[1]
    db, other = one.client(), two.client()
    db.create_table(
        TableName="ScaledReplicas",
        KeySchema=[{"AttributeName": "pk", "KeyType": "HASH"}],
        AttributeDefinitions=[{"AttributeName": a, "AttributeType": "S"} for a in ("pk", "g")],
        ProvisionedThroughput={"ReadCapacityUnits": 5, "WriteCapacityUnits": 5},
        GlobalSecondaryIndexes=[
            {
                "IndexName": "by_g",
                "KeySchema": [{"AttributeName": "g", "KeyType": "HASH"}],
                "Projection": {"ProjectionType": "ALL"},
                "ProvisionedThroughput": {"ReadCapacityUnits": 5, "WriteCapacityUnits": 5},
            }
        ],
    )
    db.get_waiter("table_exists").wait(TableName="ScaledReplicas")
    db.update_table(TableName="ScaledReplicas", ReplicaUpdates=[{"Create": {"RegionName": two.name}}])
    wait_for(
        lambda: [r["ReplicaStatus"] for r in db.describe_table(TableName="ScaledReplicas")["Table"].get("Replicas", [])] == ["ACTIVE"], "the replica"
    )

    def settings(low, high, target):
        tracking = {"TargetValue": target, "ScaleInCooldown": 60}
        return {"MinimumUnits": low, "MaximumUnits": high, "ScalingPolicyUpdate": {"TargetTrackingScalingPolicyConfiguration": tracking}}

    description = db.update_table_replica_auto_scaling(
        TableName="ScaledReplicas",
        ProvisionedWriteCapacityAutoScalingUpdate=settings(5, 50, 70.0),
        GlobalSecondaryIndexUpdates=[{"IndexName": "by_g", "ProvisionedWriteCapacityAutoScalingUpdate": settings(5, 40, 60.5)}],
        ReplicaUpdates=[
            {
                "RegionName": one.name,
                "ReplicaProvisionedReadCapacityAutoScalingUpdate": settings(6, 60, 50.0),
                "ReplicaGlobalSecondaryIndexUpdates": [{"IndexName": "by_g", "ProvisionedReadCapacityAutoScalingUpdate": settings(7, 70, 40.0)}],
            }
        ],
    )["TableAutoScalingDescription"]
    assert description == db.describe_table_replica_auto_scaling(TableName="ScaledReplicas")["TableAutoScalingDescription"]
    replicas = {r["RegionName"]: r for r in description["Replicas"]}
    assert set(replicas) == {one.name, two.name}

    def shown(told):
        (policy,) = told["ScalingPolicies"]
        tracking = policy["TargetTrackingScalingPolicyConfiguration"]
        return told["MinimumUnits"], told["MaximumUnits"], tracking["TargetValue"], tracking["ScaleInCooldown"], told["AutoScalingDisabled"]

    mine = replicas[one.name]
    assert shown(mine["ReplicaProvisionedWriteCapacityAutoScalingSettings"]) == (5, 50, 70.0, 60, False)
    assert shown(mine["ReplicaProvisionedReadCapacityAutoScalingSettings"]) == (6, 60, 50.0, 60, False)
    (index,) = mine["GlobalSecondaryIndexes"]
    assert (index["IndexName"], index["IndexStatus"]) == ("by_g", "ACTIVE")
    assert shown(index["ProvisionedWriteCapacityAutoScalingSettings"]) == (5, 40, 60.5, 60, False)
    assert shown(index["ProvisionedReadCapacityAutoScalingSettings"]) == (7, 70, 40.0, 60, False)
    # The same targets by the service's own operations.
    scaling = one.client("application-autoscaling")
    assert len(scaling.describe_scalable_targets(ServiceNamespace="dynamodb")["ScalableTargets"]) == 4
    assert scaling.describe_scaling_policies(ServiceNamespace="dynamodb", ResourceId="table/ScaledReplicas", ScalableDimension=READ)["ScalingPolicies"][0][
        "PolicyName"
    ] == "DynamoDBReadCapacityUtilization:table/ScaledReplicas"
    elsewhere = [{"RegionName": two.name, "ReplicaProvisionedReadCapacityAutoScalingUpdate": settings(5, 50, 70.0)}]
    assert code(db.update_table_replica_auto_scaling, TableName="ScaledReplicas", ReplicaUpdates=elsewhere)[0] == "ValidationException"
    wait_for(lambda: len(other.describe_table(TableName="ScaledReplicas")["Table"]["Replicas"]) == 1, "the replica, seen from there")
    assert other.update_table_replica_auto_scaling(TableName="ScaledReplicas", ReplicaUpdates=elsewhere)
    # Off again: the targets go.
    off = {"AutoScalingDisabled": True}
    description = db.update_table_replica_auto_scaling(TableName="ScaledReplicas", ProvisionedWriteCapacityAutoScalingUpdate=off)
    (mine,) = [r for r in description["TableAutoScalingDescription"]["Replicas"] if r["RegionName"] == one.name]
    assert mine["ReplicaProvisionedWriteCapacityAutoScalingSettings"] == {"AutoScalingDisabled": True, "ScalingPolicies": []}
    assert len(scaling.describe_scalable_targets(ServiceNamespace="dynamodb")["ScalableTargets"]) == 3
