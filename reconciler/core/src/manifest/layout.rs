//! What the files of a repository are, by their paths.

use super::schema::FileKind;

/// What a path holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Place {
    /// A manifest.
    Manifest(FileKind),
    /// YAML where only manifests are looked for, under a name nobody reads.
    Stray {
        /// What to call it instead.
        hint: &'static str,
    },
    /// A file of a role that nodes get: below its `templates/` or `files/`.
    RoleFile,
    /// None of our business.
    Foreign,
}

/// What a path from the repository's root holds.
pub(super) fn place(path: &str) -> Place {
    let parts: Vec<&str> = path.split('/').collect();
    match parts.as_slice() {
        ["lyceum.yaml"] => Place::Manifest(FileKind::Repository),
        ["consents.yaml"] => Place::Manifest(FileKind::Consents),
        ["lyceum.yml" | "consents.yml"] | ["cookbooks", _, "role.yml"] => RENAME,
        ["cookbooks", _, "role.yaml"] => Place::Manifest(FileKind::Role),
        ["cookbooks", _, "templates" | "files", ..] => Place::RoleFile,
        ["clusters", .., "defaults.yaml"] => Place::Manifest(FileKind::Defaults),
        ["clusters", _, .., "cluster.yaml"] => Place::Manifest(FileKind::Cluster),
        ["clusters", "cluster.yaml"] => {
            Place::Stray { hint: "move it into a folder with the cluster's name" }
        }
        ["clusters", .., "cluster.yml" | "defaults.yml"] => RENAME,
        ["clusters", .., file] if file.ends_with(".yaml") || file.ends_with(".yml") => {
            Place::Stray { hint: "only cluster.yaml and defaults.yaml are read here" }
        }
        _ => Place::Foreign,
    }
}

const RENAME: Place = Place::Stray { hint: "the name must end in .yaml" };

/// The folder a file lies in, without a closing slash.
pub(super) fn folder(path: &str) -> &str {
    path.rsplit_once('/').map_or("", |(folder, _)| folder)
}

/// The role a file below `cookbooks/` belongs to, and its path in it.
pub(super) fn role_file(path: &str) -> Option<(&str, &str)> {
    path.strip_prefix("cookbooks/")?.split_once('/')
}

/// The last part of the folder a file lies in.
pub(super) fn folder_name(path: &str) -> &str {
    folder(path).rsplit('/').next().unwrap_or_default()
}

/// The folders around a cluster's file, its own first, `clusters` last.
pub(super) fn folders_outwards(path: &str) -> impl Iterator<Item = &str> {
    std::iter::successors(Some(folder(path)), |inner| match folder(inner) {
        "" => None,
        outer => Some(outer),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_say_what_files_are() {
        let manifest = |path: &str| match place(path) {
            Place::Manifest(kind) => Some(kind),
            _ => None,
        };
        assert_eq!(manifest("clusters/a/cluster.yaml"), Some(FileKind::Cluster));
        assert_eq!(manifest("clusters/dept/term/a/cluster.yaml"), Some(FileKind::Cluster));
        assert_eq!(manifest("clusters/defaults.yaml"), Some(FileKind::Defaults));
        assert_eq!(manifest("cookbooks/base/role.yaml"), Some(FileKind::Role));
        assert_eq!(place("cookbooks/base/files/role.yaml"), Place::RoleFile);
        assert_eq!(place("cookbooks/base/templates/a/b.j2"), Place::RoleFile);
        assert_eq!(place("cookbooks/base/README.md"), Place::Foreign);
        assert_eq!(role_file("cookbooks/base/files/a/b"), Some(("base", "files/a/b")));
        assert!(matches!(place("clusters/cluster.yaml"), Place::Stray { .. }));
        assert!(matches!(place("clusters/a/notes.yml"), Place::Stray { .. }));
        assert_eq!(place("clusters/a/README.md"), Place::Foreign);
        assert_eq!(place("src/clusters/a/cluster.yaml"), Place::Foreign);
    }

    #[test]
    fn folders_go_outwards() {
        let folders: Vec<&str> = folders_outwards("clusters/dept/a/cluster.yaml").collect();
        assert_eq!(folders, ["clusters/dept/a", "clusters/dept", "clusters"]);
    }
}
