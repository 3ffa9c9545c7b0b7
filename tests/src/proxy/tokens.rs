//! Client tokens: the same token and the same parameters get the same answer
//! again, other parameters are refused. The emulator ignores most tokens.
//!
//! As on AWS an answer is given again even when what it made is gone by now;
//! whoever makes a thing anew must take a new token.

use std::collections::BTreeMap;

use bytes::Bytes;
use hyper::Response;

use super::action::{Call, Protocol};
use super::wording::Refusal;

const KEPT: usize = 20_000;

/// The tokens seen so far.
#[derive(Debug, Default)]
pub(super) struct Tokens {
    answers: BTreeMap<(String, String, String), Kept>,
}

#[derive(Clone, Debug)]
struct Kept {
    parameters: String,
    answer: Response<Bytes>,
}

impl Tokens {
    /// The answer to a call whose token was used before.
    pub(super) fn replay(&self, call: &Call) -> Option<Response<Bytes>> {
        let kept = self.answers.get(&key(call)?)?;
        if call.service == "efs" {
            return Some(access_point_exists(kept));
        }
        if kept.parameters == parameters(call) {
            return Some(kept.answer.clone());
        }
        if call.service == "servicediscovery" {
            // Another request altogether: what exists by its name is refused.
            return None;
        }
        let message = "Arguments on this idempotent request are inconsistent with arguments used \
                       in previous request(s).";
        Some(Refusal::new("IdempotentParameterMismatch", message).answer(call))
    }

    /// Keeps the answer to a call that succeeded.
    pub(super) fn keep(&mut self, call: &Call, answer: &Response<Bytes>) {
        if !answer.status().is_success() {
            return;
        }
        if call.operation == "DeleteAccessPoint" {
            return self.forget(call);
        }
        let Some(key) = key(call) else { return };
        if self.answers.len() >= KEPT {
            self.answers.pop_first();
        }
        let kept = Kept { parameters: parameters(call), answer: answer.clone() };
        self.answers.insert(key, kept);
    }

    /// An access point's token is free again when it is gone.
    fn forget(&mut self, call: &Call) {
        let id = call.path.rsplit('/').next().unwrap_or_default();
        self.answers.retain(|key, kept| {
            key.1 != "CreateAccessPoint"
                || !String::from_utf8_lossy(kept.answer.body()).contains(id)
        });
    }
}

/// Region, operation and token of a call that has one.
fn key(call: &Call) -> Option<(String, String, String)> {
    let token = match call.protocol {
        Protocol::Ec2 if call.mutating() => call.param("ClientToken").to_string(),
        Protocol::RestJson if call.operation == "CreateAccessPoint" => field(call, "ClientToken")?,
        Protocol::Json if call.service == "servicediscovery" && call.mutating() => {
            field(call, "CreatorRequestId")?
        }
        _ => return None,
    };
    (!token.is_empty()).then(|| (call.region.clone(), call.operation.clone(), token))
}

/// A text of the call's JSON body.
fn field(call: &Call, name: &str) -> Option<String> {
    let body: serde_json::Value = serde_json::from_slice(&call.body).ok()?;
    Some(body[name].as_str()?.to_string())
}

fn parameters(call: &Call) -> String {
    match call.protocol {
        Protocol::Ec2 => {
            let rest = call.params.iter().filter(|(name, _)| *name != "ClientToken");
            rest.map(|(name, value)| format!("{name}={value}\n")).collect()
        }
        _ => String::from_utf8_lossy(&call.body).into_owned(),
    }
}

/// EFS does not replay: it says what the token made.
fn access_point_exists(kept: &Kept) -> Response<Bytes> {
    let made: serde_json::Value = serde_json::from_slice(kept.answer.body()).unwrap_or_default();
    let body = serde_json::json!({
        "ErrorCode": "AccessPointAlreadyExists",
        "Message": "An access point with this client token exists",
        "AccessPointId": made["AccessPointId"],
    });
    let mut answer = Response::new(Bytes::from(body.to_string()));
    *answer.status_mut() = hyper::StatusCode::CONFLICT;
    let header = hyper::header::HeaderValue::from_static("AccessPointAlreadyExists");
    answer.headers_mut().insert("x-amzn-errortype", header);
    answer
}

#[cfg(test)]
mod tests {
    use super::*;
    use hyper::Request;

    fn call(body: &str) -> Call {
        let scope = "Credential=A/1/us-east-1/ec2/aws4_request";
        let request = Request::builder().header("authorization", scope).body(()).unwrap();
        Call::new(&request.into_parts().0, Bytes::from(body.to_string()))
    }

    #[test]
    fn a_token_gives_its_answer_again_and_refuses_other_parameters() {
        let mut tokens = Tokens::default();
        let first = call("Action=CreateVolume&Size=1&ClientToken=t");
        tokens.keep(&first, &Response::new(Bytes::from_static(b"vol-1")));
        assert_eq!(tokens.replay(&first).unwrap().body(), "vol-1");
        let other = call("Action=CreateVolume&Size=2&ClientToken=t");
        let refusal = tokens.replay(&other).unwrap();
        assert!(String::from_utf8_lossy(refusal.body()).contains("IdempotentParameterMismatch"));
        assert!(tokens.replay(&call("Action=CreateVolume&Size=1&ClientToken=u")).is_none());
        assert!(tokens.replay(&call("Action=CreateVolume&Size=1")).is_none());
    }
}
