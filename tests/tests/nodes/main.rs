//! A commit becomes a cluster on machines that boot, and people work on it.
//!
//! One cluster for all: machines take minutes, questions to them do not.

// The whole crate is a test; clippy only sees that of the test functions.
#![allow(clippy::unwrap_used, clippy::expect_used)]

use std::collections::BTreeMap;
use std::process::Command;
use std::time::{Duration, Instant};

use system_tests::emulator::{hub_python, in_tests};
use system_tests::live::{CLUSTER, Live, PASSWORD, Report};

const READY: Duration = Duration::from_secs(420);
const FIRST_WAVE: Duration = Duration::from_secs(45);
const NEXT_WAVE: Duration = Duration::from_secs(20);
/// Two polls of an agent, on a busy machine.
const NOTICED: Duration = Duration::from_secs(90);

type Reports = BTreeMap<String, Report>;

#[test]
fn a_commit_becomes_a_cluster_and_only_a_signed_one_does() {
    let mut live = Live::prepare("nodes", "10.87.0.0/16", 2).unwrap();
    for (stage, took) in live.cloud.stages() {
        println!("{:>7.1} s  {stage}", took.as_secs_f32());
    }
    live.serve().unwrap();
    let took = live.until("a hub and two workers ready", READY, |all| is_whole(all, 2)).unwrap();
    println!("{:>7.1} s  from the service's start to a hub and two workers", took.as_secs_f32());
    people_work_on_workers(&live);
    let older = pointer(&live);
    a_changed_attribute_comes_in_waves(&live);
    what_is_not_signed_or_older_is_refused(&mut live, &older);
}

fn is_whole(reports: &Reports, workers: usize) -> bool {
    let ready = |group: &str| {
        reports.values().filter(|report| report.group() == group && report.ready()).count()
    };
    ready("hub") == 1 && ready("workers") == workers
}

/// Somebody signs in, gets a server on a worker, and runs a cell in it.
fn people_work_on_workers(live: &Live) {
    let hub = live.hub().unwrap();
    let begun = Instant::now();
    visit(live, "ada", &["start"]);
    println!("{:>7.1} s  from signing in to a notebook", begun.elapsed().as_secs_f32());
    assert_eq!(visit(live, "ada", &["run", "6 * 7"]).trim(), "42");
    let tasks = "docker service ls -q --filter name=jupyter-ada | xargs docker service ps \
                 --filter desired-state=running --format '{{.Node}}'";
    let at = hub.shell(tasks).unwrap();
    let workers: Vec<String> = live
        .nodes_of("workers")
        .unwrap()
        .iter()
        .map(|worker| worker.succeed(&["hostname"]).unwrap())
        .collect();
    assert!(workers.contains(&at.trim().to_string()), "{at} is none of {workers:?}");
}

/// The hub first, then one worker, then the other.
fn a_changed_attribute_comes_in_waves(live: &Live) {
    let file = format!("clusters/{CLUSTER}/cluster.yaml");
    live.repo
        .edit(&file, "  attributes:\n", "  attributes:\n    base: {journalMaxSize: 900M}\n")
        .unwrap();
    let revision = live.repo.commit("A smaller journal").unwrap();
    let has_it = |all: &Reports| {
        all.values().filter(|report| report.revision() == revision && report.ready()).count()
    };
    for (number, within) in [(1, FIRST_WAVE), (2, NEXT_WAVE), (3, NEXT_WAVE)] {
        let took =
            live.until(&format!("wave {number}"), within * 2, |all| has_it(all) >= number).unwrap();
        println!("{:>7.1} s  wave {number}", took.as_secs_f32());
        assert!(took <= within, "wave {number} took {took:?}");
    }
    let config = "/etc/systemd/journald.conf.d";
    for node in live.cloud.ground().nodes().unwrap() {
        assert!(
            node.shell(&format!("cat {config}/*")).unwrap().contains("900M"),
            "{}",
            node.name()
        );
    }
}

/// While nobody repairs it: the workers keep to what they had, and say why.
fn what_is_not_signed_or_older_is_refused(live: &mut Live, older: &str) {
    live.kill_service();
    put_pointer(live, older);
    refused(live, "was taken already");
    let altered = pointer(live).replacen("900M", "901M", 1).replacen("1G", "901M", 1);
    put_pointer(live, &altered);
    refused(live, "not signed");
    live.serve().unwrap();
    let took = live.until("the pointer repaired", NOTICED, |all| {
        is_whole(all, 2) && all.values().all(|report| report.refused().is_empty())
    });
    println!(
        "{:>7.1} s  until a pointer that was overwritten is good again",
        took.unwrap().as_secs_f32()
    );
}

fn refused(live: &Live, why: &str) {
    let is_refused =
        |report: &Report| report.group() != "workers" || report.refused().contains(why);
    live.until(&format!("refused: {why}"), NOTICED, |all| all.values().all(is_refused)).unwrap();
    let reports = live.reports().unwrap();
    assert!(is_whole(&reports, 2), "what was good is kept: {reports:?}");
}

/// The workers' pointer, its metadata with it, as text.
fn pointer(live: &Live) -> String {
    let script = "
import json
s3 = aws('s3')
[bucket] = [one['Name'] for one in s3.list_buckets()['Buckets']]
found = s3.get_object(Bucket=bucket, Key=f'clusters/{sys.argv[2]}/pointers/workers.json')
print(json.dumps({'body': found['Body'].read().decode(), 'metadata': found['Metadata']}))
";
    live.boto3(script, &[CLUSTER]).unwrap()
}

fn put_pointer(live: &Live, text: &str) {
    let script = "
import json
s3, found = aws('s3'), json.loads(sys.argv[3])
[bucket] = [one['Name'] for one in s3.list_buckets()['Buckets']]
s3.put_object(Bucket=bucket, Key=f'clusters/{sys.argv[2]}/pointers/workers.json',
    Body=found['body'].encode(), Metadata=found['metadata'])
";
    live.boto3(script, &[CLUSTER, text]).unwrap();
}

/// What a user without a browser does at the hub; gives what it prints.
fn visit(live: &Live, name: &str, words: &[&str]) -> String {
    let hub = live.hub().unwrap().address().unwrap().unwrap();
    let output = Command::new(hub_python().unwrap())
        .arg(in_tests("cookbooks/visit.py"))
        .args([&format!("https://{hub}"), name, PASSWORD])
        .args(words)
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&output.stdout).into_owned();
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{words:?}: {said}{errors}\n{}", live.said());
    said
}
