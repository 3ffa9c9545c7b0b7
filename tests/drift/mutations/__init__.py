"""The table: everything that is done to the account behind the program's back,
and what cannot be done, with the reason. Every owned attribute of every kind is
in one of the two; `coverage.py` holds them to the kinds' own lists."""

from . import compute, identity, network, reporting, services, storage, told, workers
from .case import WHOLE

CASES = [
    case
    for room in (network, identity, storage, services, told, compute, workers, reporting)
    for case in room.CASES
]

_FIXED = "AWS has no call that changes it"
_NODES = "nodes write their reports: whatever one says is how it is"
_GROUPS = "its group makes it and owns it: no manifest asks for a worker"

#: Kind and attribute to why nobody can try it here.
NOT_COVERABLE = {
    ("bucket", "name"): _FIXED,
    ("object", "bucket"): _FIXED,
    ("object", "key"): _FIXED,
    ("pointer", "bucket"): _FIXED,
    ("pointer", "key"): _FIXED,
    ("signing-key", "name"): _FIXED,
    ("signing-key", "private_name"): _FIXED,
    ("signing-key", WHOLE): "another one is made with consent alone: a test of planning shows it",
    ("node-report", "bucket"): _NODES,
    ("node-report", "key"): _NODES,
    ("node-report", "size"): _NODES,
    ("node-report", WHOLE): _NODES,
    ("worker", "scaling_group"): _GROUPS,
    ("worker", WHOLE): _GROUPS,
    ("queue", "name"): _FIXED,
    ("event-rule", "name"): _FIXED,
    ("vpc", "cidr"): _FIXED,
    ("vpc", WHOLE): "AWS deletes an empty VPC only: all it holds would have to go first",
    ("subnet", "vpc"): _FIXED,
    ("subnet", "cidr"): _FIXED,
    ("subnet", "zone"): _FIXED,
    ("route-table", "vpc"): _FIXED,
    ("security-group", "vpc"): _FIXED,
    ("security-group", "name"): _FIXED,
    ("security-group", "description"): _FIXED,
    ("role", "name"): _FIXED,
    ("role", "path"): _FIXED,
    ("instance-profile", "name"): _FIXED,
    ("instance-profile", "path"): _FIXED,
    ("file-system", "encrypted"): _FIXED,
    ("file-system", "performance_mode"): _FIXED,
    ("file-system", "throughput_mode"): "the emulator has no UpdateFileSystem",
    ("file-system", "backup"): "the emulator has no PutBackupPolicy",
    ("access-point", "file_system"): _FIXED,
    ("access-point", "uid"): _FIXED,
    ("access-point", "gid"): _FIXED,
    ("access-point", "mode"): _FIXED,
    ("parameter", "name"): _FIXED,
    ("namespace", "name"): _FIXED,
    ("namespace", "vpc"): _FIXED,
    ("discovery-service", "namespace"): _FIXED,
    ("discovery-service", "name"): _FIXED,
    ("network-interface", "subnet"): _FIXED,
    ("network-interface", "private_ip"): _FIXED,
    ("volume", "zone"): _FIXED,
    ("volume", "encrypted"): _FIXED,
    ("launch-template", "name"): _FIXED,
    ("instance", "launch_template"): _FIXED,
    ("instance", "launch_template_version"): _FIXED,
    ("instance", "os"): "it stands in a tag: see the instance's tags",
    ("instance", "root_device"): _FIXED,
    ("instance", "interface"): "AWS does not detach a primary interface",
    ("scaling-group", "name"): _FIXED,
    ("scaling-group", "capacity_rebalance"): "the emulator ignores it in an update",
    ("scaling-group", "windows"): "it stands in the manifest, not in AWS",
    ("alarm", "name"): _FIXED,
    ("record", "zone"): _FIXED,
    ("record", "name"): _FIXED,
    ("record", "record_type"): _FIXED,
}
