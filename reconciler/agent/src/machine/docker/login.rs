//! Whose registry an image is in, and the login for it.

use std::path::Path;

use base64::Engine;
use base64::engine::general_purpose::{STANDARD, URL_SAFE};
use serde_json::{Value, json};

/// Where logins are kept that a role wrote for registries that want one.
const LOGINS: &str = "/root/.docker/config.json";
const LOGINS_LIMIT: usize = 1024 * 1024;

/// A login that a role wrote, as Docker's header wants it.
pub(super) fn kept(registry: &str) -> Option<String> {
    kept_login(Path::new(LOGINS), registry)
}

/// A login with this password, as Docker's header wants it.
pub(super) fn header(username: &str, password: &str, registry: &str) -> String {
    let login = json!({"username": username, "password": password, "serveraddress": registry});
    URL_SAFE.encode(login.to_string())
}

/// The registry in an image's name; none for Docker's own.
pub(super) fn registry(image: &str) -> Option<&str> {
    let (host, _) = image.split_once('/')?;
    (host.contains(['.', ':']) || host == "localhost").then_some(host)
}

/// `123456789012.dkr.ecr.eu-central-1.amazonaws.com`
pub(super) fn ecr_region(registry: &str) -> Option<&str> {
    let parts: Vec<&str> = registry.split('.').collect();
    match parts.as_slice() {
        [_, "dkr", "ecr" | "ecr-fips", region, "amazonaws", ..] => Some(region),
        _ => None,
    }
}

/// A login as `docker login` keeps it.
fn kept_login(path: &Path, registry: &str) -> Option<String> {
    let content = crate::disk::read(path, LOGINS_LIMIT).ok().flatten()?;
    let config: Value = serde_json::from_slice(&content).ok()?;
    let kept = config["auths"][registry]["auth"].as_str()?;
    let decoded = String::from_utf8(STANDARD.decode(kept).ok()?).ok()?;
    let (username, password) = decoded.split_once(':')?;
    Some(header(username, password, registry))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_registry_is_in_the_name_or_is_dockers_own() {
        assert_eq!(registry("quay.io/jupyter/base:1"), Some("quay.io"));
        assert_eq!(registry("localhost:5000/a"), Some("localhost:5000"));
        assert_eq!(registry("jupyter/base"), None);
        assert_eq!(registry("nginx"), None);
        let ecr = "123456789012.dkr.ecr.eu-central-1.amazonaws.com";
        assert_eq!(ecr_region(ecr), Some("eu-central-1"));
        assert_eq!(ecr_region("quay.io"), None);
    }

    #[test]
    fn a_login_is_found_where_docker_keeps_it() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("config.json");
        let auth = STANDARD.encode("hub:secret:word");
        std::fs::write(&path, json!({"auths": {"r.example": {"auth": auth}}}).to_string()).unwrap();
        let header = kept_login(&path, "r.example").unwrap();
        let login: Value = serde_json::from_slice(&URL_SAFE.decode(header).unwrap()).unwrap();
        assert_eq!(login["password"], "secret:word");
        assert_eq!(kept_login(&path, "other.example"), None);
    }
}
