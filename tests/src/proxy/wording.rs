//! Errors, worded as each service words them.

use bytes::Bytes;
use hyper::{Response, StatusCode};

use super::action::{Call, Protocol};

const REQUEST: &str = "5d0c2a7e-0000-4000-8000-00000000face";

/// An error as a service would say it.
#[derive(Clone, Debug)]
pub(super) struct Refusal {
    /// HTTP status.
    pub(super) status: u16,
    /// The service's code.
    pub(super) code: String,
    /// The service's words.
    pub(super) message: String,
}

impl Refusal {
    /// HTTP 400 with a code and a message: what most refusals are.
    pub(super) fn new(code: &str, message: impl Into<String>) -> Self {
        Self { status: 400, code: code.into(), message: message.into() }
    }

    /// Too many calls.
    pub(super) fn throttled(call: &Call) -> Self {
        let (status, code, message) = match (call.service.as_str(), call.protocol) {
            ("ec2", _) => (503, "RequestLimitExceeded", "Request limit exceeded."),
            ("s3", _) => (503, "SlowDown", "Please reduce your request rate."),
            ("efs", _) => (429, "ThrottlingException", "Rate exceeded"),
            (_, Protocol::Json | Protocol::Cbor) => (400, "ThrottlingException", "Rate exceeded"),
            _ => (400, "Throttling", "Rate exceeded"),
        };
        Self { status, code: code.into(), message: message.into() }
    }

    /// Not allowed.
    pub(super) fn denied(call: &Call) -> Self {
        let message =
            format!("User is not authorized to perform: {} with an explicit deny", call.action());
        let (status, code) = match (call.service.as_str(), call.protocol) {
            ("ec2", _) => (403, "UnauthorizedOperation"),
            (_, Protocol::Json | Protocol::Cbor | Protocol::RestJson) => {
                (400, "AccessDeniedException")
            }
            _ => (403, "AccessDenied"),
        };
        Self { status, code: code.into(), message }
    }

    /// The service failed with an HTTP status.
    pub(super) fn failed(call: &Call, status: u16) -> Self {
        let code = match (status, call.service.as_str(), call.protocol) {
            (503, "ec2", _) => "Unavailable",
            (503, ..) => "ServiceUnavailable",
            (_, "ec2" | "s3", _) => "InternalError",
            (_, _, Protocol::Json | Protocol::Cbor) => "InternalServerError",
            _ => "InternalFailure",
        };
        Self { status, code: code.into(), message: "An internal error has occurred".into() }
    }

    /// As the answer to a call.
    pub(super) fn answer(&self, call: &Call) -> Response<Bytes> {
        let (kind, body) = match call.protocol {
            Protocol::Ec2 => ("text/xml", self.ec2()),
            Protocol::Query => ("text/xml", self.query()),
            Protocol::RestXml if call.service == "s3" => ("application/xml", self.s3()),
            Protocol::RestXml => ("text/xml", self.query()),
            Protocol::Json => ("application/x-amz-json-1.1", self.json()),
            Protocol::Cbor => ("application/cbor", Vec::new()),
            Protocol::RestJson => ("application/json", self.rest_json()),
        };
        let body = if call.protocol == Protocol::Cbor { self.cbor() } else { body };
        let mut response = Response::new(Bytes::from(body));
        *response.status_mut() =
            StatusCode::from_u16(self.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
        let headers = response.headers_mut();
        headers.insert("content-type", hyper::header::HeaderValue::from_static(kind));
        headers.insert("x-amzn-requestid", hyper::header::HeaderValue::from_static(REQUEST));
        if call.protocol == Protocol::Cbor {
            let protocol = hyper::header::HeaderValue::from_static("rpc-v2-cbor");
            headers.insert("smithy-protocol", protocol);
        }
        if let Ok(code) = self.code.parse() {
            headers.insert("x-amzn-errortype", code);
        }
        response
    }

    fn ec2(&self) -> Vec<u8> {
        format!(
            "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<Response><Errors><Error><Code>{}</Code>\
             <Message>{}</Message></Error></Errors><RequestID>{REQUEST}</RequestID></Response>",
            self.code,
            escape(&self.message)
        )
        .into_bytes()
    }

    fn query(&self) -> Vec<u8> {
        let who = if self.status >= 500 { "Receiver" } else { "Sender" };
        format!(
            "<ErrorResponse><Error><Type>{who}</Type><Code>{}</Code><Message>{}</Message></Error>\
             <RequestId>{REQUEST}</RequestId></ErrorResponse>",
            self.code,
            escape(&self.message)
        )
        .into_bytes()
    }

    fn s3(&self) -> Vec<u8> {
        format!(
            "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<Error><Code>{}</Code><Message>{}\
             </Message><RequestId>{REQUEST}</RequestId></Error>",
            self.code,
            escape(&self.message)
        )
        .into_bytes()
    }

    fn json(&self) -> Vec<u8> {
        serde_json::json!({"__type": self.code, "message": self.message}).to_string().into_bytes()
    }

    fn rest_json(&self) -> Vec<u8> {
        serde_json::json!({"ErrorCode": self.code, "Message": self.message})
            .to_string()
            .into_bytes()
    }

    /// A map of two texts, `{"__type": …, "message": …}`.
    fn cbor(&self) -> Vec<u8> {
        let mut out = vec![0xa2];
        for text in ["__type", &self.code, "message", &self.message] {
            cbor_text(&mut out, text);
        }
        out
    }
}

fn cbor_text(out: &mut Vec<u8>, text: &str) {
    let short: String = text.chars().take(250).filter(char::is_ascii).collect();
    match short.len() {
        // A text of less than 24 bytes carries its length in its first byte.
        length if length < 24 => out.push(0x60 | length as u8),
        length => out.extend([0x78, length as u8]),
    }
    out.extend(short.as_bytes());
}

fn escape(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;")
}

#[cfg(test)]
mod tests {
    use super::*;
    use hyper::Request;

    fn call(signed: &str, header: (&str, &str)) -> Call {
        let scope = format!("Credential=A/1/us-east-1/{signed}/aws4_request");
        let request = Request::builder()
            .uri("/service/X/operation/Y")
            .header("authorization", scope)
            .header(header.0, header.1)
            .body(())
            .unwrap();
        Call::new(&request.into_parts().0, Bytes::from_static(b"Action=DoIt"))
    }

    #[test]
    fn each_service_has_its_own_word_for_too_many_calls() {
        let plain = ("x-none", "");
        let cases = [
            (call("ec2", plain), 503, "<Code>RequestLimitExceeded</Code>"),
            (call("iam", plain), 400, "<Code>Throttling</Code>"),
            (call("s3", plain), 503, "<Code>SlowDown</Code>"),
            (call("ssm", ("x-amz-target", "AmazonSSM.PutParameter")), 400, "ThrottlingException"),
            (call("elasticfilesystem", plain), 429, "ThrottlingException"),
        ];
        for (call, status, text) in cases {
            let answer = Refusal::throttled(&call).answer(&call);
            assert_eq!(answer.status().as_u16(), status, "{}", call.action());
            assert!(String::from_utf8_lossy(answer.body()).contains(text), "{}", call.action());
        }
    }

    #[test]
    fn cbor_errors_are_maps_of_texts() {
        let call = call("monitoring", ("smithy-protocol", "rpc-v2-cbor"));
        let answer = Refusal::new("LimitExceeded", "no").answer(&call);
        assert_eq!(&answer.body()[..8], b"\xa2\x66__type");
        assert_eq!(answer.body()[8], 0x60 | 13);
    }
}
