//! Which calls a fault befalls: by action, by what the body says, by count,
//! by chance from a seed.

use super::action::Call;
use super::fault::Fault;

/// A fault and the calls it befalls. Rules are asked in order; the first that
/// applies is the call's fate, latency aside, which adds to any other.
#[derive(Clone, Debug)]
pub struct Rule {
    action: String,
    body: Option<String>,
    region: Option<String>,
    mutating: Option<bool>,
    when: When,
    seen: u64,
    fault: Fault,
}

#[derive(Clone, Debug)]
enum When {
    Always,
    /// This many from the nth on.
    From(u64, u64),
    /// The nth and its repetitions, this many in all.
    Repeated {
        nth: u64,
        left: u64,
        /// What the nth said, once it has come.
        said: Option<String>,
    },
    Chance {
        one_in: u64,
        state: u64,
    },
}

impl Rule {
    /// Befalls every call of an action: `ec2:CreateVpc`, `ec2:Describe*`, `*`.
    pub fn new(action: &str, fault: Fault) -> Self {
        Self {
            action: action.into(),
            body: None,
            region: None,
            mutating: None,
            when: When::Always,
            seen: 0,
            fault,
        }
    }

    /// Only calls whose parameters, path or body contain a text.
    pub fn containing(self, text: &str) -> Self {
        Self { body: Some(text.into()), ..self }
    }

    /// Only calls to a region.
    pub fn in_region(self, region: &str) -> Self {
        Self { region: Some(region.into()), ..self }
    }

    /// Only calls that change something, or only those that do not.
    pub fn mutating(self, mutating: bool) -> Self {
        Self { mutating: Some(mutating), ..self }
    }

    /// Only the nth of the calls it matches, counted from 1.
    pub fn nth(self, nth: u64) -> Self {
        self.from_nth(nth, 1)
    }

    /// So many in a row of the calls it matches, the nth the first of them.
    pub fn from_nth(self, nth: u64, count: u64) -> Self {
        Self { when: When::From(nth, count), ..self }
    }

    /// Only the nth of the calls it matches and, whatever comes between them, its
    /// repetitions: so many in all.
    pub fn nth_repeated(self, nth: u64, count: u64) -> Self {
        Self { when: When::Repeated { nth, left: count, said: None }, ..self }
    }

    /// Only the first few of the calls it matches.
    pub fn first(self, count: u64) -> Self {
        self.from_nth(1, count)
    }

    /// One call in `one_in`, drawn from a seed: the same seed and the same
    /// order of calls give the same faults.
    pub fn one_in(self, one_in: u64, seed: u64) -> Self {
        Self { when: When::Chance { one_in: one_in.max(1), state: seed }, ..self }
    }

    /// Whether it befalls this call. Counts the call when it matches.
    pub(super) fn befalls(&mut self, call: &Call) -> Option<Fault> {
        if !self.matches(call) {
            return None;
        }
        self.seen += 1;
        let due = match &mut self.when {
            When::Always => true,
            When::From(nth, count) => (*nth..nth.saturating_add(*count)).contains(&self.seen),
            When::Repeated { nth, left, said } => {
                let text = call.text();
                let due = *left > 0 && (self.seen == *nth || said.as_ref() == Some(&text));
                if due {
                    *left -= 1;
                    *said = Some(text);
                }
                due
            }
            When::Chance { one_in, state } => next(state).is_multiple_of(*one_in),
        };
        due.then(|| self.fault.clone())
    }

    fn matches(&self, call: &Call) -> bool {
        fits(&self.action, &call.action())
            && self.region.as_ref().is_none_or(|region| *region == call.region)
            && self.mutating.is_none_or(|mutating| mutating == call.mutating())
            && self.body.as_ref().is_none_or(|text| call.text().contains(text))
    }
}

/// Whether a pattern, whose only wildcard is a `*` at its end, fits an action.
fn fits(pattern: &str, action: &str) -> bool {
    match pattern.strip_suffix('*') {
        Some(start) => action.starts_with(start),
        None => pattern == action,
    }
}

/// The next number of a splitmix sequence: small, seeded, even enough.
pub(super) fn next(state: &mut u64) -> u64 {
    *state = state.wrapping_add(0x9e37_79b9_7f4a_7c15);
    let mut z = *state;
    z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^ (z >> 31)
}

#[cfg(test)]
mod tests {
    use super::*;
    use bytes::Bytes;
    use hyper::Request;

    fn call(body: &str) -> Call {
        let request = Request::builder()
            .header("authorization", "Credential=A/1/us-east-1/ec2/aws4_request")
            .body(())
            .unwrap();
        Call::new(&request.into_parts().0, Bytes::from(body.to_string()))
    }

    #[test]
    fn only_the_nth_matching_call_is_befallen() {
        let mut rule = Rule::new("ec2:Create*", Fault::Throttle).containing("10.1.").nth(2);
        let other = call("Action=DescribeVpcs");
        let first = call("Action=CreateVpc&CidrBlock=10.1.0.0/16");
        let elsewhere = call("Action=CreateVpc&CidrBlock=10.2.0.0/16");
        let fates: Vec<bool> = [&other, &first, &elsewhere, &first, &first]
            .map(|call| rule.befalls(call).is_some())
            .into();
        assert_eq!(fates, [false, false, false, true, false]);
    }

    #[test]
    fn a_call_is_befallen_again_when_it_is_repeated_and_others_are_not() {
        let mut rule = Rule::new("ec2:CreateVpc", Fault::Throttle).nth_repeated(2, 3);
        let [one, two] = ["1", "2"].map(|range| call(&format!("Action=CreateVpc&Range={range}")));
        let fates: Vec<bool> =
            [&one, &two, &one, &two, &two, &two].map(|call| rule.befalls(call).is_some()).into();
        assert_eq!(fates, [false, true, false, true, true, false]);
    }

    #[test]
    fn chance_repeats_itself_from_its_seed() {
        let draw = |seed| {
            let mut rule = Rule::new("*", Fault::Throttle).one_in(3, seed);
            (0..50).map(|_| rule.befalls(&call("Action=X")).is_some()).collect::<Vec<_>>()
        };
        assert_eq!(draw(7), draw(7));
        assert_ne!(draw(7), draw(8));
        let hits = draw(7).iter().filter(|hit| **hit).count();
        assert!((8..28).contains(&hits), "{hits}");
    }
}
