"""Nodes that follow their pointers: every instance of a cluster, until told to stop.

Looks at the instances, at the pointer of each one's group, and writes what an
agent would report. A node fails a target whose idle timeout is 13 minutes.
"""
import hashlib, json, time

CLUSTER, STOP = "geo-101", "stop"


def instances():
    found = aws("ec2").describe_instances()
    for reservation in found["Reservations"]:
        for instance in reservation["Instances"]:
            tags = {tag["Key"]: tag["Value"] for tag in instance.get("Tags", [])}
            if tags.get("lyceum:cluster") == CLUSTER and instance["State"]["Name"] == "running":
                kind = tags["lyceum:address"].split("/")[1]
                yield instance["InstanceId"], "hub" if kind == "instance" else "workers"


def digest(target):
    text = json.dumps(target, separators=(",", ":"), ensure_ascii=False)
    return hashlib.sha256(text.encode()).hexdigest()


s3 = aws("s3")
bucket = [one["Name"] for one in s3.list_buckets()["Buckets"] if one["Name"].startswith("lyceum-")][0]
applied = {}
while True:
    pointers = {}
    for group in ["hub", "workers"]:
        found = s3.get_object(Bucket=bucket, Key=f"clusters/{CLUSTER}/pointers/{group}.json")
        pointers[group] = (json.loads(found["Body"].read()), found["Metadata"])
    for instance, group in instances():
        body, metadata = pointers[group]
        told = "previous" not in body or instance in body.get("wave", [])
        target = body["target"] if told else body["previous"]
        well = target["cluster"]["spec"]["jupyter"]["idleTimeoutMinutes"] != 13
        said = {
            "revision": metadata["lyceum-revision"],
            "target": digest(target),
            "bundle": target["bundle"],
        }
        if well:
            applied[instance] = said
        report = {
            "facts": {"instanceId": instance, "cluster": CLUSTER, "group": group},
            "agent": {"version": "0.1.0", "digest": ""},
            "pointer": {"sequence": int(metadata["lyceum-sequence"]), "seen": int(time.time()), "refused": ""},
            "attempted": said,
            "applied": applied.get(instance),
            "checks": [{"id": "base/answers", "holds": well, "seen": "" if well else "no answer"}],
            "ready": well,
            "sessions": 1,
        }
        key = f"clusters/{CLUSTER}/nodes/{instance}.json"
        s3.put_object(Bucket=bucket, Key=key, Body=json.dumps(report).encode())
    if any(one["Name"] == STOP for one in s3.list_buckets()["Buckets"]):
        break
    time.sleep(0.5)
