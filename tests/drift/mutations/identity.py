"""Roles and instance profiles."""

from account import anybody

from .case import Case, gone

ROLE = "geo-101/role/hub"
PROFILE = "geo-101/instance-profile/hub"
NAME = "lyceum-geo-101-hub"
MANAGED = "somebodys"


def iam(operation, **arguments):
    return lambda account: getattr(account.iam, operation)(**arguments)


def policy(name):
    document = anybody("*").replace('"Principal": "*", ', "")
    return iam("put_role_policy", RoleName=NAME, PolicyName=name, PolicyDocument=document)


def trust(account):
    everybody = anybody("sts:AssumeRole").replace(', "Resource": "*"', "")
    account.iam.update_assume_role_policy(RoleName=NAME, PolicyDocument=everybody)


def attach(account):
    """A policy of the account's own: the emulator has none of AWS's."""
    policies = {one["PolicyName"]: one["Arn"] for one in account.iam.list_policies(Scope="Local")["Policies"]}
    if MANAGED not in policies:
        document = anybody("*").replace('"Principal": "*", ', "")
        made = account.iam.create_policy(PolicyName=MANAGED, PolicyDocument=document)
        policies[MANAGED] = made["Policy"]["Arn"]
    account.iam.attach_role_policy(RoleName=NAME, PolicyArn=policies[MANAGED])


def leave_profile(account):
    account.iam.remove_role_from_instance_profile(InstanceProfileName=NAME, RoleName=NAME)


def other_role(account):
    leave_profile(account)
    account.iam.add_role_to_instance_profile(InstanceProfileName=NAME, RoleName="lyceum-geo-101-workers")


def delete_role(account):
    leave_profile(account)
    for name in account.iam.list_role_policies(RoleName=NAME)["PolicyNames"]:
        account.iam.delete_role_policy(RoleName=NAME, PolicyName=name)
    account.iam.delete_role(RoleName=NAME)


def delete_profile(account):
    leave_profile(account)
    account.iam.delete_instance_profile(InstanceProfileName=NAME)


CASES = [
    Case(ROLE, "trust", "opened to all", trust),
    Case(ROLE, "policies", "made all-powerful", policy("node")),
    Case(ROLE, "policies", "one added", policy("somebodys")),
    Case(ROLE, "policies", "removed", iam("delete_role_policy", RoleName=NAME, PolicyName="node")),
    Case(ROLE, "attached", "a policy attached", attach),
    Case(
        ROLE,
        "tags",
        "renamed",
        iam("tag_role", RoleName=NAME, Tags=[{"Key": "Name", "Value": "somebody's"}]),
    ),
    gone(ROLE, "deleted", delete_role, along=(PROFILE,)),
    Case(PROFILE, "role", "taken away", leave_profile),
    Case(PROFILE, "role", "the workers' instead", other_role),
    gone(PROFILE, "deleted", delete_profile),
]
