//! Pages: long answers are cut, and the rest is handed out for a token. The
//! emulator pages hardly anything, so that nobody's second page is ever read.
//!
//! EC2's and the query services' answers are cut here from the whole, which is
//! kept until its last page; where the emulator pages by itself (S3, SSM, EFS)
//! only the limit in the request is lowered.

use std::collections::{BTreeMap, VecDeque};

use bytes::Bytes;
use hyper::Response;

use super::action::{Call, Protocol};
use super::visibility::with_body;
use super::wording::Refusal;
use super::xml::Element;

const KEPT: usize = 500;

/// EC2 lists that come whole on AWS too.
const WHOLE: &[&str] = &[
    "DescribeAddresses",
    "DescribeAvailabilityZones",
    "DescribeRegions",
    "DescribeKeyPairs",
    "DescribeAccountAttributes",
];

/// The answers that are being handed out.
#[derive(Debug, Default)]
pub(super) struct Pages {
    kept: VecDeque<(String, Rest)>,
    count: u64,
}

#[derive(Debug)]
struct Rest {
    /// The answer with its long list emptied.
    frame: Element,
    /// Where the list goes.
    list: List,
    items: Vec<Element>,
}

/// The names of a list: the element around it, where there is one, and its own.
#[derive(Clone, Debug)]
struct List {
    result: Option<String>,
    name: String,
}

impl Pages {
    /// The next page, where a call asks for one of ours.
    pub(super) fn next(&mut self, call: &Call, size: usize) -> Option<Response<Bytes>> {
        let token = token_param(call)?;
        let asked = call.param(token);
        if !asked.starts_with("page-") {
            return None;
        }
        let Some(at) = self.kept.iter().position(|(kept, _)| kept == asked) else {
            let code = if call.service == "ec2" { "InvalidNextToken" } else { "InvalidMarker" };
            return Some(Refusal::new(code, "The token is unknown or was used").answer(call));
        };
        let (_, rest) = self.kept.remove(at)?;
        let body = self.page(call, rest, size);
        let mut answer = Response::new(Bytes::from(body));
        let kind = hyper::header::HeaderValue::from_static("text/xml");
        answer.headers_mut().insert("content-type", kind);
        Some(answer)
    }

    /// The first page of an answer that is too long.
    pub(super) fn cut(
        &mut self,
        call: &Call,
        answer: Response<Bytes>,
        size: usize,
    ) -> Response<Bytes> {
        if token_param(call).is_none() || !answer.status().is_success() {
            return answer;
        }
        match rest_of(call, answer.body(), size) {
            Some(rest) => {
                let body = self.page(call, rest, size);
                with_body(answer, body)
            }
            None => answer,
        }
    }

    fn page(&mut self, call: &Call, mut rest: Rest, size: usize) -> Vec<u8> {
        let later = rest.items.split_off(size.min(rest.items.len()));
        let mut page = rest.frame.clone();
        if let Some(list) = list_in(&mut page, &rest.list) {
            list.children = std::mem::replace(&mut rest.items, later);
        }
        if rest.items.is_empty() {
            mark(&mut page, call, &rest.list, None);
            return page.document();
        }
        self.count += 1;
        let token = format!("page-{}", self.count);
        mark(&mut page, call, &rest.list, Some(&token));
        keep_only_list(&mut rest.frame, &rest.list);
        if self.kept.len() >= KEPT {
            self.kept.pop_front();
        }
        self.kept.push_back((token, rest));
        page.document()
    }
}

/// The request with its limit lowered, where the emulator pages by itself.
pub(super) fn lower_limit(call: &Call, size: usize) -> Option<Lowered> {
    let in_query = |name: &str| {
        let mut params = call.params.clone();
        let limit = size.min(call.param(name).parse().unwrap_or(usize::MAX));
        params.insert(name.into(), limit.to_string());
        Some(Lowered::Query(params))
    };
    match call.action().as_str() {
        "s3:ListObjectsV2" => in_query("max-keys"),
        "efs:DescribeFileSystems" => in_query("MaxItems"),
        "efs:DescribeAccessPoints" => in_query("MaxResults"),
        "ssm:GetParametersByPath" => {
            let mut body: serde_json::Value = serde_json::from_slice(&call.body).ok()?;
            let asked = body["MaxResults"].as_u64().unwrap_or(10);
            body["MaxResults"] = asked.min(size as u64).into();
            Some(Lowered::Body(Bytes::from(body.to_string())))
        }
        _ => None,
    }
}

/// What of a request was changed.
#[derive(Debug)]
pub(super) enum Lowered {
    /// The query string.
    Query(BTreeMap<String, String>),
    /// The body.
    Body(Bytes),
}

/// The parameter that carries the token, where a list pages.
fn token_param(call: &Call) -> Option<&'static str> {
    if call.mutating() || WHOLE.contains(&call.operation.as_str()) {
        return None;
    }
    match (call.service.as_str(), call.protocol) {
        ("ec2", Protocol::Ec2) if call.operation.ends_with('s') => Some("NextToken"),
        ("iam", Protocol::Query) => Some("Marker"),
        ("autoscaling" | "cloudwatch", Protocol::Query) => Some("NextToken"),
        _ => None,
    }
}

/// An answer taken apart, where its longest list is longer than a page.
fn rest_of(call: &Call, body: &Bytes, size: usize) -> Option<Rest> {
    let item = if call.protocol == Protocol::Ec2 { "item" } else { "member" };
    // Most answers are short: look before taking them apart.
    std::str::from_utf8(body).ok()?.matches(&format!("<{item}>")).nth(size)?;
    let mut frame = Element::parse(body)?;
    let list = longest(&frame, call.protocol, item)?;
    let paged_already = [&frame].into_iter().chain(&frame.children).any(|element| {
        !element.text_of("nextToken").is_empty()
            || !element.text_of("NextToken").is_empty()
            || element.text_of("IsTruncated") == "true"
    });
    let found = list_in(&mut frame, &list)?;
    if paged_already || found.children.len() <= size {
        return None;
    }
    let items = std::mem::take(&mut found.children);
    Some(Rest { frame, list, items })
}

fn longest(root: &Element, protocol: Protocol, item: &str) -> Option<List> {
    let (result, holder) = match protocol {
        Protocol::Ec2 => (None, root),
        _ => {
            let result = root.children.iter().find(|child| child.name.ends_with("Result"))?;
            (Some(result.name.clone()), result)
        }
    };
    holder
        .children
        .iter()
        .filter(|child| child.child(item).is_some())
        .max_by_key(|child| child.children.len())
        .map(|child| List { result, name: child.name.clone() })
}

fn holder<'a>(root: &'a mut Element, list: &List) -> Option<&'a mut Element> {
    match &list.result {
        None => Some(root),
        Some(result) => root.children.iter_mut().find(|child| child.name == *result),
    }
}

fn list_in<'a>(root: &'a mut Element, list: &List) -> Option<&'a mut Element> {
    holder(root, list)?.children.iter_mut().find(|child| child.name == list.name)
}

/// Other lists of an answer stand on its first page only.
fn keep_only_list(root: &mut Element, list: &List) {
    if let Some(holder) = holder(root, list) {
        let others = |child: &&mut Element| child.name != list.name;
        holder.children.iter_mut().filter(others).for_each(|child| child.children.clear());
    }
}

/// Writes the token where the service has it, or says that this was the last.
fn mark(root: &mut Element, call: &Call, list: &List, token: Option<&str>) {
    let Some(holder) = holder(root, list) else { return };
    let name = match call.service.as_str() {
        "ec2" => "nextToken",
        "iam" => "Marker",
        _ => "NextToken",
    };
    holder.children.retain(|child| child.name != name);
    if let Some(token) = token {
        holder.set(name, token);
    }
    if call.service == "iam" {
        holder.set("IsTruncated", if token.is_some() { "true" } else { "false" });
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use hyper::Request;

    fn call(signed: &str, body: &str) -> Call {
        let scope = format!("Credential=A/1/us-east-1/{signed}/aws4_request");
        let request = Request::builder().header("authorization", scope).body(()).unwrap();
        Call::new(&request.into_parts().0, Bytes::from(body.to_string()))
    }

    fn text(answer: &Response<Bytes>) -> String {
        String::from_utf8_lossy(answer.body()).into_owned()
    }

    #[test]
    fn a_long_list_comes_in_pages_to_its_end() {
        let mut pages = Pages::default();
        let items: String = (0..5).map(|n| format!("<item><vpcId>v{n}</vpcId></item>")).collect();
        let whole = Response::new(Bytes::from(format!("<R><vpcSet>{items}</vpcSet></R>")));
        let mut answer = pages.cut(&call("ec2", "Action=DescribeVpcs"), whole, 2);
        let mut seen = Vec::new();
        for _ in 0..3 {
            let root = Element::parse(answer.body()).unwrap();
            seen.extend(root.all("vpcId").map(|id| id.text_at(&[]).to_string()));
            let token = root.text_of("nextToken").to_string();
            if token.is_empty() {
                break;
            }
            let next = call("ec2", &format!("Action=DescribeVpcs&NextToken={token}"));
            answer = pages.next(&next, 2).unwrap();
        }
        assert_eq!(seen, ["v0", "v1", "v2", "v3", "v4"]);
        let unknown = call("ec2", "Action=DescribeVpcs&NextToken=page-77");
        assert!(text(&pages.next(&unknown, 2).unwrap()).contains("InvalidNextToken"));
    }

    #[test]
    fn of_several_lists_the_longest_is_cut_and_the_others_come_once() {
        let mut pages = Pages::default();
        let body = "<A><AResult><RoleDetailList><member>1</member><member>2</member></RoleDetailList>\
                    <Policies><member>p</member></Policies><IsTruncated>false</IsTruncated></AResult></A>";
        let ask = call("iam", "Action=GetAccountAuthorizationDetails");
        let first = pages.cut(&ask, Response::new(Bytes::from_static(body.as_bytes())), 1);
        assert!(text(&first).contains("<IsTruncated>true</IsTruncated><Marker>page-1</Marker>"));
        assert!(text(&first).contains("<member>p</member>"));
        let next = call("iam", "Action=GetAccountAuthorizationDetails&Marker=page-1");
        let second = text(&pages.next(&next, 1).unwrap());
        assert!(second.contains("<member>2</member>") && !second.contains("<member>p</member>"));
        assert!(second.contains("<IsTruncated>false</IsTruncated>"));
    }
}
