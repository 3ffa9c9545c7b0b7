//! A cloud to try things in by hand: `cargo run --example cloud -- NAME NODES`.
//! It says what there is, and ends with all of it when its input does (Ctrl-D).

use std::io::{Read, Write};
use std::net::IpAddr;

use lyceum_local::{Credentials, Error, Ground, Identity, Options, Place, Spec};

fn main() -> Result<(), Error> {
    let mut arguments = std::env::args().skip(1);
    let name = arguments.next().unwrap_or_else(|| "try".to_owned());
    let nodes: u8 = arguments.next().and_then(|text| text.parse().ok()).unwrap_or(1);
    let options = Options { report: &|stage| say(stage), ..Options::named(&name) };
    let ground = Ground::open(&Place::of_this_machine()?, &options)?;
    for number in 1..=nodes {
        let address = ground.subnet().address(number + 9);
        let name = format!("node-{number}");
        let mut identity = Identity::of(&format!("i-{number:017x}"));
        identity.credentials = Some(Credentials::sample("node"));
        let node = ground.start_node(&Spec::new(&name, address, identity))?;
        node.wait_until_ready()?;
        ground.set_name(&name, IpAddr::V4(address))?;
        let host = ground
            .daemon()
            .docker()
            .host()
            .map_or(String::new(), |host| format!("DOCKER_HOST={host} "));
        say(&format!("{name} at {address}: {host}docker exec -it {} bash", node.container()));
    }
    say(&format!("nodes reach this machine at {}; ready", ground.host()));
    let _ = std::io::stdin().read_to_end(&mut Vec::new());
    ground.close()
}

fn say(text: &str) {
    let _ = writeln!(std::io::stdout(), "{text}");
}
