//! A cluster's network.

use serde::{Deserialize, Serialize};

use super::{Kind, Rule};

/// A VPC.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Vpc {
    /// IPv4 range, a.b.c.d/n with the host bits zero.
    pub cidr: String,
    /// The VPC's resolver answers.
    pub dns_support: bool,
    /// Instances with a public address get a public name.
    pub dns_host_names: bool,
}

impl Kind for Vpc {
    const NAME: &'static str = "vpc";
    const ATTRIBUTES: &'static [(&'static str, Rule)] = &[
        ("cidr", Rule::Replace),
        ("dns_support", Rule::Owned),
        ("dns_host_names", Rule::Owned),
    ];
}
