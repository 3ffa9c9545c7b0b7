"""What the nodes are told, held against the repository: the key, the pointers, the
bundles. Reads signatures and archives with other libraries than the program's."""

import base64
import ctypes
import io
import json
import re
import tarfile
from fnmatch import fnmatchcase
from pathlib import Path

import yaml
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

from expect import as_list

LARGEST = 96 * 1024 * 1024
# Whom the images let in: each has a user of its own.
ADMINISTRATORS = {"debian-12": "admin", "ubuntu-24.04": "ubuntu", "amazon-linux-2023": "ec2-user"}
KEY_TYPES = ("ssh-", "ecdsa-", "sk-")


def check(expect, spec, owner, repository, aws):
    key = signing_key(expect, owner, aws)
    for group in ("hub", "workers"):
        pointer(expect, spec, (group, key), repository, aws)
        for what, script in scripts(expect, group):
            user_data(expect, what, script, key)
            admin_keys(expect, what, script, spec)
        no_way_to_the_key(expect, owner, group)


def agent(expect, digest):
    """The agent lies where its digest says, and first boots fetch it from there
    and check it; without one (`None`) they fetch none."""
    key = f"clusters/{expect.scope}/agents/{digest}"
    one = expect.one("stored", "agent", id=key) if digest else {}
    expect.same("object/agent", sha256=(one.get("sha256"), digest))
    for what, script in (*scripts(expect, "hub"), *scripts(expect, "workers")):
        named = re.findall(r"clusters/[^/\s]+/agents/[0-9a-f]*", script)
        checked = re.findall(r"([0-9a-f]{64}) [^\n]*sha256sum -c", script)
        expect.same(what, agent=(named, [key] if digest else []), agent_checked=(checked, [digest] if digest else []))
        place = f"https://{one.get('bucket')}.s3.{expect.region}.amazonaws.com"
        expect.true(what, f"it fetches the agent from {place}", place in script or not digest)


def signing_key(expect, owner, aws):
    """The public half, which must be that of the private one."""
    path = f"/{owner}/{expect.scope}/node-key"
    public = expect.one("parameter", "node-key", id=path)
    private = expect.one("parameter", "node-key-private", id=f"{path}-private")
    expect.same("signing-key", public=(public["type"], "String"), private=(private["type"], "SecureString"))
    answer = aws.client("ssm").get_parameter(Name=f"{path}-private", WithDecryption=True)
    seed = base64.b64decode(answer["Parameter"]["Value"])
    raw = Ed25519PrivateKey.from_private_bytes(seed).public_key().public_bytes(
        serialization.Encoding.Raw, serialization.PublicFormat.Raw
    )
    expect.same("signing-key", public_half=(public["value"], base64.b64encode(raw).decode()))
    return public["value"]


def pointer(expect, spec, group_and_key, repository, aws):
    (group, key), what = group_and_key, f"pointer/{group_and_key[0]}"
    prefix = f"clusters/{expect.scope}/"
    one = expect.one("stored", what, id=f"{prefix}pointers/{group}.json")
    if not one:
        return
    metadata, says = one["metadata"], json.loads(one["says"])
    sequence, revision = metadata["lyceum-sequence"], metadata["lyceum-revision"]
    expect.true(what, "its sequence is a number above 0", sequence.isdigit() and int(sequence) > 0)
    expect.true(what, "its revision is a commit", len(revision) == 40)
    signed = f"lyceum pointer 1\n{sequence}\n{revision}\n{one['says']}".encode()
    expect.true(what, "it is signed", is_signed(key, metadata["lyceum-signature"], signed))
    target = says["target"]
    roles = closure(repository, spec[group]["roles"])
    told = {name: values for name, values in spec.get("attributes", {}).items() if name in roles and values}
    expect.same(
        what,
        cluster=(says["cluster"], expect.scope),
        group=(says["group"], group),
        public_key=(says["publicKey"], key),
        roles=(target["roles"], spec[group]["roles"]),
        attributes=(target["attributes"], told),
        roll_out=(("previous" in says, says.get("wave", [])), (False, [])),
    )
    bundle(expect, (prefix, target), roles, one["bucket"], aws)


def bundle(expect, prefix_and_target, roles, bucket, aws):
    """The bundle is there, is what its name says, and holds the repository's files."""
    prefix, target = prefix_and_target
    what = f"object/bundle-{target['bundle'][:12]}"
    one = expect.one("stored", what, id=f"{prefix}bundles/{target['bundle']}")
    if not one:
        return
    expect.same(what, sha256=(one["sha256"], target["bundle"]), size=(one["size"], target["bundleSize"]))
    content = aws.client("s3").get_object(Bucket=bucket, Key=one["id"])["Body"].read()
    archive = tarfile.open(fileobj=io.BytesIO(unpacked(content)))
    packed = {member.name: archive.extractfile(member).read() for member in archive.getmembers()}
    files = {f"{role}/{path}": text for role, all in roles.items() for path, text in all.items()}
    expect.same(what, names=(sorted(packed), sorted(files)))
    expect.true(what, "its files are the repository's", packed == files)
    expect.same(what, role_digests=(sorted(target["roleDigests"]), sorted(roles)))


def closure(repository, wanted):
    """The roles with all they include: name to path to content."""
    found, left = {}, list(wanted)
    while left:
        name = left.pop()
        if name in found:
            continue
        folder = Path(repository) / "cookbooks" / name
        files = [folder / "role.yaml", *(folder / "templates").rglob("*"), *(folder / "files").rglob("*")]
        found[name] = {str(one.relative_to(folder)): one.read_bytes() for one in files if one.is_file()}
        left += (yaml.safe_load(found[name]["role.yaml"]).get("spec") or {}).get("includes", [])
    return found


def scripts(expect, group):
    """What first boots of a group run, wherever it is kept. The emulator keeps no
    user data with a scaling group's instances."""
    template = expect.one("launch-template", group)
    yield f"launch-template/{group}", (template["content"] or {}).get("UserData", "")
    if group == "hub":
        yield "instance/hub", expect.one("instance", "hub")["user_data"] or ""


def user_data(expect, what, script, key):
    expect.true(what, "its user data carries the public key", f'"publicKey":"{key}"' in script)
    expect.true(what, "its user data carries nothing secret", "private" not in script.lower())


def admin_keys(expect, what, script, spec):
    """The administrators' keys, and no others, for the image's own user."""
    keys, user = spec["network"]["adminKeys"], ADMINISTRATORS[spec["os"]]
    let_in = set(re.findall(r"/home/([^/\s]+)/\.ssh/authorized_keys", script))
    found = [line for line in script.splitlines() if line.startswith(KEY_TYPES)]
    expect.same(what, admin_keys=(found, keys), administrators=(let_in, {user} if keys else set()))


def no_way_to_the_key(expect, owner, group):
    """No node may read or write the private half, by whatever name or path."""
    what, path = f"role/{group}", f"/{owner}/{expect.scope}/node-key-private"
    role = expect.one("role", group, id=f"{owner}-{expect.scope}-{group}")
    statements = [one for policy in (role["policies"] or {}).values() for one in as_list(policy["Statement"])]
    for statement in statements:
        covered = any(
            fnmatchcase(f"arn:aws:ssm:{expect.region}:123456789012:parameter{path}", resource)
            for resource in as_list(statement["Resource"])
        )
        actions = [one for one in as_list(statement["Action"]) if one.startswith("ssm:") and "Parameter" in one]
        if statement["Effect"] == "Allow" and actions:
            expect.true(what, f"{statement.get('Sid')} does not reach the signing key", not covered)
            # Who may list a path may read all below it, whatever is denied there.
            expect.true(what, "it lists no parameters", "ssm:GetParametersByPath" not in actions)
    denied = [one for one in statements if one["Effect"] == "Deny" and path in json.dumps(one["Resource"])]
    expect.true(what, "it is denied the signing key", denied)


def is_signed(key, signature, content):
    try:
        public = Ed25519PublicKey.from_public_bytes(base64.b64decode(key))
        public.verify(base64.b64decode(signature), content)
    except (InvalidSignature, ValueError):
        return False
    return True


def unpacked(content):
    """zstd's own library, as every Debian has it."""
    zstd = ctypes.CDLL("libzstd.so.1")
    zstd.ZSTD_decompress.restype = ctypes.c_size_t
    zstd.ZSTD_decompress.argtypes = [ctypes.c_void_p, ctypes.c_size_t, ctypes.c_char_p, ctypes.c_size_t]
    zstd.ZSTD_isError.argtypes = [ctypes.c_size_t]
    buffer = ctypes.create_string_buffer(LARGEST)
    size = zstd.ZSTD_decompress(buffer, LARGEST, content, len(content))
    if zstd.ZSTD_isError(size):
        raise ValueError("the bundle is no zstd")
    return buffer.raw[:size]


def written_parameters(repository, wanted):
    """The parameters that nodes with these roles publish, as their steps say."""
    names = set()
    for files in closure(repository, wanted).values():
        for step in (yaml.safe_load(files["role.yaml"]).get("spec") or {}).get("steps", []):
            if "parameter" in step:
                names.add(step["parameter"]["name"])
            image = step.get("docker_image", {})
            if image.get("publish") and "pin" in image:
                names.add(image["pin"])
    return names

