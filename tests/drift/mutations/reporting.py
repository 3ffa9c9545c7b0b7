"""A cluster whose manifest says `drift: report`."""

from .case import REPORTED, Case
from .workers import update

VPC = "stats-200/vpc/main"
GROUP = "stats-200/scaling-group/workers"


def dns_support(on):
    return lambda account: account.ec2.modify_vpc_attribute(VpcId=account.id(VPC), EnableDnsSupport={"Value": on})


def largest(count):
    return update("lyceum-stats-200-workers", MaxSize=count)


CASES = [
    Case(VPC, "dns_support", "switched off", dns_support(False), expect=REPORTED, undo=dns_support(True)),
    Case(GROUP, "max", "raised", largest(90), expect=REPORTED, undo=largest(40)),
]
