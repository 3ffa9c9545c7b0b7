//! Planning, on a cloud in memory: what is made, left alone, refused.

mod access;
mod drift;
mod extras;
mod gaps;
mod hub;
mod nodes;
mod properties;
mod removal;
mod rollouts;
mod workers;

use std::collections::BTreeSet;

use lyceum_core::address::{Address, refs_in_value};
use lyceum_core::cloud::{Class, Cloud};
use lyceum_core::desired::{Agent, Inputs, desired, scope};
use lyceum_core::kind::{Body, Rule, facts};
use lyceum_core::manifest::repository::{Consent, Deed};
use lyceum_core::manifest::{Manifests, load};
use lyceum_core::observed::{Gap, Object, ObservedState};
use lyceum_core::plan::{Action, Plan, PlanContext, Policy, Reason, plan};
use lyceum_core::site::{TAG_OWNER, TAG_PROTECT, TAG_SOURCE};
use lyceum_testkit::{FakeCloud, Fault, When, carry_out, example, look, manifests, settle, site};

const GEO: &str = "  network: {cidr: 10.20.0.0/16}\n  domain: notebooks.example.edu";
const BIO: &str = "  network: {cidr: 10.21.0.0/16}\n  workers: {min: 2}";

fn context() -> PlanContext {
    let policy = Policy { deletes_per_plan: 20, ..Policy::default() };
    PlanContext { policy, ..PlanContext::default() }
}

fn applied() -> (FakeCloud, Manifests) {
    let manifests = manifests(&[("geo", GEO), ("bio", BIO)]);
    let cloud = FakeCloud::new(&site());
    settle(&cloud, &manifests, &site(), &context(), 1);
    (cloud, manifests)
}

fn address(text: &str) -> Address {
    text.parse().unwrap()
}

fn object(cloud: &FakeCloud, text: &str) -> Object {
    let address = address(text);
    cloud.objects().into_values().find(|object| object.address == address).unwrap()
}

fn consent(cloud: &FakeCloud, text: &str) -> Consent {
    let id = object(cloud, text).id;
    Consent { address: text.into(), id, to: Deed::Any, reason: "test".into() }
}

fn summary(plan: &Plan) -> Vec<String> {
    plan.changes().map(|change| format!("{:?} {}", change.action, change.address)).collect()
}

fn blocked(plan: &Plan) -> Vec<String> {
    plan.scopes.values().flat_map(|s| &s.blocked).map(|b| b.address.clone()).collect()
}

fn unread(kind: &str) -> Gap {
    let (region, cause) = ("us-east-1".into(), "denied".into());
    Gap { region, kind: kind.into(), scope: String::new(), cause }
}

#[test]
fn one_pass_makes_everything_and_the_next_has_nothing_to_do() {
    let (cloud, manifests) = applied();
    let kinds: BTreeSet<String> =
        cloud.objects().values().map(|object| object.address.kind().to_string()).collect();
    // Workers are made by their group, reports by nodes.
    let all: BTreeSet<String> = lyceum_core::kind::KINDS
        .iter()
        .map(|facts| facts.name.to_string())
        .filter(|name| name != "worker" && name != "node-report")
        .collect();
    assert_eq!(kinds, all);
    let (_, plan) = look(&cloud, &manifests, &site(), &context());
    assert_eq!(summary(&plan), Vec::<String>::new());
    assert_eq!(blocked(&plan), Vec::<String>::new());
}

#[test]
fn the_same_input_gives_the_same_plan() {
    let manifests = manifests(&[("geo", GEO), ("bio", BIO)]);
    let cloud = FakeCloud::new(&site());
    let (_, one) = look(&cloud, &manifests, &site(), &context());
    let (_, two) = look(&cloud, &manifests, &site(), &context());
    assert_eq!(one, two);
    assert!(one.changes().all(|change| change.reason == Reason::New));
}

#[test]
fn dying_at_any_call_leaves_nothing_doubled_or_lost() {
    let manifests = manifests(&[("geo", GEO)]);
    let whole = FakeCloud::new(&site());
    settle(&whole, &manifests, &site(), &context(), 1);
    let addresses = |cloud: &FakeCloud| -> Vec<String> {
        let mut all: Vec<_> =
            cloud.objects().values().map(|object| object.address.to_string()).collect();
        all.sort();
        all
    };
    for call in 0..whole.log().len() {
        for when in [When::Before, When::After] {
            let cloud = FakeCloud::new(&site());
            cloud.fail([Fault { call, when, class: Class::Ambiguous }]);
            settle(&cloud, &manifests, &site(), &context(), 4);
            assert_eq!(addresses(&cloud), addresses(&whole), "call {call}, {when:?}");
        }
    }
}

#[test]
fn a_name_that_somebody_else_has_given_away_blocks_the_record_alone() {
    let manifests = manifests(&[("geo", GEO)]);
    let cloud = FakeCloud::new(&site());
    settle(&cloud, &manifests, &site(), &context(), 1);
    let record = object(&cloud, "geo/record/hub");
    cloud.lose(&record.address);
    let (mut observed, _) = look(&cloud, &manifests, &site(), &context());
    let state = desired(&manifests, &site(), &Inputs::new(&manifests, None, &observed));
    let mut taken_by = |leads: &str| {
        let leads = [leads.to_string()].into();
        observed.surroundings.taken_names = [("notebooks.example.edu".to_string(), leads)].into();
        plan(&state, &observed, &context())
    };
    let theirs = taken_by("203.0.113.9");
    assert_eq!((summary(&theirs), blocked(&theirs)), (vec![], vec!["geo/record/hub".to_string()]));
    let cause = &theirs.scopes["geo"].blocked[0].cause;
    assert!(cause.contains("notebooks.example.edu leads to 203.0.113.9"), "{cause}");
    // Ours, that has lost its marker, leads to us.
    assert_eq!(summary(&taken_by("192.0.2.1")), ["Create geo/record/hub"]);

    // A domain is not given up for one that is taken.
    cloud.put(record);
    let other = lyceum_testkit::manifests(&[("geo", &GEO.replace("notebooks", "hub"))]);
    let (mut observed, plan_of_free) = look(&cloud, &other, &site(), &context());
    assert_eq!(summary(&plan_of_free), ["Replace geo/record/hub"]);
    let theirs = ["203.0.113.9".to_string()].into();
    observed.surroundings.taken_names = [("hub.example.edu".to_string(), theirs)].into();
    let state = desired(&other, &site(), &Inputs::new(&other, None, &observed));
    let plan = plan(&state, &observed, &context());
    assert!(
        !summary(&plan).contains(&"Replace geo/record/hub".to_string()),
        "{:?}",
        summary(&plan)
    );
    assert_eq!(blocked(&plan), ["geo/record/hub"]);
}

#[test]
fn what_is_missing_in_aws_blocks_only_itself() {
    let manifests = manifests(&[("geo", &GEO.replace("example.edu", "elsewhere.org"))]);
    let cloud = FakeCloud::new(&site());
    settle(&cloud, &manifests, &site(), &context(), 1);
    let (_, plan) = look(&cloud, &manifests, &site(), &context());
    assert_eq!(blocked(&plan), ["geo/record/hub"]);
}

#[test]
fn what_somebody_else_guards_an_interface_with_holds_up_nothing() {
    let (cloud, manifests) = applied();
    cloud.tamper(&address("geo/network-interface/hub"), |object| {
        if let Body::NetworkInterface(it) = &mut object.body {
            it.security_groups.insert("sg-theirs".into());
        }
    });
    let (_, plan) = look(&cloud, &manifests, &site(), &context());
    assert_eq!(summary(&plan), ["Update geo/network-interface/hub"]);
    assert!(plan.scopes["geo"].gaps.is_empty());
}

#[test]
fn a_suspended_cluster_is_left_exactly_as_it_is() {
    let (cloud, _) = applied();
    cloud.lose(&address("geo/alarm/hub-cpu"));
    let still = manifests(&[("geo", &format!("{GEO}\n  suspend: true")), ("bio", BIO)]);
    let (_, plan) = look(&cloud, &still, &site(), &context());
    assert!(plan.is_empty());
    assert!(plan.scopes["geo"].suspended);
}

#[test]
fn examples_load() {
    assert!(load(&example(&[("geo", GEO)])).is_ok());
}

#[test]
fn every_reference_to_an_id_is_known_as_one() {
    let state = desired(&manifests(&[("geo", GEO)]), &site(), &Inputs::default());
    for resource in state.resources.values() {
        let kind = facts(resource.address.kind());
        let attributes = resource.body.attributes();
        for (name, rule) in kind.attributes {
            let refs = refs_in_value(attributes.get(*name).unwrap_or(&serde_json::Value::Null));
            // A policy's text or a value that is handed on holds nothing back;
            // nor does what an object was made from.
            let of_ids = refs.iter().filter(|one| {
                one.output == "id"
                    && *rule != Rule::Initial
                    && !one.address.scope().starts_with('@')
                    && resource.address.kind() != "parameter"
            });
            for one in of_ids {
                let pair = (*name, one.address.kind());
                assert!(kind.refers.contains(&pair), "{}: {pair:?}", kind.name);
            }
        }
    }
}

#[test]
fn a_whole_region_is_made_and_removed_beside_another() {
    let west = format!("  region: us-west-2\n{BIO}");
    let manifests = manifests(&[("geo", GEO), ("bio", &west)]);
    let cloud = FakeCloud::new(&site());
    settle(&cloud, &manifests, &site(), &context(), 1);
    let mut context = context();
    context.policy.destroy = BTreeSet::from(["bio".into()]);
    settle(&cloud, &manifests, &site(), &context, 3);
    let left: BTreeSet<String> = cloud
        .objects()
        .into_values()
        .filter(|object| object.address.scope() == "bio")
        .map(|object| object.address.kind().to_string())
        .collect();
    assert!(!left.contains("scaling-group") && !left.contains("role"), "{left:?}");
}

#[test]
fn a_cluster_whose_region_changes_is_not_touched_at_all() {
    let (cloud, _) = applied();
    let moved = manifests(&[("geo", &format!("  region: us-west-2\n{GEO}")), ("bio", BIO)]);
    let (_, plan) = look(&cloud, &moved, &site(), &context());
    assert!(plan.changes().all(|change| change.address.scope() == "@us-west-2"));
    assert_eq!(blocked(&plan), ["geo"]);
}

fn agent(letter: &str) -> Agent {
    Agent { digest: letter.repeat(64), size: 5, etag: letter.repeat(32) }
}

/// One pass of a reconciler that carries `agent`.
fn pass(cloud: &FakeCloud, manifests: &Manifests, agent: Option<&Agent>) -> Plan {
    let (observed, _) = look(cloud, manifests, &site(), &context());
    let state = desired(manifests, &site(), &Inputs::new(manifests, agent, &observed));
    let plan = plan(&state, &observed, &context());
    assert!(carry_out(cloud, &observed, &plan).is_empty());
    plan
}

#[test]
fn a_new_agent_is_there_before_any_node_starts_with_it_and_the_old_until_none_does() {
    let manifests = manifests(&[("geo", GEO)]);
    let cloud = FakeCloud::new(&site());
    pass(&cloud, &manifests, Some(&agent("a")));
    assert!(pass(&cloud, &manifests, Some(&agent("a"))).is_empty());
    let before = cloud.log().len();
    let plan = pass(&cloud, &manifests, Some(&agent("b")));
    assert!(plan.changes().all(|change| change.action != Action::Delete), "{:?}", summary(&plan));
    let log = cloud.log().split_off(before);
    let place = |name: &str| log.iter().position(|call| call == name).unwrap();
    let upload = place("create geo/object/agent-bbbbbbbbbbbb");
    assert!(upload < place("update geo/launch-template/hub"));
    assert!(upload < place("update geo/launch-template/workers"));
    // Whoever carries no agent goes on with the one nodes start with.
    assert_eq!(summary(&pass(&cloud, &manifests, None)), ["Delete geo/object/agent-aaaaaaaaaaaa"]);
    assert!(pass(&cloud, &manifests, Some(&agent("b"))).is_empty());
}

#[test]
fn an_old_agent_stays_while_the_group_launches_from_an_older_version() {
    let manifests = manifests(&[("geo", GEO)]);
    let cloud = FakeCloud::new(&site());
    pass(&cloud, &manifests, Some(&agent("a")));
    pass(&cloud, &manifests, Some(&agent("b")));
    cloud.tamper(&address("geo/scaling-group/workers"), |object| {
        if let Body::ScalingGroup(group) = &mut object.body {
            group.template_version = "1".into();
        }
    });
    let plan = pass(&cloud, &manifests, Some(&agent("b")));
    assert_eq!(summary(&plan), ["Update geo/scaling-group/workers"]);
    let plan = pass(&cloud, &manifests, Some(&agent("b")));
    assert_eq!(summary(&plan), ["Delete geo/object/agent-aaaaaaaaaaaa"]);
}

#[test]
fn a_newer_image_is_told_of_and_changes_nothing() {
    let (cloud, manifests) = applied();
    let (mut observed, plan_before) = look(&cloud, &manifests, &site(), &context());
    assert!(plan_before.scopes["geo"].notices.is_empty());
    let images = observed.surroundings.images.get_mut("us-east-1").unwrap();
    for image in images.values_mut() {
        image.id = "ami-newer".into();
        image.name = "debian-12-amd64-20270101".into();
    }
    let state = desired(&manifests, &site(), &Inputs::new(&manifests, None, &observed));
    let plan = plan(&state, &observed, &context());
    assert_eq!(summary(&plan), Vec::<String>::new());
    for cluster in ["geo", "bio"] {
        let told = |group: &str| {
            format!(
                "{cluster}/launch-template/{group} uses ami-debian-12; ami-newer \
                 (debian-12-amd64-20270101) is newer: set spec.image to take it"
            )
        };
        assert_eq!(plan.scopes[cluster].notices, [told("hub"), told("workers")]);
    }
}

#[test]
fn what_a_node_runs_leaves_room_for_the_administrators_keys() {
    let longest = "a".repeat(24);
    let manifests = manifests(&[(&longest, "  network: {cidr: 10.20.0.0/16}")]);
    let agents = std::collections::BTreeMap::from([(longest.clone(), agent("a"))]);
    let state = desired(&manifests, &site(), &Inputs { agents, ..Inputs::default() });
    let template = &state.resources[&address(&format!("{longest}/launch-template/workers"))];
    let Body::LaunchTemplate(template) = &template.body else { panic!("a template") };
    assert!(template.user_data.contains("/object/agent-"));
    let (limit, keys) = (16 * 1024, 8 * 1024);
    assert!(template.user_data.len() < limit - keys - 1024, "{}", template.user_data.len());
}
