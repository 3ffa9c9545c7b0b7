"""What surrounds the nodes: queue, rules, alarms, names."""

import json

from account import anybody

from .case import Case, gone

QUEUE = "@us-east-1/queue/events"
RULE = "@us-east-1/event-rule/spot"
ALARM = "geo-101/alarm/hub-cpu"
NAMESPACE = "geo-101/namespace/main"
SERVICE = "geo-101/discovery-service/hub"
RECORD = "geo-101/record/hub"
DOMAIN = "notebooks.example.edu."
#: What an alarm is written with.
WRITTEN = (
    "AlarmName AlarmDescription Namespace MetricName Dimensions Statistic ComparisonOperator Threshold Period"
    " EvaluationPeriods TreatMissingData AlarmActions"
).split()


def attribute(**attributes):
    return lambda account: account.sqs.set_queue_attributes(QueueUrl=account.queue(), Attributes=attributes)


def rule(pattern=None, state="ENABLED"):
    def mutate(account):
        name = account.rule("spot")
        there = account.events.describe_rule(Name=name)["EventPattern"]
        account.events.put_rule(Name=name, EventPattern=json.dumps(pattern) if pattern else there, State=state)

    return mutate


def target(identity, arn="arn:aws:sqs:us-east-1:123456789012:somebodys"):
    return lambda account: account.events.put_targets(
        Rule=account.rule("spot"), Targets=[{"Id": identity, "Arn": arn}]
    )


def no_target(account):
    account.events.remove_targets(Rule=account.rule("spot"), Ids=["events"])


def delete_rule(account):
    no_target(account)
    account.events.delete_rule(Name=account.rule("spot"))


def alarm(**changes):
    """The alarm written whole, as AWS wants it, with something changed."""

    def mutate(account):
        there = account.cloudwatch.describe_alarms(AlarmNames=["lyceum-geo-101-hub-cpu"])["MetricAlarms"][0]
        kept = {key: there[key] for key in WRITTEN if key in there}
        account.cloudwatch.put_metric_alarm(**kept | changes)

    return mutate


def describe(account):
    """Another text over the line that says whose it is."""
    there = account.cloudwatch.describe_alarms(AlarmNames=["lyceum-geo-101-hub-cpu"])["MetricAlarms"][0]
    link = there["AlarmDescription"].rsplit("\n", 1)[-1]
    alarm(AlarmDescription=f"somebody's\n{link}")(account)


def deregister(account):
    account.servicediscovery.deregister_instance(ServiceId=account.service()["Id"], InstanceId="hub")


def register(identity, address):
    def mutate(account):
        if identity == "hub":
            # The emulator would keep both registrations of an id.
            deregister(account)
        account.servicediscovery.register_instance(
            ServiceId=account.service()["Id"], InstanceId=identity, Attributes={"AWS_INSTANCE_IPV4": address}
        )

    return mutate


def slow_service(account):
    service = account.service()
    records = {"DnsRecords": [{"Type": "A", "TTL": 600}]}
    account.servicediscovery.update_service(
        Id=service["Id"], Service={"Description": service["Description"], "DnsConfig": records}
    )


def delete_service(account):
    deregister(account)
    account.servicediscovery.delete_service(Id=account.service()["Id"])


def delete_namespace(account):
    delete_service(account)
    account.servicediscovery.delete_namespace(Id=account.namespace())


def there(account, kind):
    """The record set of a kind that belongs to the hub."""
    sets = account.route53.list_resource_record_sets(HostedZoneId=account.zone())["ResourceRecordSets"]
    return next(one for one in sets if one["Type"] == kind and one["Name"].endswith(DOMAIN))


def change(account, action, *sets):
    batch = {"Changes": [{"Action": action, "ResourceRecordSet": one} for one in sets]}
    account.route53.change_resource_record_sets(HostedZoneId=account.zone(), ChangeBatch=batch)


def record(**changes):
    return lambda account: change(account, "UPSERT", there(account, "A") | changes)


def delete_record(*kinds):
    return lambda account: change(account, "DELETE", *(there(account, kind) for kind in kinds))


def changed(path, **changes):
    return Case(ALARM, path, "changed", alarm(**changes))


CASES = [
    Case(QUEUE, "policy", "opened to all", attribute(Policy=anybody("sqs:SendMessage"))),
    Case(QUEUE, "policy", "removed", attribute(Policy="")),
    Case(QUEUE, "retention_seconds", "shortened", attribute(MessageRetentionPeriod="60")),
    Case(QUEUE, "encrypted", "switched off", attribute(SqsManagedSseEnabled="false")),
    gone(QUEUE, "deleted", lambda account: account.sqs.delete_queue(QueueUrl=account.queue())),
    Case(RULE, "pattern", "changed", rule(pattern={"source": ["aws.s3"]})),
    Case(RULE, "enabled", "switched off", rule(state="DISABLED")),
    Case(RULE, "targets", "removed", no_target),
    Case(RULE, "targets", "another queue instead", target("events")),
    Case(RULE, "targets", "one added", target("somebodys")),
    gone(RULE, "deleted", delete_rule),
    Case(ALARM, "description", "changed", describe),
    Case(ALARM, "description", "replaced with all that it says", alarm(AlarmDescription="somebody's")),
    changed("namespace", Namespace="AWS/S3"),
    changed("metric", MetricName="NetworkIn"),
    changed("dimensions", Dimensions=[{"Name": "InstanceId", "Value": "i-00000000000000000"}]),
    changed("statistic", Statistic="Minimum"),
    changed("comparison", ComparisonOperator="LessThanThreshold"),
    changed("threshold", Threshold=5.0),
    changed("period_seconds", Period=60),
    changed("periods", EvaluationPeriods=9),
    changed("missing_data", TreatMissingData="breaching"),
    changed("actions", AlarmActions=["arn:aws:sns:us-east-1:123456789012:somebodys"]),
    Case(ALARM, "actions_enabled", "switched off", alarm(ActionsEnabled=False)),
    gone(
        ALARM,
        "deleted",
        lambda account: account.cloudwatch.delete_alarms(AlarmNames=["lyceum-geo-101-hub-cpu"]),
    ),
    gone(NAMESPACE, "deleted with its service", delete_namespace, along=(SERVICE,)),
    Case(SERVICE, "ttl_seconds", "raised", slow_service),
    Case(SERVICE, "instances", "deregistered", deregister),
    Case(SERVICE, "instances", "another address", register("hub", "192.0.2.1")),
    Case(SERVICE, "instances", "one added", register("somebodys", "192.0.2.1")),
    gone(SERVICE, "deleted", delete_service),
    Case(RECORD, "ttl_seconds", "shortened", record(TTL=1)),
    Case(RECORD, "values", "another address", record(ResourceRecords=[{"Value": "192.0.2.1"}])),
    Case(
        RECORD,
        "values",
        "an address added",
        lambda account: change(
            account,
            "UPSERT",
            {**there(account, "A"), "ResourceRecords": [*there(account, "A")["ResourceRecords"], {"Value": "192.0.2.1"}]},
        ),
    ),
    gone(RECORD, "deleted", delete_record("A")),
    gone(RECORD, "deleted with its marker", delete_record("A", "TXT")),
    gone(RECORD, "its marker deleted", delete_record("TXT")),
]
