//! What is not tried again for a while: what AWS refused, and what stopped a
//! machine in vain.
//!
//! Rights and quotas are given from outside the repository, so a refusal is not
//! final: it is tried again after an interval, then two, four, … up to
//! [`LONGEST`], and with every new commit. A change that stops what people work
//! on is another matter: each try ends their sessions. Where it failed, it is not
//! tried again until it is another change or is consented to anew.
//!
//! Invariants: what is held delays nothing but what waits for it; nothing is
//! remembered beyond this process, where one more try does no harm.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use lyceum_core::address::Address;
use lyceum_core::cloud::Class;
use lyceum_core::manifest::repository::Consent;
use lyceum_core::plan::Change;
use lyceum_core::report::{Failure, Outcome, Report};
use lyceum_core::site::digest;

/// The longest time between two tries of what was refused.
const LONGEST: Duration = Duration::from_secs(3600);

/// The call that stops a machine.
const STOP: &str = "ec2:StopInstances";

/// The changes of one scope that are not tried for now.
#[derive(Debug, Default)]
pub(crate) struct Refused {
    by_address: BTreeMap<Address, Held>,
}

#[derive(Debug)]
struct Held {
    /// What was tried, with the consents it rests on.
    what: String,
    failure: Failure,
    times: u32,
    /// When it may be tried again; never by itself where there is none.
    until: Option<Instant>,
}

impl Refused {
    /// Those of `changes` that are not to be tried yet, with what became of them.
    pub(crate) fn held(
        &self,
        changes: &[Change],
        consents: &[Consent],
        now: Instant,
    ) -> BTreeMap<Address, Failure> {
        let held = changes.iter().filter_map(|change| {
            let held = self.by_address.get(&change.address)?;
            // What stopped the machine and failed later stops it no more.
            let early = match held.until {
                Some(until) => now < until,
                None => change.disrupts(),
            };
            let same = held.what == what(change, consents);
            (early && same).then(|| (change.address.clone(), held.told()))
        });
        held.collect()
    }

    /// Remembers what of `changes` a pass was refused, and forgets what it did.
    pub(crate) fn learn(
        &mut self,
        (changes, report): (&[Change], &Report),
        consents: &[Consent],
        (interval, now): (Duration, Instant),
    ) {
        for change in changes {
            let Some(outcome) = report.outcomes.get(&change.address) else { continue };
            let before = self.by_address.remove(&change.address);
            let Outcome::Failed(failure) = outcome else { continue };
            let what = what(change, consents);
            let times = before.filter(|held| held.what == what).map_or(0, |held| held.times);
            let until = match (change.disrupts(), failure.class.passes()) {
                (true, _) if is_unsent_stop(failure) => continue,
                (true, _) => None,
                (false, false) => Some(now + pause(interval, times)),
                (false, true) => continue,
            };
            let held = Held { what, failure: failure.clone(), times: times + 1, until };
            self.by_address.insert(change.address.clone(), held);
        }
    }

    /// A new commit: what was refused may be tried at once.
    pub(crate) fn try_again(&mut self) {
        self.by_address.retain(|_, held| held.until.is_none());
    }
}

impl Held {
    /// As it failed, and what it waits for. It is no failure that passes.
    fn told(&self) -> Failure {
        let Failure { operation, error, hint, .. } = self.failure.clone();
        let hint = match self.until {
            Some(_) => hint,
            None => "it stopped a machine in vain: change it, or consent to it anew with another \
                     reason, to have it tried again"
                .into(),
        };
        Failure { operation, error, hint, class: Class::Invalid }
    }
}

/// The very call that stops a machine was not carried out.
fn is_unsent_stop(failure: &Failure) -> bool {
    failure.class == Class::Throttled && failure.operation == STOP
}

/// What is tried: the object, how it would be, and who consented.
fn what(change: &Change, consents: &[Consent]) -> String {
    let address = change.address.to_string();
    let body =
        change.resource.as_ref().map(|resource| (resource.body.attributes(), &resource.tags));
    let consents: Vec<_> = consents.iter().filter(|consent| consent.address == address).collect();
    digest(&format!("{:?} {:?} {body:?} {consents:?}", change.action, change.id))
}

fn pause(interval: Duration, times: u32) -> Duration {
    interval.saturating_mul(1 << times.min(20)).min(LONGEST.max(interval))
}

#[cfg(test)]
mod tests {
    use super::*;
    use lyceum_core::cloud::CloudError;
    use lyceum_core::kind::Instance;
    use lyceum_core::manifest::repository::Deed;
    use lyceum_core::observed::Object;
    use lyceum_core::plan::{Action, AttributeChange, Reason};
    use serde_json::Value;

    const MINUTE: Duration = Duration::from_secs(60);

    fn hub() -> Address {
        Address::new("geo", "instance", "hub")
    }

    fn change(path: &str) -> Change {
        let object = Object {
            address: hub(),
            region: "us-east-1".into(),
            id: "i-1".into(),
            outputs: BTreeMap::new(),
            tags: BTreeMap::new(),
            body: Instance::default().into(),
        };
        let attribute = AttributeChange {
            path: path.into(),
            before: Value::Null,
            after: Value::Null,
            reason: Reason::Changed,
        };
        Change {
            address: hub(),
            kind: "instance".into(),
            action: Action::Update,
            reason: Reason::Changed,
            id: Some("i-1".into()),
            attributes: vec![attribute],
            resource: None,
            object: Some(object),
        }
    }

    fn failed(class: Class) -> Report {
        let outcome = CloudError::new(class, "ec2:X", "no").into();
        Report { outcomes: [(hub(), outcome)].into() }
    }

    fn consent(reason: &str) -> Consent {
        Consent {
            address: hub().to_string(),
            id: "i-1".into(),
            to: Deed::Any,
            reason: reason.into(),
        }
    }

    #[test]
    fn what_was_refused_is_tried_ever_more_rarely_and_with_a_new_commit() {
        let (mut refused, begin) = (Refused::default(), Instant::now());
        let changes = [change("metadata_tokens")];
        let mut at = begin;
        for minutes in [1, 2, 4, 8, 16, 32, 60, 60] {
            refused.learn((&changes, &failed(Class::Denied)), &[], (MINUTE, at));
            let wait = MINUTE * minutes;
            assert_eq!(refused.held(&changes, &[], at + wait - MINUTE / 2).len(), 1, "{minutes}");
            assert!(refused.held(&changes, &[], at + wait).is_empty(), "{minutes}");
            at += wait;
        }
        refused.learn((&changes, &failed(Class::Denied)), &[], (MINUTE, at));
        refused.try_again();
        assert!(refused.held(&changes, &[], at).is_empty());
    }

    #[test]
    fn what_may_pass_is_not_held_nor_is_another_change() {
        let (mut refused, now) = (Refused::default(), Instant::now());
        let changes = [change("metadata_tokens")];
        refused.learn((&changes, &failed(Class::NotYet)), &[], (MINUTE, now));
        assert!(refused.held(&changes, &[], now).is_empty());
        refused.learn((&changes, &failed(Class::Invalid)), &[], (MINUTE, now));
        let other = [Change { id: Some("i-2".into()), ..change("metadata_tokens") }];
        assert!(refused.held(&other, &[], now).is_empty());
        refused.learn(
            (&changes, &Report { outcomes: [(hub(), Outcome::Applied)].into() }),
            &[],
            (MINUTE, now),
        );
        assert!(refused.held(&changes, &[], now).is_empty());
    }

    #[test]
    fn what_stopped_a_machine_in_vain_waits_for_another_consent_whatever_failed() {
        let (mut refused, now) = (Refused::default(), Instant::now());
        let (changes, old) = ([change("instance_type")], [consent("before the exam")]);
        refused.learn((&changes, &failed(Class::NotYet)), &old, (MINUTE, now));
        refused.try_again();
        let held = refused.held(&changes, &old, now + LONGEST * 10);
        assert!(held[&hub()].hint.contains("consent to it anew"), "{held:?}");
        assert!(!held[&hub()].class.passes());
        assert!(refused.held(&changes, &[consent("once more")], now).is_empty());
        // What is left of it stops nothing.
        assert!(refused.held(&[change("metadata_tokens")], &old, now).is_empty());
    }

    #[test]
    fn a_stop_that_was_never_sent_is_tried_again() {
        let (mut refused, now) = (Refused::default(), Instant::now());
        let (changes, old) = ([change("instance_type")], [consent("before the exam")]);
        let throttled = |operation: &str| Report {
            outcomes: [(hub(), CloudError::new(Class::Throttled, operation, "slow").into())].into(),
        };
        refused.learn((&changes, &throttled("ec2:StopInstances")), &old, (MINUTE, now));
        assert!(refused.held(&changes, &old, now).is_empty());
        refused.learn((&changes, &throttled("ec2:ModifyInstanceAttribute")), &old, (MINUTE, now));
        assert_eq!(refused.held(&changes, &old, now).len(), 1);
    }
}
