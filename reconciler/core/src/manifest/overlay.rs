//! The overlay network that joins a cluster's containers, and how many users it
//! has addresses for.
//!
//! Services use `endpoint_mode: dnsrr`: one address per container and none for
//! a virtual IP, which would double the need and drop idle websockets.

/// The overlay's prefix length.
pub const OVERLAY_PREFIX: u8 = 20;
/// The overlay's range. It is shared address space (RFC 6598), which no
/// cluster's network can be, so the two never collide.
pub const OVERLAY_CIDR: &str = "100.64.0.0/20";

/// Network, gateway and broadcast.
const TAKEN: u32 = 3;
/// JupyterHub, its proxy and what runs beside them, old and new during a change.
const SERVICES: u32 = 16;
/// Every node takes an address for the network's load balancer; so does the hub.
const PER_NODE: u32 = 1;

/// How many users can have a notebook at once beside `workers` workers.
pub fn user_capacity(workers: u32) -> u32 {
    let addresses = 1 << (32 - OVERLAY_PREFIX);
    let nodes = workers.saturating_add(1).saturating_mul(PER_NODE);
    u32::saturating_sub(addresses, TAKEN + SERVICES).saturating_sub(nodes)
}
