//! What nodes do not take, and how it is mended.

use std::time::{Duration, UNIX_EPOCH};

use serde_json::{Value, json};
use system_tests::live::{CLUSTER, Live, Report};

use crate::kit::{JOINED, Reports, Story, every, is_whole};

/// Two polls of an agent, on a busy machine.
const NOTICED: Duration = Duration::from_secs(180);

pub(crate) fn what_is_old_altered_or_tampered_with_is_refused_and_mended(story: &Story) {
    let live = &story.live;
    live.service.kill();
    let now = pointer(live);
    // Versions of an object are kept: an older one was signed as well as this.
    let older = earlier(live);
    let number = |pointer: &Value| {
        pointer["metadata"]["lyceum-sequence"].as_str().unwrap().parse::<u64>().unwrap()
    };
    let newest = number(&now);
    assert!(number(&older) < newest);
    // To a worker that has not come for the newest yet the older one is no older.
    let has_newest = |report: &Report| report.taken() == newest;
    live.until("the newest pointer", NOTICED, |all| every(all, "workers", has_newest)).unwrap();
    for (what, pointer, why) in [
        ("an older pointer", older, "was taken already"),
        ("an unsigned pointer", unsigned(&now), "not signed with this cluster's key"),
        ("an altered pointer", altered(&now), "not signed with this cluster's key"),
    ] {
        put_pointer(live, &pointer);
        refused(live, why);
        story.say(&format!("{what} is refused"));
        // A refusal alone leaves what a report says of the run before.
        let refused_at = UNIX_EPOCH.elapsed().unwrap().as_secs();
        agents(live, "reload");
        let ran = |report: &Report| report.began() >= refused_at;
        let is_kept = |all: &Reports| is_whole(all, 3) && every(all, "workers", ran);
        live.until("what was good is kept", NOTICED, is_kept).unwrap();
        if what.contains("unsigned") {
            // The two are refused in the same words.
            put_pointer(live, &now);
            taken(live);
        }
    }
    live.service.start().unwrap();
    story.took(taken(live), "from the service's start to a good pointer taken");
    a_tampered_bundle_is_refused_and_mended(story);
    story.kernel_lives();
}

/// A changed role is another bundle, and its bytes are changed where it lies
/// before a worker comes for it, and before anybody puts it right.
fn a_tampered_bundle_is_refused_and_mended(story: &Story) {
    let live = &story.live;
    let before = pointer(live)["body"].clone();
    agents(live, "stop");
    let role = "cookbooks/base/role.yaml";
    let text = live.repo.read(role).unwrap();
    live.repo.write(role, &format!("{text}# Another bundle.\n")).unwrap();
    let revision = live.repo.commit("Another bundle").unwrap();
    live.until("another bundle", NOTICED, |_| pointer(live)["body"] != before).unwrap();
    let refused = |report: &Report| {
        let steps = report.0["steps"].as_array().into_iter().flatten();
        steps.filter(|step| step["id"] == "bundle").any(|step| {
            step["outcome"].to_string().contains("its content is not what its name says")
        })
    };
    live.service.kill();
    tamper(live);
    agents(live, "start");
    let any_refuses = |all: &Reports| all.values().any(refused);
    let took = live.until("a tampered bundle is refused", NOTICED, any_refuses).unwrap();
    story.took(took, "from a worker's look to a tampered bundle that it refuses and reports");
    live.service.start().unwrap();
    let mended =
        |all: &Reports| is_whole(all, 3) && all.values().all(|one| one.revision() == revision);
    let took = live.until("the bundle is mended", JOINED, mended).unwrap();
    story.took(took, "from there to the bundle mended and on every node");
}

/// Starts, stops or, with `reload`, hurries the workers' agents.
fn agents(live: &Live, verb: &str) {
    for worker in live.nodes_of("workers").unwrap() {
        worker.shell(&format!("systemctl {verb} lyceum-agent")).unwrap();
    }
}

fn refused(live: &Live, why: &str) {
    let is_refused = |report: &Report| report.refused().contains(why);
    let what = format!("refused: {why}");
    live.until(&what, NOTICED, |all| every(all, "workers", is_refused)).unwrap();
}

/// Waits until nobody refuses the pointer there is.
fn taken(live: &Live) -> Duration {
    let takes = |report: &Report| report.refused().is_empty();
    live.until("a good pointer", NOTICED, |all| all.values().all(takes)).unwrap()
}

/// One blank more after the same number.
fn altered(pointer: &Value) -> Value {
    let mut altered = pointer.clone();
    altered["body"] = json!(format!("{} ", pointer["body"].as_str().unwrap()));
    altered
}

/// Another body without a signature: who polls is told of bodies alone.
fn unsigned(pointer: &Value) -> Value {
    let mut unsigned = altered(pointer);
    unsigned["metadata"].as_object_mut().unwrap().remove("lyceum-signature");
    unsigned
}

/// The workers' pointer: its body, its metadata.
fn pointer(live: &Live) -> Value {
    read(live, "versions = [{}]")
}

/// The one before it.
fn earlier(live: &Live) -> Value {
    read(
        live,
        "
listed = s3.list_object_versions(Bucket=bucket, Prefix=key)['Versions']
listed.sort(key=lambda one: one['LastModified'])
versions = [{'VersionId': one['VersionId']} for one in listed if not one['IsLatest']]
",
    )
}

fn read(live: &Live, versions: &str) -> Value {
    let script = format!(
        "
s3 = aws('s3')
[bucket] = [one['Name'] for one in s3.list_buckets()['Buckets']]
key = f'clusters/{{args[0]}}/pointers/workers.json'
{versions}
found = s3.get_object(Bucket=bucket, Key=key, **versions[-1])
print(json.dumps({{'body': found['Body'].read().decode(), 'metadata': found['Metadata']}}))
"
    );
    serde_json::from_str(&live.look(&script, &[CLUSTER]).unwrap()).unwrap()
}

fn put_pointer(live: &Live, pointer: &Value) {
    let script = "
s3, found = aws('s3'), json.loads(args[1])
[bucket] = [one['Name'] for one in s3.list_buckets()['Buckets']]
s3.put_object(Bucket=bucket, Key=f'clusters/{args[0]}/pointers/workers.json',
    Body=found['body'].encode(), Metadata=found['metadata'])
";
    live.look(script, &[CLUSTER, &pointer.to_string()]).unwrap();
}

/// Another byte in the middle of the bundle that workers are to have, as long as
/// before.
fn tamper(live: &Live) {
    let bundle: Value = serde_json::from_str(pointer(live)["body"].as_str().unwrap()).unwrap();
    let digest = bundle["target"]["bundle"].as_str().unwrap();
    let script = "
import hashlib
s3 = aws('s3')
[bucket] = [one['Name'] for one in s3.list_buckets()['Buckets']]
key = f'clusters/{args[0]}/bundles/{args[1]}'
content = bytearray(s3.get_object(Bucket=bucket, Key=key)['Body'].read())
assert hashlib.sha256(content).hexdigest() == args[1]
content[len(content) // 2] ^= 1
s3.put_object(Bucket=bucket, Key=key, Body=bytes(content))
";
    live.look(script, &[CLUSTER, digest]).unwrap();
}
