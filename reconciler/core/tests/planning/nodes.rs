//! What the nodes are told: bundles, the key, pointers. Nothing is told by halves.

use std::collections::BTreeMap;

use lyceum_core::cloud::Class;
use lyceum_core::desired::{Agent, DesiredState, Inputs, desired, pointers, recognise};
use lyceum_core::kind::{Body, Pointer};
use lyceum_core::manifest::cluster::ClusterSpec;
use lyceum_core::manifest::{Manifests, Snapshot, load};
use lyceum_core::node::bundle::Bundle;
use lyceum_core::node::pointer::Trust;
use lyceum_core::node::report::{NodeReport, TargetReport};
use lyceum_core::plan::{Action, PlanContext, Reason, plan};
use lyceum_testkit::{FakeCloud, Fault, When, carry_out, example, look, now, settle, site};
use serde_json::Value;

use super::{GEO, address, blocked, context, object, summary, unread};
use lyceum_core::cloud::Cloud;
use lyceum_core::desired::scope;

const HUB: &str = "clusters/geo/pointers/hub.json";
const WORKERS: &str = "clusters/geo/pointers/workers.json";

/// A repository with this template in the hub's role, and this in its cluster.
fn files(page: &str, spec: &str) -> Snapshot {
    let mut files = example(&[("geo", &format!("{GEO}\n{spec}"))]);
    let role = "apiVersion: lyceum/v1\nkind: Role\nmetadata:\n  name: jupyterhub\n  version: 1.0.0\n  \
                description: a role\nspec:\n  attributes:\n    port: {type: integer, description: p, default: 1}\n  \
                steps:\n    - name: page\n      file: {path: /srv/page, template: page}\n";
    files.files.insert("cookbooks/jupyterhub/role.yaml".into(), role.into());
    files.files.insert("cookbooks/jupyterhub/templates/page".into(), page.into());
    files.files.insert("cookbooks/jupyterhub/files/logo".into(), vec![0, 159, 146, 150]);
    files
}

fn with(page: &str, spec: &str) -> Manifests {
    load(&files(page, spec)).unwrap()
}

fn page(text: &str) -> Manifests {
    with(text, "")
}

/// What planning knows once `manifests` were applied.
fn applied(manifests: &Manifests) -> PlanContext {
    let was = desired(manifests, &site(), &Inputs::default());
    let mut context = context();
    context.applied.insert("geo".into(), was.resources);
    context
}

/// Everything that nodes may ever have seen is whole: signed, and what it names
/// was there.
fn assert_whole(cloud: &FakeCloud) {
    for (key, group) in [(HUB, "hub"), (WORKERS, "workers")] {
        let mut taken = 0;
        for pointer in cloud.pointers(key) {
            let body: Value = serde_json::from_str(&pointer.body).unwrap();
            let public_key = body["publicKey"].as_str().unwrap();
            let trust = Trust { public_key, cluster: "geo", group, taken };
            let told = pointer.accept(&trust).unwrap();
            assert!(pointer.sequence > taken, "it goes up");
            taken = pointer.sequence;
            let bundle = format!("clusters/geo/bundles/{}", told.target.bundle);
            let bundle = Bundle::unpack(&cloud.content(&bundle).unwrap()).unwrap();
            assert!(told.target.roles.iter().all(|role| bundle.roles.contains_key(role)));
        }
    }
}

#[test]
fn the_first_pass_tells_the_nodes_and_a_list_then_tells_that_they_know() {
    let manifests = page("one");
    let cloud = FakeCloud::new(&site());
    settle(&cloud, &manifests, &site(), &context(), 1);
    assert_whole(&cloud);
    let [hub] = &cloud.pointers(HUB)[..] else { panic!("one pointer") };
    assert_eq!(hub.revision, "test");
    // The templates of nodes carry the key that pointers are signed with.
    let key = object(&cloud, "geo/signing-key/node").output("public_key").unwrap();
    for group in ["hub", "workers"] {
        let Body::LaunchTemplate(template) =
            object(&cloud, &format!("geo/launch-template/{group}")).body
        else {
            panic!("a template")
        };
        assert!(template.user_data.contains(&format!("\"publicKey\":\"{key}\"")));
    }
    // Nothing has to be read when nothing changed.
    let mut observed = now(cloud.observe(&scope(&manifests)));
    let inputs = Inputs::new(&manifests, None, &observed);
    let unread = |observed: &mut _| recognise(&pointers(&manifests, &site(), &inputs), observed);
    assert_eq!(unread(&mut observed), []);
    let state = desired(&manifests, &site(), &inputs);
    assert!(plan(&state, &observed, &context()).is_empty());
    // Another commit alone is no change of what nodes are told.
    let again = Manifests { revision: "another".into(), ..manifests };
    assert!(look(&cloud, &again, &site(), &context()).1.is_empty());
}

#[test]
fn a_changed_role_shows_what_changes_in_its_files_before_it_does() {
    let (before, after) = (page("one\ntwo\n"), page("one\nthree\n"));
    let cloud = FakeCloud::new(&site());
    settle(&cloud, &before, &site(), &context(), 1);
    let (observed, plan) = look(&cloud, &after, &site(), &applied(&before));
    let hub = plan.changes().find(|change| change.address == address("geo/pointer/hub")).unwrap();
    assert_eq!((hub.action, hub.reason.clone()), (Action::Update, Reason::Changed));
    let shown: Vec<(&str, &Value, &Value)> =
        hub.attributes.iter().map(|one| (one.path.as_str(), &one.before, &one.after)).collect();
    let paths: Vec<&str> = shown.iter().map(|(path, ..)| *path).collect();
    assert_eq!(
        paths,
        [
            "target.bundle",
            "target.bundleSize",
            "target.roleDigests.jupyterhub",
            "roles.jupyterhub[templates/page]"
        ]
        .into_iter()
        .filter(|path| paths.contains(path))
        .collect::<Vec<_>>()
    );
    let (_, old, new) = shown.last().unwrap();
    assert_eq!((old.as_str(), new.as_str()), (Some("one\ntwo\n"), Some("one\nthree\n")));
    let expected = [format!("Create {}", bundle(&after)), "Update geo/pointer/hub".into()];
    assert_eq!(summary(&plan), expected, "the workers have other roles");

    carry_out(&cloud, &observed, &plan);
    assert_whole(&cloud);
    assert_eq!(cloud.pointers(HUB).len(), 2);
    // The old bundle goes once no pointer names it.
    let (_, plan) = look(&cloud, &after, &site(), &applied(&after));
    assert_eq!(summary(&plan), [format!("Delete {}", bundle(&before))]);
}

/// The address of the hub's bundle.
fn bundle(manifests: &Manifests) -> String {
    let list = &manifests.clusters["geo"].cluster.spec.hub.roles;
    format!("geo/object/bundle-{}", &manifests.bundles[list].digest[..12])
}

#[test]
fn a_changed_attribute_reaches_the_group_that_has_its_role_and_the_rest_no_node() {
    let before = with("{{ attributes.port }} {{ cluster.spec.workers.max }}", "");
    let cloud = FakeCloud::new(&site());
    settle(&cloud, &before, &site(), &context(), 1);
    let text = "{{ attributes.port }} {{ cluster.spec.workers.max }}";
    let told = |spec: &str| -> Vec<String> {
        let (_, plan) = look(&cloud, &with(text, spec), &site(), &applied(&before));
        let pointers = plan.changes().filter(|change| change.kind == "pointer");
        let paths = |change: &lyceum_core::plan::Change| -> Vec<String> {
            let name = change.address.name().to_string();
            let attributes = change.attributes.iter();
            attributes.map(move |one| format!("{name} {} {}", one.path, one.after)).collect()
        };
        pointers.flat_map(paths).collect()
    };
    let set = "  attributes: {jupyterhub: {port: 2}}";
    assert_eq!(told(set), ["hub target.attributes.jupyterhub {\"port\":2}"]);
    let max = "  workers: {max: 7}";
    assert_eq!(told(max), ["hub target.cluster.spec.workers.max 7"]);
    // No text asks for it: it is none of the nodes' business.
    assert_eq!(told("  workers: {min: 2}"), Vec::<String>::new());
}

#[test]
fn dying_at_any_call_tells_no_node_half_a_commit() {
    let (before, after) = (page("one"), page("two"));
    let undisturbed = FakeCloud::new(&site());
    settle(&undisturbed, &before, &site(), &context(), 1);
    let begin = undisturbed.log().len();
    settle(&undisturbed, &after, &site(), &context(), 3);
    for call in 0..undisturbed.log().len() - begin {
        for when in [When::Before, When::After] {
            let cloud = FakeCloud::new(&site());
            settle(&cloud, &before, &site(), &context(), 1);
            cloud.fail([Fault { call, when, class: Class::Ambiguous }]);
            settle(&cloud, &after, &site(), &context(), 5);
            assert_whole(&cloud);
            let last = cloud.pointers(HUB).pop().unwrap();
            assert_eq!(last.body, undisturbed.pointers(HUB).pop().unwrap().body, "call {call}");
            let bundles = |cloud: &FakeCloud| -> Vec<String> {
                let objects = cloud.objects().into_values();
                objects.filter(|it| it.address.kind() == "object").map(|it| it.id).collect()
            };
            assert_eq!(bundles(&cloud), bundles(&undisturbed));
        }
    }
}

#[test]
fn what_was_altered_behind_our_back_is_put_right_with_a_higher_sequence() {
    let manifests = page("one");
    let cloud = FakeCloud::new(&site());
    settle(&cloud, &manifests, &site(), &context(), 1);
    cloud.tamper(&address("geo/pointer/hub"), |object| {
        if let Body::Pointer(pointer) = &mut object.body {
            pointer.target["roles"] = serde_json::json!(["evil"]);
            pointer.signed = false;
        }
    });
    let (observed, plan) = look(&cloud, &manifests, &site(), &applied(&manifests));
    assert_eq!(summary(&plan), ["Update geo/pointer/hub"]);
    assert!(plan.changes().all(|change| change.reason == Reason::Drift));
    carry_out(&cloud, &observed, &plan);
    assert_eq!(cloud.pointers(HUB).len(), 2);
    assert_whole(&cloud);

    cloud.lose(&address("geo/pointer/hub"));
    settle(&cloud, &manifests, &site(), &context(), 1);
    assert_eq!(cloud.pointers(HUB).len(), 3);
    assert_whole(&cloud);
}

#[test]
fn an_agent_that_is_put_back_changes_nothing_that_names_it() {
    let mut nodes = BTreeMap::new();
    let agent = Agent { digest: "a".repeat(64), size: 5, etag: String::new() };
    nodes.insert("geo".to_string(), agent);
    let manifests = page("one");
    let cloud = FakeCloud::new(&site());
    let look = |agents: &BTreeMap<String, Agent>| {
        let mut observed = now(cloud.observe(&scope(&manifests)));
        let given = agents.values().next();
        let inputs = Inputs::new(&manifests, given, &observed);
        for open in recognise(&pointers(&manifests, &site(), &inputs), &mut observed) {
            if let Ok(Some(whole)) = now(cloud.read(&open)) {
                observed.put(whole);
            }
        }
        let plan = plan(&desired(&manifests, &site(), &inputs), &observed, &context());
        (observed, plan)
    };
    let (observed, plan) = look(&nodes);
    assert!(carry_out(&cloud, &observed, &plan).is_empty());
    assert!(look(&nodes).1.is_empty());
    let stored = "geo/object/agent-aaaaaaaaaaaa";
    cloud.lose(&address(stored));
    assert_eq!(summary(&look(&nodes).1), [format!("Create {stored}")]);
}

#[test]
fn a_bundle_stays_while_a_pointer_may_name_it() {
    let (before, after) = (page("one"), page("two"));
    let cloud = FakeCloud::new(&site());
    settle(&cloud, &before, &site(), &context(), 1);
    let old = bundle(&before);
    let (observed, plan_of_it) = look(&cloud, &after, &site(), &context());
    carry_out(&cloud, &observed, &plan_of_it);
    // A roll-out is on: some nodes are to be what they were.
    cloud.tamper(&address("geo/pointer/hub"), |object| {
        if let Body::Pointer(pointer) = &mut object.body {
            let Body::Pointer(was) = seen(&observed, "geo/pointer/hub") else { panic!("it") };
            pointer.previous = was.target;
        }
    });
    let deleted = |plan: &lyceum_core::plan::Plan| {
        plan.changes().filter(|change| change.action == Action::Delete).count()
    };
    let (mut observed, plan_of_it) = look(&cloud, &after, &site(), &context());
    assert_eq!(deleted(&plan_of_it), 0, "{old} is named as the previous one");
    cloud.tamper(&address("geo/pointer/hub"), |object| {
        if let Body::Pointer(pointer) = &mut object.body {
            pointer.previous = Value::Null;
        }
    });
    let (whole, plan_of_it) = look(&cloud, &after, &site(), &context());
    assert_eq!(summary(&plan_of_it), [format!("Delete {old}")]);
    // Of pointers that could not be read any may.
    observed.objects = whole.objects;
    observed.objects.retain(|object| object.address.kind() != "pointer");
    observed.gaps.push(unread("pointer"));
    let state = desired(&after, &site(), &Inputs::new(&after, None, &observed));
    assert_eq!(summary(&plan(&state, &observed, &context())), Vec::<String>::new());
}

#[test]
fn a_bundle_stays_while_a_node_is_or_tries_to_be_what_it_says() {
    let (before, after) = (page("one"), page("two"));
    let cloud = FakeCloud::new(&site());
    settle(&cloud, &before, &site(), &context(), 1);
    let old = bundle(&before);
    let digest = {
        let Body::StoredObject(stored) = object(&cloud, &old).body else { panic!("a bundle") };
        stored.digest().to_string()
    };
    let (observed, plan_of_it) = look(&cloud, &after, &site(), &context());
    carry_out(&cloud, &observed, &plan_of_it);
    let id = cloud.launch("geo", "hub", "us-east-1");
    let of = |bundle: &str| Some(TargetReport { bundle: bundle.into(), ..TargetReport::default() });
    let removed = |report: &NodeReport| {
        cloud.report(&id, report);
        let (_, plan) = look(&cloud, &after, &site(), &context());
        summary(&plan).contains(&format!("Delete {old}"))
    };
    let other = "f".repeat(64);
    let report = |applied: &str, attempted: &str| NodeReport {
        applied: of(applied),
        attempted: of(attempted),
        ..NodeReport::default()
    };
    assert!(!removed(&report(&digest, &other)), "a node is that");
    assert!(!removed(&report(&other, &digest)), "a node tries to be that");
    assert!(removed(&report(&other, &other)));
    // Of what nobody has read it may be any.
    let mut observed = now(cloud.observe(&scope(&after)));
    lyceum_testkit::read_pointers(&cloud, &after, &site(), &mut observed);
    let removes = |observed: &lyceum_core::observed::ObservedState| {
        let state = desired(&after, &site(), &Inputs::new(&after, None, observed));
        summary(&plan(&state, observed, &context())).contains(&format!("Delete {old}"))
    };
    assert!(!removes(&observed));
    lyceum_testkit::read_reports(&cloud, &mut observed);
    assert!(removes(&observed));
    observed.gaps.push(unread("node-report"));
    assert!(!removes(&observed));
}

/// The statements of a group's role in which nodes are given rights.
fn statements(change: impl Fn(&mut ClusterSpec), group: &str) -> Vec<Value> {
    let mut manifests = page("one");
    change(&mut manifests.clusters.get_mut("geo").unwrap().cluster.spec);
    let state = desired(&manifests, &site(), &Inputs::default());
    let Body::Role(role) = &state.resources[&address(&format!("geo/role/{group}"))].body else {
        panic!("a role")
    };
    role.policies["node"]["Statement"].as_array().unwrap().clone()
}

#[test]
fn nodes_pull_from_the_registries_that_images_and_attributes_name_and_no_other() {
    let change = |spec: &mut ClusterSpec| {
        let registry = "123456789012.dkr.ecr.us-east-1.amazonaws.com";
        let digest = format!("sha256:{}", "a".repeat(64));
        spec.jupyter.image = format!("{registry}/notebook:1");
        let choices = serde_json::json!({
            "R": format!("{registry}/r@{digest}"),
            "Wide": format!("{registry}/*"),
            "Public": format!("quay.io/r@{digest}"),
        });
        let more = "210987654321.dkr.ecr.eu-central-1.amazonaws.com/gpu:2";
        spec.attributes = BTreeMap::from([
            (
                "jupyterhub".into(),
                BTreeMap::from([
                    ("image".into(), format!("{registry}/hub/main@{digest}").into()),
                    ("images".into(), choices),
                ]),
            ),
            ("swarm-worker".into(), BTreeMap::from([("images".into(), serde_json::json!([more]))])),
        ]);
    };
    for group in ["hub", "workers"] {
        let all = statements(change, group);
        let pull: Vec<&Value> = all.iter().filter(|one| one["Sid"] == "PullImage").collect();
        let expected = [
            "arn:aws:ecr:eu-central-1:210987654321:repository/gpu",
            "arn:aws:ecr:us-east-1:123456789012:repository/hub/main",
            "arn:aws:ecr:us-east-1:123456789012:repository/notebook",
            "arn:aws:ecr:us-east-1:123456789012:repository/r",
        ];
        assert_eq!(pull.len(), 1, "{group}");
        assert_eq!(pull[0]["Resource"], serde_json::json!(expected), "{group}");
        assert!(all.iter().any(|one| one["Sid"] == "RegistryLogin"), "{group}");
    }
    assert!(statements(|_| {}, "hub").iter().all(|one| one["Sid"] != "RegistryLogin"));
}

/// What steers a group is the reconciler.
#[test]
fn no_node_has_a_right_to_a_scaling_group_or_to_instances() {
    for group in ["hub", "workers"] {
        let text = Value::from(statements(|_| {}, group)).to_string();
        assert!(!text.contains("autoscaling:") && !text.contains("ec2:"), "{group}: {text}");
    }
}

fn seen(observed: &lyceum_core::observed::ObservedState, text: &str) -> Body {
    let wanted = address(text);
    observed.objects.iter().find(|object| object.address == wanted).unwrap().body.clone()
}

#[test]
fn a_bundle_that_was_altered_is_put_right_though_it_is_as_long() {
    let manifests = page("one");
    let cloud = FakeCloud::new(&site());
    settle(&cloud, &manifests, &site(), &context(), 1);
    let bundle = bundle(&manifests);
    let other = lyceum_core::site::etag_of(b"as long");
    cloud.tamper(&address(&bundle), |object| {
        let Body::StoredObject(stored) = &mut object.body else { panic!("a bundle") };
        stored.etag = other.clone();
    });
    let (observed, plan) = look(&cloud, &manifests, &site(), &applied(&manifests));
    assert_eq!(summary(&plan), [format!("Update {bundle}")]);
    let change = plan.changes().next().unwrap();
    assert_eq!((&change.reason, change.attributes[0].path.as_str()), (&Reason::Drift, "etag"));
    assert!(carry_out(&cloud, &observed, &plan).is_empty());
    assert!(look(&cloud, &manifests, &site(), &context()).1.is_empty());
}

#[test]
fn old_bundles_count_against_no_limit_and_go_some_at_a_time() {
    let manifests = page("one");
    let cloud = FakeCloud::new(&site());
    settle(&cloud, &manifests, &site(), &context(), 1);
    let one = object(&cloud, &bundle(&manifests));
    for number in 0..60 {
        let mut old = one.clone();
        let digest = format!("{number:064x}");
        old.address = address(&format!("geo/object/bundle-{number:012x}"));
        old.id = format!("clusters/geo/bundles/{digest}");
        if let Body::StoredObject(stored) = &mut old.body {
            stored.key = old.id.clone();
        }
        cloud.put(old);
    }
    let (observed, plan) = look(&cloud, &manifests, &site(), &context());
    assert_eq!(plan.changes().count(), 50);
    assert_eq!(blocked(&plan), Vec::<String>::new());
    carry_out(&cloud, &observed, &plan);
    settle(&cloud, &manifests, &site(), &context(), 1);
}

#[test]
fn a_lost_key_is_not_replaced_until_somebody_consents() {
    let manifests = page("one");
    let cloud = FakeCloud::new(&site());
    settle(&cloud, &manifests, &site(), &context(), 1);
    let public = object(&cloud, "geo/signing-key/node").output("public_key").unwrap();
    // One half gone: nothing can be signed, and only another key would help.
    cloud.tamper(&address("geo/signing-key/node"), |object| {
        if let Body::SigningKey(key) = &mut object.body {
            key.private_half = false;
        }
    });
    let (_, plan_of_it) = look(&cloud, &manifests, &site(), &context());
    assert_eq!(summary(&plan_of_it), Vec::<String>::new());
    assert_eq!(blocked(&plan_of_it), ["geo/signing-key/node"]);

    // Both gone: the pointers tell that there was one.
    cloud.lose(&address("geo/signing-key/node"));
    let (_, plan_of_it) = look(&cloud, &manifests, &site(), &context());
    assert_eq!(summary(&plan_of_it), Vec::<String>::new());
    let told = &plan_of_it.scopes["geo"].blocked[0];
    assert_eq!((told.address.as_str(), told.id.as_ref()), ("geo/signing-key/node", Some(&public)));
    assert!(told.hint().is_some());

    let mut consented = context();
    let consent = lyceum_core::manifest::repository::Consent {
        address: "geo/signing-key/node".into(),
        id: public,
        to: Default::default(),
        reason: "lost".into(),
    };
    consented.policy.consents.push(consent);
    let (_, plan_of_it) = look(&cloud, &manifests, &site(), &consented);
    assert!(summary(&plan_of_it).contains(&"Create geo/signing-key/node".to_string()));
    assert!(summary(&plan_of_it).contains(&"Update geo/pointer/hub".to_string()));
}

#[test]
fn a_pointer_that_could_not_be_read_is_left_alone() {
    let (before, after) = (page("one"), page("two"));
    let cloud = FakeCloud::new(&site());
    settle(&cloud, &before, &site(), &context(), 1);
    let mut observed = now(cloud.observe(&scope(&after)));
    let inputs = Inputs::new(&after, None, &observed);
    let open = recognise(&pointers(&after, &site(), &inputs), &mut observed);
    let names: Vec<&str> = open.iter().map(|object| object.address.name()).collect();
    assert_eq!(names, ["hub"], "the workers' is as it should be");
    observed.gaps.push(unread("pointer"));
    let state = desired(&after, &site(), &inputs);
    let plan = plan(&state, &observed, &context());
    assert!(plan.changes().all(|change| change.kind != "pointer"));
    assert!(plan.changes().all(|change| change.action != Action::Delete));
}

#[test]
fn what_people_write_into_attributes_is_no_reference() {
    let role = "  attributes: {jupyterhub: {port: 3}}\n  jupyter: {image: 'quay.io/a/b:1'}";
    let manifests = with("{{ cluster.metadata.labels }}", role);
    let mut files = files("{{ cluster.metadata.labels }}", role);
    let text = String::from_utf8(files.files["clusters/geo/cluster.yaml"].clone()).unwrap();
    let labelled = text.replace("  name: geo\n", "  name: geo\n  labels: {a: 'x'}\n");
    files.files.insert("clusters/geo/cluster.yaml".into(), labelled.into());
    let cloud = FakeCloud::new(&site());
    settle(&cloud, &manifests, &site(), &context(), 1);
    settle(&cloud, &load(&files).unwrap(), &site(), &context(), 2);
    let told: BTreeMap<String, Value> =
        serde_json::from_str(&cloud.pointers(HUB).pop().unwrap().body).unwrap();
    assert_eq!(told["target"]["cluster"]["metadata"]["labels"]["a"], "x");
    let Body::Pointer(Pointer { signed, .. }) = object(&cloud, "geo/pointer/hub").body else {
        panic!("a pointer")
    };
    assert!(signed);
}

/// A cluster whose nodes have an agent, and what its workers run at first.
fn booting() -> (DesiredState, String) {
    let agents = BTreeMap::from([("geo".to_string(), super::agent("a"))]);
    let state = desired(&page("one"), &site(), &Inputs { agents, ..Inputs::default() });
    let template = &state.resources[&address("geo/launch-template/workers")];
    let Body::LaunchTemplate(template) = &template.body else { panic!("a template") };
    let script = template.user_data.clone();
    (state, script)
}

#[test]
fn a_node_finds_its_key_and_heeds_an_environment_of_its_own() {
    let (state, script) = booting();
    let bucket = site().bucket("us-east-1");
    for part in [
        "\"publicKey\":\"@{geo/signing-key/node:public_key}\"",
        "\nEnvironmentFile=-/etc/lyceum/environment\n",
        ". /etc/lyceum/environment\n",
        &format!("origin=\"https://{bucket}.s3.us-east-1.amazonaws.com\"\n"),
        &format!("origin=\"${{AWS_ENDPOINT_URL%/}}/{bucket}\"\n"),
        "    \"$origin/@{geo/object/agent-aaaaaaaaaaaa}\"\n",
    ] {
        assert!(script.contains(part), "{part}: {script}");
    }
    // And its pointer names the agent it is to run, by the object that is it.
    let Body::Pointer(pointer) = &state.resources[&address("geo/pointer/hub")].body else {
        panic!("a pointer")
    };
    assert_eq!(pointer.target["agent"]["digest"], "@{geo/object/agent-aaaaaaaaaaaa:digest}");
}

#[test]
fn nothing_on_a_nodes_way_to_its_agent_waits_for_session_manager() {
    let (_, script) = booting();
    let (mut done, mut written, mut inside) = (Vec::new(), Vec::new(), false);
    for line in script.lines() {
        match inside {
            true => written.push(line),
            false => done.push(line),
        }
        inside = line != "END" && (inside || line.ends_with("<<'END'"));
    }
    assert!(!done.iter().any(|line| line.contains("amazon-ssm")), "{done:?}");
    assert!(written.iter().any(|line| line.contains("amazon-ssm-us-east-1/latest")), "{written:?}");
    assert!(written.contains(&"Restart=on-failure"), "it is tried until it is there");
    assert!(done.contains(&"systemctl start --no-block lyceum-session-manager.service"));
}

#[test]
fn no_node_may_read_or_write_the_signing_key_and_each_reads_what_its_roles_name() {
    let mut files = files("one", "");
    let role = "apiVersion: lyceum/v1\nkind: Role\nmetadata: {name: swarm-worker, version: 1.0.0, \
                description: d}\nspec:\n  steps:\n    - name: image\n      docker_image: {image: 'a:1', pin: \
                notebook-image}\n    - name: secret\n      file:\n        path: /etc/secret\n        content: \
                '@{it}'\n        parameters: {it: 'ssm:/lyceum/geo/oauth', other: '{{ node.os }}', wide: '*'}\n";
    files.files.insert("cookbooks/swarm-worker/role.yaml".into(), role.into());
    let leader = "apiVersion: lyceum/v1\nkind: Role\nmetadata: {name: swarm-leader, version: 1.0.0, \
                  description: d}\nspec:\n  attributes:\n    trial: {type: string, description: d, default: \
                  trial-password}\n  steps:\n    - name: trial\n      file:\n        path: /etc/trial\n        \
                  content: '@{it}'\n        parameters: {it: '{{ attributes.trial }}', oauth: '{{ \
                  cluster.spec.jupyter.auth.clientSecretRef }}'}\n    - name: image\n      docker_image: {image: 'a:1', pin: \
                  notebook-image, publish: true}\n";
    files.files.insert("cookbooks/swarm-leader/role.yaml".into(), leader.into());
    let state = desired(&load(&files).unwrap(), &site(), &Inputs::default());
    let of = |group: &str, sid: &str| -> Value {
        let Body::Role(role) = &state.resources[&address(&format!("geo/role/{group}"))].body else {
            panic!("a role")
        };
        let statements = role.policies["node"]["Statement"].as_array().unwrap();
        statements.iter().find(|one| one["Sid"] == sid).cloned().unwrap_or_default()
    };
    let names = |statement: &Value| -> Vec<String> {
        let all = statement["Resource"].as_array().into_iter().flatten();
        all.map(|arn| arn.as_str().unwrap().split_once(":parameter").unwrap().1.into()).collect()
    };
    assert_eq!(
        names(&of("workers", "ReadParameters")),
        [
            "/lyceum/geo/facts",
            "/lyceum/geo/notebook-image",
            "/lyceum/geo/oauth",
            "/lyceum/geo/swarm-join-token"
        ]
    );
    // A name that is an attribute is the attribute's; one that nobody set is none.
    assert_eq!(
        names(&of("hub", "ReadParameters")),
        [
            "/lyceum/geo/facts",
            "/lyceum/geo/notebook-image",
            "/lyceum/geo/swarm-join-token",
            "/lyceum/geo/trial-password"
        ]
    );
    assert_eq!(of("workers", "PublishParameters"), Value::Null);
    assert_eq!(
        names(&of("hub", "PublishParameters")),
        ["/lyceum/geo/notebook-image", "/lyceum/geo/swarm-join-token"]
    );
    for group in ["hub", "workers"] {
        let denied = of(group, "NeverTheSigningKey");
        assert_eq!((&denied["Effect"], &denied["Action"][0]), (&"Deny".into(), &"ssm:*".into()));
        assert_eq!(names(&denied), ["/lyceum/geo/node-key-private"]);
    }
}
