//! A directory of the file system under a name of its own.

use serde::{Deserialize, Serialize};

use super::{Kind, Rule};

/// An EFS access point. Output `arn`. It holds no data: the files stay in the
/// file system when it goes.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct AccessPoint {
    /// The file system's id.
    pub file_system: String,
    /// The directory, absolute within the file system.
    pub path: String,
    /// Owner of the directory when it is first made.
    pub uid: u32,
    /// Group of the directory when it is first made.
    pub gid: u32,
    /// Mode of the directory when it is first made, octal, such as `0755`.
    pub mode: String,
}

impl Kind for AccessPoint {
    const NAME: &'static str = "access-point";
    const ATTRIBUTES: &'static [(&'static str, Rule)] = &[
        ("file_system", Rule::Replace),
        ("path", Rule::Replace),
        // They count when the directory is first made. Made anew, a point that
        // is mounted would be gone, and the directory as it was.
        ("uid", Rule::Initial),
        ("gid", Rule::Initial),
        ("mode", Rule::Initial),
    ];
    const REFERS: &'static [(&'static str, &'static str)] = &[("file_system", "file-system")];
}
