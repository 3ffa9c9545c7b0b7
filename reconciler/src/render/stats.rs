//! What a run cost.

use std::collections::BTreeMap;
use std::fmt;
use std::time::Duration;

use serde::Serialize;

/// What a run cost.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct RunStats {
    /// API calls, repeated ones included.
    pub api_calls: u64,
    /// The same by operation, such as `ec2:DescribeVpcs`.
    pub by_operation: BTreeMap<String, u64>,
    /// Wall time in milliseconds.
    pub wall_ms: u64,
    /// Most memory held at once, in bytes; 0 where the system does not say.
    pub peak_rss_bytes: u64,
}

impl RunStats {
    /// The cost of a run with these calls that took `wall`, up to now.
    pub fn new(by_operation: BTreeMap<String, u64>, wall: Duration) -> Self {
        Self {
            api_calls: by_operation.values().sum(),
            by_operation,
            wall_ms: u64::try_from(wall.as_millis()).unwrap_or(u64::MAX),
            peak_rss_bytes: peak_rss_bytes(),
        }
    }
}

impl fmt::Display for RunStats {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mebibytes = self.peak_rss_bytes.div_ceil(1024 * 1024);
        let Self { api_calls, wall_ms, .. } = self;
        writeln!(f, "{api_calls} API calls, {wall_ms} ms, {mebibytes} MiB at most")?;
        for (operation, count) in &self.by_operation {
            writeln!(f, "{count:>7}  {operation}")?;
        }
        Ok(())
    }
}

/// Linux keeps the highest resident set of a process; elsewhere 0.
fn peak_rss_bytes() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    high_water_mark(&status).unwrap_or(0)
}

fn high_water_mark(status: &str) -> Option<u64> {
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"))?;
    let kibibytes: u64 = line.trim().strip_suffix("kB")?.trim().parse().ok()?;
    Some(kibibytes * 1024)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_high_water_mark_is_read() {
        assert_eq!(high_water_mark("VmPeak:\t 9 kB\nVmHWM:\t    2048 kB\n"), Some(2_097_152));
        assert_eq!(high_water_mark("nothing"), None);
        #[cfg(target_os = "linux")]
        assert!(peak_rss_bytes() > 100_000);
    }
}
