//! The instance's own metadata: who it is, and its role's credentials. Version 2
//! of the service alone.

use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use aws_credential_types::Credentials;
use lyceum_core::node::host::{Answer, Cause, HostError};
use reqwest::{Client, Method};
use serde::{Deserialize, Serialize};

use super::pause;
use crate::http::{self, Answered};

const SERVICE: &str = "http://169.254.169.254";
/// It is on the same machine.
const CALL: Duration = Duration::from_secs(2);
const TRIES: u32 = 4;
const TOKEN_SECONDS: u64 = 21_600;
/// New ones are there at least five minutes before the old ones expire.
const RENEW_BEFORE: Duration = Duration::from_secs(240);
const LARGEST: usize = 64 * 1024;

/// The instance's metadata and role.
pub struct InstanceRole {
    client: Client,
    base: String,
    token: Mutex<Option<(String, Instant)>>,
    credentials: Mutex<Option<Credentials>>,
}

/// What an instance is.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Identity {
    /// `i-0123456789abcdef0`.
    pub instance_id: String,
    /// `t3.large`.
    pub instance_type: String,
    /// Its private address.
    pub private_ip: String,
    /// Its availability zone.
    pub availability_zone: String,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct RoleCredentials {
    access_key_id: String,
    secret_access_key: String,
    token: String,
    expiration: String,
}

impl InstanceRole {
    /// At AWS's address, or at another.
    pub fn at(base: Option<&str>) -> Answer<Self> {
        let base = base.unwrap_or(SERVICE);
        Ok(Self {
            client: http::near_client()?,
            base: base.trim_end_matches('/').into(),
            token: Mutex::default(),
            credentials: Mutex::default(),
        })
    }

    /// What this instance is.
    pub async fn identity(&self) -> Answer<Identity> {
        let operation = "ask the metadata service what this instance is";
        let body = self.get("dynamic/instance-identity/document", operation).await?;
        serde_json::from_slice(&body)
            .map_err(|error| HostError::new(Cause::Failed, operation, error.to_string()))
    }

    /// Credentials that are good for a while; the old ones as long as there are
    /// no others.
    pub async fn credentials(&self) -> Answer<Credentials> {
        let kept = self.credentials.lock().unwrap_or_else(PoisonError::into_inner).clone();
        let left = kept.as_ref().and_then(time_left);
        if let Some(kept) = &kept
            && left.is_some_and(|left| left > RENEW_BEFORE)
        {
            return Ok(kept.clone());
        }
        match (self.fetch().await, kept) {
            (Ok(new), _) => {
                let mut kept = self.credentials.lock().unwrap_or_else(PoisonError::into_inner);
                *kept = Some(new.clone());
                Ok(new)
            }
            (Err(_), Some(kept)) if left.is_some() => Ok(kept),
            (Err(error), _) => Err(error),
        }
    }

    /// Credentials that AWS does not take (any more).
    pub fn forget(&self, refused: &Credentials) {
        let mut kept = self.credentials.lock().unwrap_or_else(PoisonError::into_inner);
        if kept.as_ref().is_some_and(|kept| kept.access_key_id() == refused.access_key_id()) {
            *kept = None;
        }
    }

    async fn fetch(&self) -> Answer<Credentials> {
        let operation = "ask the metadata service for the role's credentials";
        let roles = self.get("meta-data/iam/security-credentials/", operation).await?;
        let roles = String::from_utf8_lossy(&roles).into_owned();
        let Some(role) = roles.lines().next().filter(|role| !role.is_empty()) else {
            return Err(HostError::new(Cause::NotFound, operation, "the instance has no role"));
        };
        let path = format!("meta-data/iam/security-credentials/{role}");
        let body = self.get(&path, operation).await?;
        // The error would quote what it read.
        let odd = || HostError::new(Cause::Failed, operation, "the answer holds no credentials");
        let found: RoleCredentials = serde_json::from_slice(&body).map_err(|_| odd())?;
        let expiration: jiff::Timestamp = found.expiration.parse().map_err(|_| odd())?;
        let seconds = u64::try_from(expiration.as_second()).map_err(|_| odd())?;
        Ok(Credentials::new(
            found.access_key_id,
            found.secret_access_key,
            Some(found.token),
            Some(UNIX_EPOCH + Duration::from_secs(seconds)),
            "instance role",
        ))
    }

    async fn get(&self, path: &str, operation: &str) -> Answer<Vec<u8>> {
        let mut tried = 0;
        loop {
            tried += 1;
            let error = match self.once(path, operation).await {
                Ok(answered) if answered.status == 200 => return Ok(answered.body),
                Ok(answered) if answered.status == 404 => {
                    return Err(HostError::new(Cause::NotFound, operation, "it has no answer"));
                }
                Ok(answered) => {
                    // A token of before a restart of the service.
                    *self.token.lock().unwrap_or_else(PoisonError::into_inner) = None;
                    let message = format!("it answers {}", answered.status);
                    HostError::new(Cause::Refused, operation, message)
                }
                Err(error) => error,
            };
            if tried >= TRIES {
                return Err(error);
            }
            tokio::time::sleep(pause(tried)).await;
        }
    }

    async fn once(&self, path: &str, operation: &str) -> Answer<Answered> {
        let token = self.token(operation).await?;
        let request = self.client.get(format!("{}/latest/{path}", self.base)).timeout(CALL);
        let request = request.header("x-aws-ec2-metadata-token", token);
        http::send(request, LARGEST, operation).await
    }

    async fn token(&self, operation: &str) -> Answer<String> {
        let kept = self.token.lock().unwrap_or_else(PoisonError::into_inner).clone();
        if let Some((token, until)) = kept
            && Instant::now() < until
        {
            return Ok(token);
        }
        let url = format!("{}/latest/api/token", self.base);
        let request = self.client.request(Method::PUT, url).timeout(CALL);
        let request =
            request.header("x-aws-ec2-metadata-token-ttl-seconds", TOKEN_SECONDS.to_string());
        let answered = http::send(request, LARGEST, operation).await?;
        if answered.status != 200 {
            let message = format!("it gives no token, but {}", answered.status);
            return Err(HostError::new(Cause::Refused, operation, message));
        }
        let token = String::from_utf8_lossy(&answered.body).trim().to_string();
        let until = Instant::now() + Duration::from_secs(TOKEN_SECONDS / 2);
        let kept = Some((token.clone(), until));
        *self.token.lock().unwrap_or_else(PoisonError::into_inner) = kept;
        Ok(token)
    }
}

/// None once they have expired.
fn time_left(credentials: &Credentials) -> Option<Duration> {
    credentials.expiry()?.duration_since(SystemTime::now()).ok()
}
