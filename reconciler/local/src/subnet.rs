//! The network of a cloud's nodes: a bridge of its own, in a range nobody uses.

use std::fs;
use std::net::Ipv4Addr;
use std::str::FromStr;

use sha2::{Digest, Sha256};

use crate::docker::{Docker, LABEL, SOON};
use crate::error::Error;

/// Ranges tried where none is asked for: 10.86.0.0/24 and those that follow.
const TRIED: u8 = 64;
/// Where the search for a range of a VPC's size begins: above those.
const FIRST_FREE: u8 = 88;

/// A range of addresses.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Subnet {
    first: u32,
    prefix: u8,
}

impl Subnet {
    /// Its address number `number`: 1 is the host's.
    pub fn address(self, number: u8) -> Ipv4Addr {
        Ipv4Addr::from(self.first + u32::from(number))
    }

    /// Whether an address is one of its own.
    pub fn contains(self, address: Ipv4Addr) -> bool {
        u32::from(address) & mask(self.prefix) == self.first
    }

    /// Whether the two have an address in common.
    pub fn overlaps(self, other: Self) -> bool {
        let mask = mask(self.prefix.min(other.prefix));
        self.first & mask == other.first & mask
    }
}

impl Subnet {
    /// A range as large as a VPC's, 10.88.0.0/16 or one that follows, that nobody
    /// uses here and that none of `taken` overlaps.
    pub fn free(taken: &[Self]) -> Option<Self> {
        let used = routes();
        (FIRST_FREE..FIRST_FREE + TRIED)
            .map(|second| Self { first: u32::from(Ipv4Addr::new(10, second, 0, 0)), prefix: 16 })
            .find(|one| !used.iter().chain(taken).any(|other| one.overlaps(*other)))
    }

    /// A range that this machine has a route to and that overlaps it.
    pub fn in_use(self) -> Option<Self> {
        routes().into_iter().find(|other| self.overlaps(*other))
    }
}

impl std::fmt::Display for Subnet {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(formatter, "{}/{}", Ipv4Addr::from(self.first), self.prefix)
    }
}

impl FromStr for Subnet {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self, Error> {
        let parsed = text.split_once('/').and_then(|(address, prefix)| {
            let first = u32::from(address.parse::<Ipv4Addr>().ok()?);
            let prefix = prefix.parse().ok().filter(|prefix| (16..=28).contains(prefix))?;
            (first & !mask(prefix) == 0).then_some(Self { first, prefix })
        });
        parsed.ok_or_else(|| Error::Invalid {
            what: "the subnet",
            value: text.to_owned(),
            why: "the first address of a range, a slash, and 16 to 28",
        })
    }
}

/// Makes the network of `cloud` in `wanted` or, without it, in a free range.
/// Gives its name, its bridge and its range.
pub(crate) fn create_network(
    docker: &Docker,
    cloud: &str,
    wanted: Option<Subnet>,
) -> Result<(String, String, Subnet), Error> {
    let (name, bridge) = (format!("lyceum-{cloud}"), bridge_name(cloud));
    let used = routes();
    let free = (0..TRIED)
        .map(|third| Subnet { first: u32::from(Ipv4Addr::new(10, 86, third, 0)), prefix: 24 })
        .filter(|subnet| !used.iter().any(|other| subnet.overlaps(*other)));
    let tried: Vec<Subnet> = wanted.map_or_else(|| free.collect(), |subnet| vec![subnet]);
    for subnet in &tried {
        let create = [
            "network".to_owned(),
            "create".to_owned(),
            format!("--label={LABEL}={cloud}"),
            format!("--subnet={subnet}"),
            format!("--gateway={}", subnet.address(1)),
            format!("--opt=com.docker.network.bridge.name={bridge}"),
            name.clone(),
        ];
        let output = docker.run(&create, b"", SOON)?;
        if output.success() {
            return Ok((name, bridge, *subnet));
        }
        // Another network, of another cloud perhaps, has it.
        if !output.stderr.contains("verlaps") {
            let what = format!("docker {}", create.join(" "));
            return Err(Error::Failed { what, code: output.code, said: output.said() });
        }
    }
    Err(Error::NoSubnet { tried: tried.len() })
}

/// Interfaces have names of at most 15 letters.
fn bridge_name(cloud: &str) -> String {
    let digest = Sha256::digest(cloud);
    let short = crate::image::hex(&digest[..5]);
    format!("lyc{short}")
}

/// The ranges this machine has routes to, without the default.
fn routes() -> Vec<Subnet> {
    let text = fs::read_to_string("/proc/net/route").unwrap_or_default();
    text.lines().skip(1).filter_map(route).collect()
}

fn route(line: &str) -> Option<Subnet> {
    let fields: Vec<&str> = line.split_whitespace().collect();
    let number = |at: usize| u32::from_str_radix(fields.get(at)?, 16).ok().map(u32::swap_bytes);
    let (first, mask) = (number(1)?, number(7)?);
    let prefix = u8::try_from(mask.leading_ones()).ok()?;
    (prefix > 0).then_some(Subnet { first, prefix })
}

fn mask(prefix: u8) -> u32 {
    u32::MAX.checked_shl(32 - u32::from(prefix)).unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_subnet_is_written_as_it_is_read() {
        let subnet: Subnet = "10.20.0.0/16".parse().unwrap();
        assert_eq!(subnet.to_string(), "10.20.0.0/16");
        assert_eq!(subnet.address(4), Ipv4Addr::new(10, 20, 0, 4));
        for text in ["10.20.0.0", "10.20.0.1/16", "10.0.0.0/8", "10.0.0.0/29", "x/16"] {
            assert!(text.parse::<Subnet>().is_err(), "{text}");
        }
    }

    #[test]
    fn a_range_in_use_is_seen() {
        let used = route("eth0\t0000560A\t00000000\t0001\t0\t0\t0\t00FFFFFF\t0\t0\t0").unwrap();
        assert_eq!(used.to_string(), "10.86.0.0/24");
        assert!(used.overlaps("10.86.0.0/16".parse().unwrap()));
        assert!(!used.overlaps("10.86.1.0/24".parse().unwrap()));
        assert!(route("eth0\t00000000\t0100000A\t0003\t0\t0\t0\t00000000\t0\t0\t0").is_none());
    }

    #[test]
    fn a_free_range_is_apart_from_those_that_are_taken() {
        let first = Subnet::free(&[]).unwrap();
        let second = Subnet::free(&[first]).unwrap();
        assert!(!first.overlaps(second) && first.in_use().is_none());
        assert!(first.contains(first.address(4)) && !second.contains(first.address(4)));
    }

    #[test]
    fn a_bridge_has_a_name_that_fits() {
        assert_eq!(bridge_name("a-name-of-thirty-letters-or-so").len(), 13);
    }
}
