//! `lyceum secret set`: a secret from standard input into the place a manifest
//! refers to. It is in no argument, no log and no error.

use std::io::{self, IsTerminal, Read};

use lyceum_aws::{Aws, Options};
use lyceum_core::manifest::Manifests;
use lyceum_core::manifest::repository::RepositorySpec;
use lyceum_core::site::RESERVED_PARAMETERS;

use super::args::{SecretCommand, SecretSetArgs};
use super::failure::{Failed, Refused};
use super::{Exit, output};
use crate::road::{RoadError, declared};

/// The largest value of a standard parameter, in bytes.
const LARGEST: usize = 4096;

pub(super) async fn run(command: SecretCommand) -> Result<Exit, Failed> {
    let SecretCommand::Set(args) = command;
    let target = Target::of(&args)?;
    if is_reserved(&target.name) {
        let hint = "manifests refer to secrets by other names";
        return Err(
            Refused::new(format!("{} is written by lyceum itself", target.name), hint).into()
        );
    }
    let value = read()?;
    // What is written belongs to the operator: it carries nobody's tags.
    let aws = Aws::connect(&RepositorySpec::default().owner, "", Options::default()).await;
    let aws = aws.map_err(RoadError::Connect)?;
    aws.put_secret(&target.region, &target.name, value).await?;
    output::note(&format!("{} is written in {}", target.name, target.region));
    Ok(Exit::Well)
}

/// Where a secret goes.
#[derive(Debug, PartialEq, Eq)]
struct Target {
    name: String,
    region: String,
}

impl Target {
    /// The manifests are asked only for what the arguments leave open.
    fn of(args: &SecretSetArgs) -> Result<Self, Failed> {
        let path = args.name.strip_prefix("ssm:").unwrap_or(&args.name);
        if let (true, Some(region)) = (path.starts_with('/'), &args.region) {
            return Ok(Self { name: path.into(), region: region.clone() });
        }
        let manifests = declared(&args.repo.repo, None)?.manifests;
        Self::from_manifests(path, args.region.as_deref(), &manifests)
    }

    fn from_manifests(
        path: &str,
        region: Option<&str>,
        manifests: &Manifests,
    ) -> Result<Self, Failed> {
        let (name, cluster) = if path.starts_with('/') {
            (path.to_string(), owner_of(path, manifests))
        } else {
            let (cluster, short) = path.split_once('/').ok_or_else(|| not_a_name(path))?;
            let owner = &manifests.repository.owner;
            (format!("/{owner}/{cluster}/{short}"), Some(cluster))
        };
        let region = region.map(String::from);
        match region.or_else(|| region_of(cluster?, manifests)) {
            Some(region) => Ok(Self { name, region }),
            None => Err(no_region(&name, cluster, manifests)),
        }
    }
}

/// Whether a name is that of a parameter every cluster has, whoever its owner.
fn is_reserved(name: &str) -> bool {
    let parts: Vec<&str> = name.split('/').collect();
    matches!(parts.as_slice(), ["", _, _, short] if RESERVED_PARAMETERS.contains(short))
}

/// The cluster below whose prefix a secret lies.
fn owner_of<'a>(path: &'a str, manifests: &Manifests) -> Option<&'a str> {
    let rest = path.strip_prefix(&format!("/{}/", manifests.repository.owner))?;
    rest.split_once('/').map(|(cluster, _)| cluster)
}

fn region_of(cluster: &str, manifests: &Manifests) -> Option<String> {
    manifests.clusters.get(cluster).map(|one| one.cluster.spec.region.clone())
}

fn no_region(name: &str, cluster: Option<&str>, manifests: &Manifests) -> Failed {
    match cluster {
        Some(cluster) => {
            let known = manifests.clusters.keys().map(String::as_str).collect();
            RoadError::unknown_cluster(cluster, &known).into()
        }
        None => {
            let what = format!("{name} belongs to no cluster");
            Refused::new(what, "name the region with --region").into()
        }
    }
}

fn not_a_name(path: &str) -> Failed {
    let what = format!("`{path}` is not a secret's name");
    Refused::new(what, "ssm:/path, /path, or <cluster>/<name>").into()
}

/// The secret from standard input, without the line's end. A terminal is
/// refused: it would show the secret.
fn read() -> Result<String, Failed> {
    if io::stdin().is_terminal() {
        let hint = "pipe it in: `pass show oauth | lyceum secret set NAME`, or `< file`";
        return Err(Refused::new("the terminal would show the secret", hint).into());
    }
    let mut bytes = Vec::new();
    io::stdin().take(LARGEST as u64 + 3).read_to_end(&mut bytes)?;
    checked(bytes)
}

fn checked(bytes: Vec<u8>) -> Result<String, Failed> {
    let hint = "nothing was written";
    // Neither the bytes nor where they are wrong: that would be part of it.
    let text = String::from_utf8(bytes)
        .map_err(|_| Refused::new("the secret is not text in UTF-8", hint))?;
    let text = text.strip_suffix('\n').unwrap_or(&text);
    let text = text.strip_suffix('\r').unwrap_or(text);
    match text.len() {
        0 => Err(Refused::new("standard input is empty", hint).into()),
        1..=LARGEST => Ok(text.into()),
        _ => Err(Refused::new(format!("the secret has more than {LARGEST} bytes"), hint).into()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use lyceum_testkit::manifests;

    fn target(path: &str, region: Option<&str>) -> Result<(String, String), String> {
        let manifests = manifests(&[("geo-101", "  region: eu-west-1")]);
        Target::from_manifests(path, region, &manifests)
            .map(|target| (target.name, target.region))
            .map_err(|error| error.to_string())
    }

    #[test]
    fn a_name_and_its_region_follow_from_the_manifests() {
        let found = |name: &str| Ok((name.to_string(), "eu-west-1".to_string()));
        assert_eq!(target("geo-101/oauth", None), found("/lyceum/geo-101/oauth"));
        assert_eq!(target("/lyceum/geo-101/oauth", None), found("/lyceum/geo-101/oauth"));
        let named = target("geo-101/oauth", Some("us-east-1")).unwrap();
        assert_eq!(named.1, "us-east-1");
        assert_eq!(target("geo-10/x", None), Err("there is no cluster `geo-10`".into()));
        assert!(target("/nobody/x", None).unwrap_err().contains("belongs to no cluster"));
        assert!(target("oauth", None).unwrap_err().contains("is not a secret's name"));
    }

    #[test]
    fn what_lyceum_writes_itself_is_reserved() {
        assert!(is_reserved("/any/geo-101/applied"));
        assert!(!is_reserved("/lyceum/geo-101/oauth") && !is_reserved("/lyceum/applied"));
    }

    #[test]
    fn only_one_lines_end_is_taken_off() {
        assert_eq!(checked(b"s3cret\r\n".to_vec()).unwrap(), "s3cret");
        assert_eq!(checked(b"two\nlines\n\n".to_vec()).unwrap(), "two\nlines\n");
        assert!(checked(b"\n".to_vec()).is_err());
        assert!(checked(vec![b'x'; LARGEST + 1]).is_err());
        let error = checked(vec![b's', 0xff]).unwrap_err().to_string();
        assert_eq!(error, "the secret is not text in UTF-8");
    }
}
