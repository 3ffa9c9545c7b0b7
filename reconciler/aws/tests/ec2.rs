//! EC2's kinds.

use lyceum_core::kind::Vpc;

use crate::world::World;

fn network(dns: bool) -> Vpc {
    Vpc { cidr: "10.20.0.0/16".into(), dns_support: true, dns_host_names: dns }
}

#[tokio::test]
async fn a_vpc_lives() {
    let world = World::new().await;
    world.life("main", network(true), &[network(false).into()]).await;
}
