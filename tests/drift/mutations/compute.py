"""The hub: its data volume, the templates, the instance."""

from account import encoded

from .case import BLOCKED, IGNORED, Case, gone
from .network import rename, unlabel

VOLUME = "geo-101/volume/hub"
TEMPLATE = "geo-101/launch-template/hub"
WORKERS = "geo-101/launch-template/workers"
HUB = "geo-101/instance/hub"
#: An image of another system than the cluster's.
OTHER_IMAGE = "ami-02404000000000001"


def modify(volume, **changes):
    return lambda account: account.ec2.modify_volume(VolumeId=volume(account), **changes)


def data_volume(account):
    return account.id(VOLUME)


def root_volume(account):
    return account.root_volume()


def detach(account):
    account.ec2.detach_volume(VolumeId=account.id(VOLUME), InstanceId=account.id(HUB))


def delete_volume(account):
    detach(account)
    account.ec2.delete_volume(VolumeId=account.id(VOLUME))


def newest(account, address):
    listed = account.ec2.describe_launch_template_versions(
        LaunchTemplateId=account.id(address), Versions=["$Latest"]
    )
    return listed["LaunchTemplateVersions"][0]


def version(address, change, description=None):
    """A version of somebody else's: the newest with one thing changed. Its
    description says nothing about it, unless it is what changes."""

    def mutate(account):
        last = newest(account, address)
        content = last["LaunchTemplateData"]
        # Tags of the template itself belong to its creation alone.
        tagged = content.get("TagSpecifications", [])
        content["TagSpecifications"] = [one for one in tagged if one["ResourceType"] != "launch-template"]
        change(content)
        account.ec2.create_launch_template_version(
            LaunchTemplateId=account.id(address),
            LaunchTemplateData=content,
            VersionDescription=last["VersionDescription"] if description is None else description,
        )

    return mutate


def setting(**changes):
    return lambda content: content.update(changes)


def disk(**changes):
    return lambda content: content["BlockDeviceMappings"][0]["Ebs"].update(changes)


def metadata(**changes):
    return lambda content: content["MetadataOptions"].update(changes)


def device(name):
    return lambda content: content["BlockDeviceMappings"][0].update(DeviceName=name)


def workers_groups(account):
    """A version whose instances stand in the VPC's own group."""
    group = account.default_group()
    version(WORKERS, lambda content: content["NetworkInterfaces"][0].update(Groups=[group]))(account)


def retag(content):
    for specification in content["TagSpecifications"]:
        for tag in specification["Tags"]:
            tag["Value"] = "somebody's" if tag["Key"] == "Name" else tag["Value"]


def template(path, did, change, address=TEMPLATE, **more):
    return Case(address, path, f"a version of somebody's: {did}", version(address, change), **more)


def image_of_the_hub(account):
    """A version with the image that the hub was made from."""
    version(TEMPLATE, setting(ImageId=account.instance()["ImageId"]))(account)


def association(account):
    of = [{"Name": "instance-id", "Values": [account.id(HUB)]}]
    listed = account.ec2.describe_iam_instance_profile_associations(Filters=of)
    return listed["IamInstanceProfileAssociations"][0]["AssociationId"]


def replace_profile(account):
    account.ec2.replace_iam_instance_profile_association(
        AssociationId=association(account), IamInstanceProfile={"Name": "lyceum-geo-101-workers"}
    )


def drop_profile(account):
    account.ec2.disassociate_iam_instance_profile(AssociationId=association(account))


def stop(account):
    account.ec2.stop_instances(InstanceIds=[account.id(HUB)])


def start(account):
    account.ec2.start_instances(InstanceIds=[account.id(HUB)])


def while_stopped(**changes):
    def mutate(account):
        stop(account)
        account.ec2.modify_instance_attribute(InstanceId=account.id(HUB), **changes)
        start(account)

    return mutate


def terminate(account):
    account.ec2.terminate_instances(InstanceIds=[account.id(HUB)])


def metadata_options(**changes):
    return lambda account: account.ec2.modify_instance_metadata_options(InstanceId=account.id(HUB), **changes)


def tag_os(value):
    return lambda account: account.ec2.create_tags(
        Resources=[account.id(HUB)], Tags=[{"Key": "lyceum:os", "Value": value}]
    )


def put_user_data(text):
    return lambda account: while_stopped(UserData={"Value": encoded(text)})(account)


def foreign_tag(account):
    account.ec2.create_tags(Resources=[account.id(HUB)], Tags=[{"Key": "cost-centre", "Value": "4711"}])


def drop_foreign_tag(account):
    account.ec2.delete_tags(Resources=[account.id(HUB)], Tags=[{"Key": "cost-centre"}])


def withdraw_image(account):
    """Another image is the newest from now on. Nobody can put it back."""
    account.ec2.deregister_image(ImageId=account.instance()["ImageId"])


CASES = [
    Case(VOLUME, "volume_type", "made gp2", modify(data_volume, VolumeType="gp2")),
    Case(
        VOLUME,
        "size_gib",
        "grown",
        modify(data_volume, Size=40),
        expect=BLOCKED,
        action="replace",
        undo=modify(data_volume, Size=20),
        for_good=True,
    ),
    rename(VOLUME),
    unlabel(VOLUME, "lyceum:protect"),
    gone(VOLUME, "deleted", delete_volume, along=(HUB,)),
    Case(TEMPLATE, "os", "a version of somebody's without our description", version(TEMPLATE, setting(), "")),
    # Of what system the image is nobody knows: it is initial, and stays.
    Case(
        TEMPLATE,
        "os",
        "a version of somebody's with another image",
        version(TEMPLATE, setting(ImageId=OTHER_IMAGE), "mine"),
        undo=image_of_the_hub,
    ),
    Case(
        TEMPLATE,
        "root_device",
        "another root device",
        version(TEMPLATE, device("/dev/sda1")),
        expect=IGNORED,
        undo=version(TEMPLATE, device("/dev/xvda")),
    ),
    template("instance_type", "a larger type", setting(InstanceType="t3.xlarge")),
    template("profile", "another profile", setting(IamInstanceProfile={"Name": "lyceum-geo-101-workers"})),
    template("user_data", "other user data", setting(UserData=encoded("#!/bin/sh\nexit 0\n"))),
    template("volume_gib", "a larger disk", disk(VolumeSize=80)),
    template("volume_type", "a slower disk", disk(VolumeType="gp2")),
    template("encrypted", "a plain disk", disk(Encrypted=False)),
    template("metadata_tokens", "IMDSv1", metadata(HttpTokens="optional")),
    template("metadata_hop_limit", "two hops", metadata(HttpPutResponseHopLimit=2)),
    template("instance_tags", "another name", retag),
    Case(WORKERS, "security_groups", "a version of somebody's: another group", workers_groups),
    template("volume_gib", "a larger disk", disk(VolumeSize=80), address=WORKERS),
    template("metadata_tokens", "IMDSv1", metadata(HttpTokens="optional"), address=WORKERS),
    Case(
        TEMPLATE,
        "image",
        "another image of the same system",
        version(TEMPLATE, setting(ImageId="ami-0d12000000000001a")),
        expect=IGNORED,
        undo=image_of_the_hub,
    ),
    rename(TEMPLATE),
    gone(
        TEMPLATE,
        "deleted",
        lambda account: account.ec2.delete_launch_template(LaunchTemplateId=account.id(TEMPLATE)),
    ),
    Case(
        HUB,
        "instance_type",
        "made larger",
        while_stopped(InstanceType={"Value": "t3.xlarge"}),
        expect=BLOCKED,
        undo=while_stopped(InstanceType={"Value": "t3.medium"}),
    ),
    Case(HUB, "profile", "the workers' instead", replace_profile),
    Case(HUB, "profile", "taken away", drop_profile),
    Case(
        HUB,
        "root_gib",
        "grown",
        modify(root_volume, Size=40),
        expect=BLOCKED,
        action="replace",
        undo=modify(root_volume, Size=20),
    ),
    Case(HUB, "root_type", "made gp2", modify(root_volume, VolumeType="gp2")),
    Case(HUB, "metadata_tokens", "IMDSv1 allowed", metadata_options(HttpTokens="optional")),
    Case(HUB, "metadata_hop_limit", "two hops allowed", metadata_options(HttpPutResponseHopLimit=2)),
    Case(HUB, "running", "stopped", stop),
    Case(HUB, "volumes", "the data volume detached", detach),
    # The hub runs the image that its template names: the tag alone is wrong.
    Case(HUB, "tags", "the system's tag changed", tag_os("ubuntu-24.04")),
    Case(
        HUB,
        "user_data",
        "other user data",
        put_user_data("#!/bin/sh\n"),
        expect=IGNORED,
        # What it was stands in the template that it was made from.
        undo=lambda account: while_stopped(
            UserData={"Value": newest(account, TEMPLATE)["LaunchTemplateData"]["UserData"]}
        )(account),
    ),
    rename(HUB),
    unlabel(HUB, "lyceum:label:department"),
    Case(HUB, "tags", "a tag of somebody's", foreign_tag, expect=IGNORED, undo=drop_foreign_tag),
    gone(HUB, "terminated", terminate),
    Case(HUB, "image", "the newest image withdrawn", withdraw_image, expect=IGNORED, last=True),
]
