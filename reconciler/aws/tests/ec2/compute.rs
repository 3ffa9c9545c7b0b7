//! Launch templates and the hub's instance.

use aws_sdk_ec2::types::{InstanceAttributeName, RequestLaunchTemplateData};
use base64::Engine;
use lyceum_core::cloud::Class;
use lyceum_core::cloud::Cloud;
use lyceum_core::desired::Resource;
use lyceum_core::kind::{Instance, LaunchTemplate, NetworkInterface, Volume};

use super::{group, map, place, set};
use crate::world::{REGION, World};

fn template(groups: &[&str]) -> LaunchTemplate {
    LaunchTemplate {
        name: "lyceum-geo-101-workers".into(),
        os: "debian-12".into(),
        image: "ami-1".into(),
        root_device: "/dev/xvda".into(),
        instance_type: "t3.large".into(),
        profile: "lyceum-geo-101-workers".into(),
        security_groups: groups.iter().map(|id| id.to_string()).collect(),
        user_data: "#!/bin/sh\necho grüß\n".into(),
        volume_gib: 50,
        volume_type: "gp3".into(),
        encrypted: true,
        metadata_tokens: "required".into(),
        metadata_hop_limit: 1,
        instance_tags: map([("lyceum:owner", "lyceum"), ("Name", "geo-101 worker")]),
    }
}

#[tokio::test]
async fn launch_templates_live() {
    let world = World::new().await;
    let (vpc, _) = place(&world).await;
    let one = world.id("one", group(&vpc, "one")).await;
    let first = template(&[&one]);
    let turns: Vec<LaunchTemplate> = vec![
        LaunchTemplate { os: "ubuntu-24.04".into(), ..first.clone() },
        LaunchTemplate { image: "ami-2".into(), ..first.clone() },
        LaunchTemplate { root_device: "/dev/sda1".into(), ..first.clone() },
        LaunchTemplate { instance_type: String::new(), ..first.clone() },
        LaunchTemplate { profile: "other".into(), ..first.clone() },
        LaunchTemplate { security_groups: set([]), ..first.clone() },
        LaunchTemplate { user_data: "#!/bin/sh\n".into(), ..first.clone() },
        LaunchTemplate { volume_gib: 60, ..first.clone() },
        LaunchTemplate { volume_type: "gp2".into(), ..first.clone() },
        LaunchTemplate { encrypted: false, ..first.clone() },
        LaunchTemplate { metadata_tokens: "optional".into(), ..first.clone() },
        LaunchTemplate { metadata_hop_limit: 2, ..first.clone() },
        LaunchTemplate { instance_tags: map([("a", "b")]), ..first.clone() },
        first.clone(),
    ];
    let turns: Vec<_> = turns.into_iter().map(Into::into).collect();
    world.life("workers", first, &turns).await;
}

#[tokio::test]
async fn every_change_of_a_template_is_a_version_and_no_change_is_none() {
    let world = World::new().await;
    let first = world.resource("hub", template(&[]));
    assert_eq!(world.create(&first).await["version"], "1");
    let second = world.resource("hub", LaunchTemplate { volume_gib: 60, ..template(&[]) });
    assert_eq!(world.turn(&second).await["version"], "2");
    assert!(world.turn(&second).await.is_empty());
    assert_eq!(world.object(&second).await.output("version").unwrap(), "2");
    let answer = world.others.describe_launch_templates().send().await.unwrap();
    assert_eq!(answer.launch_templates()[0].default_version_number(), Some(2));
}

#[tokio::test]
async fn a_version_that_somebody_else_made_is_overruled() {
    let world = World::new().await;
    let resource = world.resource("hub", template(&[]));
    let id = world.create(&resource).await["id"].clone();
    let data = RequestLaunchTemplateData::builder().image_id("ami-9").build();
    let request = world.others.create_launch_template_version().launch_template_id(id);
    request.launch_template_data(data).send().await.unwrap();
    assert_ne!(world.object(&resource).await.body, resource.body);
    assert_eq!(world.turn(&resource).await["version"], "3");
}

/// A hub with everything around it that it needs.
async fn hub(world: &World) -> (Instance, String) {
    let (vpc, subnet) = place(world).await;
    let group = world.id("hub", group(&vpc, "hub")).await;
    let interface = NetworkInterface {
        subnet,
        private_ip: "10.20.1.10".into(),
        security_groups: set([&group]),
        description: "the hub's".into(),
    };
    let interface = world.id("hub", interface).await;
    let made = world.create(&world.resource("hub", template(&[]))).await;
    let zone = format!("{REGION}a");
    let volume = Volume { zone, size_gib: 20, volume_type: "gp3".into(), encrypted: true };
    let volume = world.id("data", volume).await;
    let answer = world.others.describe_images().send().await.unwrap();
    let image = answer.images().first().unwrap().clone();
    let instance = Instance {
        launch_template: made["id"].clone(),
        launch_template_version: made["version"].clone(),
        os: "debian-12".into(),
        image: image.image_id.unwrap(),
        root_device: image.root_device_name.unwrap(),
        instance_type: "t3.medium".into(),
        interface,
        profile: String::new(),
        user_data: String::new(),
        root_gib: 20,
        root_type: "gp3".into(),
        metadata_tokens: "required".into(),
        metadata_hop_limit: 1,
        running: true,
        volumes: map([("/dev/sdf", &*volume)]),
    };
    (instance, volume)
}

/// The resource of a hub.
fn machine(world: &World, body: Instance) -> Resource {
    let mut resource = world.resource("hub", body);
    resource.tags.insert("lyceum:os".into(), "debian-12".into());
    resource
}

#[tokio::test]
async fn a_hub_is_made_changed_and_removed() {
    let world = World::new().await;
    let (first, volume) = hub(&world).await;
    let mut resource = machine(&world, first.clone());
    let id = world.create(&resource).await["id"].clone();
    world.holds(&resource).await;
    let turns = [
        Instance { instance_type: "t3.large".into(), ..first.clone() },
        Instance { root_gib: 30, ..first.clone() },
        Instance { root_gib: 30, root_type: "gp2".into(), ..first.clone() },
        Instance { root_gib: 30, metadata_tokens: "optional".into(), ..first.clone() },
        Instance { root_gib: 30, metadata_hop_limit: 2, ..first.clone() },
        Instance { root_gib: 30, running: false, ..first.clone() },
        Instance { root_gib: 30, ..first.clone() },
        Instance { root_gib: 30, volumes: map([]), ..first.clone() },
        Instance { root_gib: 30, volumes: map([("/dev/sdg", &*volume)]), ..first.clone() },
        Instance { root_gib: 30, ..first },
    ];
    for turn in turns {
        resource.body = turn.into();
        world.turn(&resource).await;
    }
    assert_eq!(world.object(&resource).await.id, id);
    world.remove(&resource).await;
    let kinds: Vec<String> =
        world.look().await.objects.iter().map(|object| object.address.kind().into()).collect();
    assert!(kinds.contains(&"volume".to_string()), "the data outlives the machine: {kinds:?}");
}

#[tokio::test]
async fn a_hub_gets_what_its_resource_says() {
    let world = World::new().await;
    let (hub, _) = hub(&world).await;
    let user_data = "#!/bin/sh\necho hub\n";
    let resource = machine(&world, Instance { user_data: user_data.into(), ..hub });
    let id = world.create(&resource).await["id"].clone();
    let request = world.others.describe_instance_attribute().instance_id(&id);
    let answer = request.attribute(InstanceAttributeName::UserData).send().await.unwrap();
    let encoded = answer.user_data.unwrap().value.unwrap();
    let decoded = base64::engine::general_purpose::STANDARD.decode(encoded).unwrap();
    assert_eq!(decoded, user_data.as_bytes());
    let volumes = world.others.describe_volumes().send().await.unwrap();
    assert_eq!(volumes.volumes().len(), 2, "the root and the data volume");
    let root =
        volumes.volumes().iter().find(|one| one.attachments()[0].device() != Some("/dev/sdf"));
    assert_eq!(root.unwrap().encrypted(), Some(true));
    assert!(root.unwrap().tags().iter().any(|tag| tag.value() == Some("geo-101/instance/hub")));
}

#[tokio::test]
async fn what_others_do_to_a_hub_is_seen_and_repaired_or_left_alone() {
    let world = World::new().await;
    let (hub, volume) = hub(&world).await;
    let resource = machine(&world, hub);
    let id = world.create(&resource).await["id"].clone();

    // A disk of theirs is theirs.
    let theirs = world.others.create_volume().availability_zone("us-east-1a").size(1);
    let theirs = theirs.send().await.unwrap().volume_id.unwrap();
    let request = world.others.attach_volume().instance_id(&id).volume_id(&theirs);
    request.device("/dev/sdz").send().await.unwrap();
    world.holds(&resource).await;

    // Tags of the root volume may go: its size is still known.
    let root = world.others.describe_volumes().send().await.unwrap();
    let root = root.volumes().iter().find_map(|one| {
        let ours = one.tags().iter().any(|tag| tag.value() == Some("geo-101/instance/hub"));
        ours.then(|| one.volume_id.clone().unwrap())
    });
    let request = world.others.delete_tags().resources(root.unwrap());
    request
        .tags(aws_sdk_ec2::types::Tag::builder().key("lyceum:owner").build())
        .send()
        .await
        .unwrap();
    world.holds(&resource).await;

    // A data volume that has lost its owner is no longer listed; the hub has it yet.
    let owner = |value| {
        let tag = aws_sdk_ec2::types::Tag::builder().key("lyceum:owner");
        tag.set_value(value).build()
    };
    let request = world.others.delete_tags().resources(&volume).tags(owner(None));
    request.send().await.unwrap();
    world.holds(&resource).await;
    let state = world.look().await;
    assert!(state.objects.iter().all(|object| object.id != volume));
    let [gap] = &state.lost()[..] else { panic!("{:?}", state.lost()) };
    assert!(gap.kind == "volume" && gap.cause.contains(&volume), "{gap:?}");
    let request = world.others.create_tags().resources(&volume);
    request.tags(owner(Some("lyceum".into()))).send().await.unwrap();

    world.others.stop_instances().instance_ids(&id).send().await.unwrap();
    world.others.detach_volume().instance_id(&id).volume_id(&volume).send().await.unwrap();
    assert_ne!(world.object(&resource).await.body, resource.body);
    world.turn(&resource).await;

    world.others.terminate_instances().instance_ids(&id).send().await.unwrap();
    assert_eq!(world.seen(&resource.address).await, None);
    let again = world.create(&resource).await["id"].clone();
    assert_ne!(again, id);
    world.holds(&resource).await;
}

#[tokio::test]
async fn two_who_saw_the_same_machine_stop_it_once() {
    let world = World::new().await;
    let (hub, _) = hub(&world).await;
    let resource = machine(&world, hub.clone());
    world.create(&resource).await;
    let before = world.object(&resource).await;
    let bigger = machine(&world, Instance { instance_type: "t3.large".into(), ..hub });
    for _ in 0..2 {
        world.aws.update(&before, &bigger).await.unwrap();
        world.holds(&bigger).await;
    }
    assert_eq!(world.aws.stats().by_operation["ec2:StopInstances"], 1);
}

#[tokio::test]
async fn a_running_machine_keeps_its_volume() {
    let world = World::new().await;
    let (hub, volume) = hub(&world).await;
    let resource = machine(&world, hub.clone());
    world.create(&resource).await;
    let data = world.look().await.objects.into_iter().find(|object| object.id == volume).unwrap();
    let error = world.aws.delete(&data).await.unwrap_err();
    assert_eq!(error.class, Class::NotYet, "{error}");
    let stopped = machine(&world, Instance { running: false, ..hub });
    world.turn(&stopped).await;
    world.aws.delete(&data).await.unwrap();
}

#[tokio::test]
async fn a_hub_changes_its_profile() {
    let world = World::new().await;
    for name in ["one", "two"] {
        world.iam.create_instance_profile().instance_profile_name(name).send().await.unwrap();
    }
    let (hub, _) = hub(&world).await;
    let with = |profile: &str| machine(&world, Instance { profile: profile.into(), ..hub.clone() });
    world.create(&with("one")).await;
    world.holds(&with("one")).await;
    for profile in ["two", "", "one"] {
        world.turn(&with(profile)).await;
    }
}
