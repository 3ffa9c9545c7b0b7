//! Data volumes.

use lyceum_core::kind::Volume;
use lyceum_core::site::TAG_CREATED;

use crate::world::{REGION, World};

fn volume(size_gib: i32, volume_type: &str) -> Volume {
    let zone = format!("{REGION}a");
    Volume { zone, size_gib, volume_type: volume_type.into(), encrypted: true }
}

#[tokio::test]
async fn volumes_live() {
    let world = World::new().await;
    let turns = [volume(30, "gp3"), volume(30, "gp2"), volume(40, "gp3")];
    world.life("data", volume(20, "gp3"), &turns.map(Into::into)).await;
}

#[tokio::test]
async fn the_older_of_two_volumes_is_known_though_no_tag_was_sent() {
    let world = World::new().await;
    let resource = world.resource("data", volume(20, "gp3"));
    world.create(&resource).await;
    world.create(&resource).await;
    let times: Vec<String> =
        world.look().await.objects.iter().map(|object| object.created().to_string()).collect();
    assert_eq!(times.len(), 2, "the emulator does not know tokens");
    assert!(times.iter().all(|time| time.starts_with("20") && time.ends_with('Z')), "{times:?}");
    let id = world.look().await.objects[0].id.clone();
    let described = world.others.describe_volumes().volume_ids(id).send().await.unwrap();
    let tags = described.volumes()[0].tags();
    assert!(tags.iter().all(|tag| tag.key() != Some(TAG_CREATED)), "{tags:?}");
}
