//! IP ranges as they stand in a manifest.

use std::fmt;
use std::net::{IpAddr, Ipv4Addr};
use std::str::FromStr;

/// A range of addresses, without host bits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Range {
    pub(super) address: IpAddr,
    pub(super) prefix: u8,
}

/// Why a text is not a range.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum NotARange {
    /// It is not an address and a prefix length.
    Form,
    /// It is an address alone.
    Alone(Range),
    /// There are bits behind the prefix.
    HostBits(Range),
}

impl Range {
    /// An IPv4 range from four numbers and a prefix length.
    pub(super) const fn v4(octets: [u8; 4], prefix: u8) -> Self {
        let [a, b, c, d] = octets;
        Self { address: IpAddr::V4(Ipv4Addr::new(a, b, c, d)), prefix }
    }

    /// First and last address as numbers, where it is IPv4.
    pub(super) fn bounds(self) -> Option<(u32, u32)> {
        let IpAddr::V4(address) = self.address else { return None };
        let first = u32::from(address);
        Some((first, first | !mask(self.prefix)))
    }

    /// Whether the two share an address; ranges of two families never do.
    pub(super) fn overlaps(self, other: Self) -> bool {
        match (self.bounds(), other.bounds()) {
            (Some((first, last)), Some((low, high))) => first <= high && low <= last,
            _ => false,
        }
    }

    /// Whether the other lies within.
    pub(super) fn holds(self, other: Self) -> bool {
        self.prefix <= other.prefix && self.overlaps(other)
    }
}

impl fmt::Display for Range {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.address, self.prefix)
    }
}

impl FromStr for Range {
    type Err = NotARange;

    fn from_str(text: &str) -> Result<Self, NotARange> {
        let (address, prefix) = match text.split_once('/') {
            Some((address, prefix)) => (address, Some(prefix)),
            None => (text, None),
        };
        let address: IpAddr = address.parse().map_err(|_| NotARange::Form)?;
        let most = if address.is_ipv4() { 32 } else { 128 };
        let Some(prefix) = prefix else {
            return Err(NotARange::Alone(Self { address, prefix: most }));
        };
        let digits = prefix.bytes().all(|byte| byte.is_ascii_digit());
        let prefix = prefix.parse().ok().filter(|prefix| digits && *prefix <= most);
        let range = without_host_bits(address, prefix.ok_or(NotARange::Form)?);
        if range.address == address { Ok(range) } else { Err(NotARange::HostBits(range)) }
    }
}

fn without_host_bits(address: IpAddr, prefix: u8) -> Range {
    let address = match address {
        IpAddr::V4(address) => IpAddr::V4((u32::from(address) & mask(prefix)).into()),
        IpAddr::V6(address) => {
            let mask = u128::MAX.checked_shl(128 - u32::from(prefix)).unwrap_or(0);
            IpAddr::V6((u128::from(address) & mask).into())
        }
    };
    Range { address, prefix }
}

fn mask(prefix: u8) -> u32 {
    u32::MAX.checked_shl(32 - u32::from(prefix)).unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ranges_are_read_strictly() {
        assert_eq!("10.20.0.0/16".parse(), Ok(Range::v4([10, 20, 0, 0], 16)));
        let whole = Range::v4([10, 20, 0, 0], 16);
        assert_eq!("10.20.3.0/16".parse::<Range>(), Err(NotARange::HostBits(whole)));
        let one = Range::v4([10, 0, 0, 1], 32);
        assert_eq!("10.0.0.1".parse::<Range>(), Err(NotARange::Alone(one)));
        for wrong in ["10.0.0/8", "10.0.0.0/33", "10.0.0.0/+8", "10.0.0.0/", "x/8", "::/129"] {
            assert_eq!(wrong.parse::<Range>(), Err(NotARange::Form), "{wrong}");
        }
        assert!("2001:db8::/32".parse::<Range>().is_ok());
        assert!("0.0.0.0/0".parse::<Range>().is_ok());
        assert!("::/0".parse::<Range>().is_ok());
    }

    #[test]
    fn ranges_know_what_they_share() {
        let (outer, inner) = (Range::v4([10, 0, 0, 0], 8), Range::v4([10, 9, 0, 0], 16));
        assert!(outer.overlaps(inner) && inner.overlaps(outer));
        assert!(outer.holds(inner) && !inner.holds(outer));
        assert!(!inner.overlaps(Range::v4([10, 10, 0, 0], 16)));
    }
}
