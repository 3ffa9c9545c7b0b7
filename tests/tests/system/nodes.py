"""Nodes that follow their pointers: every instance of a cluster, until told to stop.

Looks at the instances, at the pointer of each one's group, and writes what an
agent would report. As long as there is a bucket `poison`, nodes fail what is new
to them.
"""
import hashlib, json, time

CLUSTER = "geo-101"


def instances():
    found = aws("ec2").describe_instances()
    for reservation in found["Reservations"]:
        for instance in reservation["Instances"]:
            tags = {tag["Key"]: tag["Value"] for tag in instance.get("Tags", [])}
            if tags.get("lyceum:cluster") == CLUSTER and instance["State"]["Name"] == "running":
                kind = tags["lyceum:address"].split("/")[1]
                yield instance["InstanceId"], "hub" if kind == "instance" else "workers"


def buckets():
    return [one["Name"] for one in s3.list_buckets()["Buckets"]]


def digest(target):
    text = json.dumps(target, separators=(",", ":"), ensure_ascii=False)
    return hashlib.sha256(text.encode()).hexdigest()


s3 = aws("s3")
bucket = [name for name in buckets() if name.startswith("lyceum-")][0]
applied = {}
while "stop" not in buckets():
    poisoned = "poison" in buckets()
    pointers = {}
    for group in ["hub", "workers"]:
        found = s3.get_object(Bucket=bucket, Key=f"clusters/{CLUSTER}/pointers/{group}.json")
        pointers[group] = (json.loads(found["Body"].read()), found["Metadata"])
    for instance, group in instances():
        body, metadata = pointers[group]
        told = "previous" not in body or instance in body.get("wave", [])
        target = body["target"] if told else body["previous"]
        said = {
            "revision": metadata["lyceum-revision"],
            "target": digest(target),
            "bundle": target["bundle"],
        }
        known = {one["target"] for one in applied.values()}
        well = not poisoned or said["target"] in known
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
    time.sleep(0.5)
