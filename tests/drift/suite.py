"""Drift: does each thing of the table behind the program's back, one at a time,
and holds the program to what it must make of it.

    suite.py --endpoint URL --backdoor URL --program FILE --repo DIR
             [--shard 1/2] [--every 6 --from 0] [--only TEXT]

The account behind the endpoint is empty but for the hosted zones. It is applied
to, and each case leaves it as it was then. Writes a line of JSON a case, and
ends with 1 where one failed.

    suite.py --coverage    holds the table to the kinds' lists instead.
"""

import argparse
import json
import os
import subprocess
import sys
import time
import urllib.request
from fnmatch import fnmatchcase
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1] / "reader"))

import cloud  # noqa: E402
import coverage  # noqa: E402
import inventory  # noqa: E402
from account import REGION, Account  # noqa: E402
from mutations import CASES, NOT_COVERABLE  # noqa: E402
from mutations.case import BLOCKED, IGNORED, REPAIRED, REPORTED  # noqa: E402
from mutations.storage import AGENT  # noqa: E402

#: Seconds that a command may take. What a token made and somebody took away is
#: looked for up to two minutes before another token is used.
PATIENCE = 240
#: What a hub was made from stays what it was when the template changes.
TEMPLATE = ("aws:ec2launchtemplate:id", "aws:ec2launchtemplate:version")


class Wrong(Exception):
    """The program did not do what it must."""


class Program:
    """The program under test, and the account past all that stands before it."""

    def __init__(self, arguments):
        self.file, self.repo, self.endpoint = arguments.program, arguments.repo, arguments.endpoint
        self.backdoor, self.agent = arguments.backdoor, ["--agent", str(AGENT)]

    def run(self, *arguments, codes=(0,)):
        environment = {
            "PATH": os.environ.get("PATH", ""),
            "HOME": self.repo,
            "AWS_ENDPOINT_URL": self.endpoint,
            "AWS_ACCESS_KEY_ID": "lyceum",
            "AWS_SECRET_ACCESS_KEY": "lyceum",
            "AWS_REGION": REGION,
            "AWS_EC2_METADATA_DISABLED": "true",
        }
        line = [self.file, *arguments, "--repo", self.repo]
        ended = subprocess.run(line, env=environment, capture_output=True, text=True, timeout=PATIENCE)
        if ended.returncode not in codes:
            said = f"{ended.stdout[-4000:]}\n{ended.stderr[-4000:]}"
            raise Wrong(f"{' '.join(arguments)} exited with {ended.returncode}\n{said}")
        return ended

    def plan(self):
        """Exit code, and cluster's findings joined: changes, blocked, reported, gaps."""
        ended = self.run("plan", *self.agent, "--format", "json", "--detailed-exitcode", codes=(0, 2))
        clusters = json.loads(ended.stdout)["clusters"]
        joined = {
            key: [one for cluster in clusters for one in cluster[key]]
            for key in ("changes", "blocked", "reported", "gaps")
        }
        return ended.returncode, joined

    def apply(self):
        self.run("apply", *self.agent, "--yes")

    def inventory(self):
        found = inventory.comparable(cloud.read(self.backdoor, [REGION]))
        for template in found[REGION]["launch-template"]:
            # A template's own tags, which the emulator keeps in its first version.
            content = template["content"]
            tagged = content.get("TagSpecifications", [])
            content["TagSpecifications"] = [one for one in tagged if one["ResourceType"] != "launch-template"]
        for instance in found[REGION]["instance"]:
            instance["tags"] = {key: value for key, value in instance["tags"].items() if key not in TEMPLATE}
        return found


def check(case, program, account, before):
    """One case, from the mutation to the account being as it was."""
    case.mutate(account)
    code, plan = program.plan()
    CHECKS[case.expect](case, code, plan)
    if case.expect == REPAIRED:
        program.apply()
    else:
        mutated = program.inventory()
        program.apply()
        same(mutated, program.inventory(), "apply touched what it must leave alone")
        CHECKS[case.expect](case, *program.plan())
    if case.undo:
        case.undo(account)
    if not case.last:
        settled(program)
        same(before, program.inventory(), "the account is not as it was")


def repaired(case, code, plan):
    expect(code == 2, "nothing is planned", plan)
    reported = [one for one in plan["reported"] if not beside(case, one["address"])]
    expect(not plan["gaps"] and not reported, "more than changes", plan)
    # What goes with it in a cluster that only reports drift waits for what is not put back.
    waiting = [one for one in plan["blocked"] if not beside(case, one["address"])]
    expect(not waiting, "something is blocked", plan)
    own = [one for one in plan["changes"] if one["address"] == case.address]
    expect(len(own) == 1, f"{len(own)} changes of {case.address}", plan)
    change = own[0]
    expect(change["action"] == case.action, f"it is a {change['action']}, not a {case.action}", plan)
    expect(change["reason"] == case.reason, f"its reason is {change['reason']}, not {case.reason}", plan)
    if case.action != "create":
        expect(names(change, case.path), f"no attribute is {case.path}", plan)
    for other in plan["changes"]:
        if other["address"] != case.address and not beside(case, other["address"]):
            expect(other["reason"] == "follows", f"{other['address']} is changed too", plan)


def beside(case, address):
    """Whether an object drifts with that of a case."""
    return any(fnmatchcase(address, pattern) for pattern in case.along)


def ignored(case, code, plan):
    expect(code == 0 and not any(plan.values()), "it is noticed", plan)


def blocked(case, code, plan):
    expect(code == 0 and not plan["changes"] and not plan["gaps"], "something is planned", plan)
    own = [one for one in plan["blocked"] if one["address"] == case.address]
    expect(len(own) == len(plan["blocked"]) == 1, "not exactly this is blocked", plan)
    expect(own[0]["action"] == case.action, f"the action is not {case.action}", plan)
    says = case.path in own[0]["cause"] and bool(own[0]["consent"]) != case.for_good
    expect(says, "it does not say what it waits for", plan)


def reported(case, code, plan):
    expect(code == 0 and not plan["changes"] and not plan["blocked"], "something is planned", plan)
    expect(len(plan["reported"]) == 1, "not exactly one thing is reported", plan)
    change = plan["reported"][0]
    expect(change["address"] == case.address and change["reason"] == "drift", "it is another", plan)
    expect(names(change, case.path), f"no attribute is {case.path}", plan)


CHECKS = {REPAIRED: repaired, IGNORED: ignored, BLOCKED: blocked, REPORTED: reported}


def names(change, attribute):
    """Whether one of a change's paths is of an attribute."""
    paths = [one["path"] for one in change["attributes"]]
    return any(path.replace("[", ".").split(".")[0] == attribute for path in paths)


def settled(program):
    code, plan = program.plan()
    expect(code == 0 and not any(plan.values()), "the plan is not empty afterwards", plan)


def same(before, after, what):
    if before == after:
        return
    lines = [set(lines_of(side)) for side in (before, after)]
    gone, come = sorted(lines[0] - lines[1]), sorted(lines[1] - lines[0])
    if len(gone) == len(come):
        raise Wrong("\n".join([what, *(differing(*pair) for pair in zip(gone, come))]))
    raise Wrong("\n".join([what, *(f"- {line}" for line in gone), *(f"+ {line}" for line in come)]))


def differing(before, after):
    """Two lines from where they begin to differ."""
    start = next((at for at, (a, b) in enumerate(zip(before, after)) if a != b), 0)
    head, start = before[:100], max(start - 60, 0)
    return f"{head} …\n- … {before[start : start + 300]}\n+ … {after[start : start + 300]}"


def lines_of(found):
    for region, kinds in found.items():
        for kind, objects in kinds.items():
            for one in objects:
                yield f"{region} {kind} {json.dumps(one, sort_keys=True)}"


def expect(holds, what, plan):
    if not holds:
        raise Wrong(f"{what}; the plan says {json.dumps(plan, indent=1)}")


def chosen(arguments):
    """The cases of this run: a sample has at least one of every kind."""
    cases = [case for case in CASES if arguments.only in case.name]
    if arguments.every > 1:
        picked = cases[arguments.start % arguments.every :: arguments.every]
        kinds = {case.kind for case in picked}
        for case in cases:
            if case.kind not in kinds:
                kinds.add(case.kind)
                picked.append(case)
        cases = [case for case in cases if case in picked]
    shard, shards = (int(part) for part in arguments.shard.split("/"))
    # What leaves something behind comes last, and of it first what nothing may be seen of.
    return sorted(cases[shard - 1 :: shards], key=lambda case: (case.last, case.expect != IGNORED))


def fresh(program, account, zones):
    """An account with nothing but the zones, applied to; what is then there."""
    # Through the proxy, which forgets with it what it lent.
    urllib.request.urlopen(f"{program.endpoint}/moto-api/reset", data=b"", timeout=PATIENCE).close()
    for zone in zones:
        account.route53.create_hosted_zone(Name=zone, CallerReference=zone)
    program.apply()
    settled(program)
    return program.inventory()


def run(arguments):
    program, account = Program(arguments), Account(arguments.backdoor)
    zones = [zone["Name"] for zone in account.route53.list_hosted_zones()["HostedZones"]]
    before, well = fresh(program, account, zones), True
    for case in chosen(arguments):
        began, error = time.monotonic(), None
        try:
            check(case, program, account, before)
        except Exception as caught:
            error, well = f"{type(caught).__name__}: {caught}", False
        seconds = round(time.monotonic() - began, 2)
        line = {"case": case.name, "kind": case.kind, "path": case.path, "expect": case.expect, "seconds": seconds}
        print(json.dumps(line | {"error": error}), flush=True)
        if error:
            # What is left of one failure must not be another's.
            before = fresh(program, account, zones)
    return 0 if well else 1


def covered():
    faults = coverage.faults()
    excused = [{"kind": kind, "path": path, "reason": why} for (kind, path), why in NOT_COVERABLE.items()]
    print(json.dumps({"cases": len(CASES), "faults": faults, "not_coverable": excused}))
    return 1 if faults else 0


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--coverage", action="store_true")
    for name in ("--endpoint", "--backdoor", "--program", "--repo"):
        parser.add_argument(name)
    parser.add_argument("--shard", default="1/1")
    parser.add_argument("--every", type=int, default=1)
    parser.add_argument("--from", type=int, default=0, dest="start")
    parser.add_argument("--only", default="")
    arguments = parser.parse_args()
    return covered() if arguments.coverage else run(arguments)


if __name__ == "__main__":
    sys.exit(main())
