//! The fault proxy, seen with boto3: it must be AWS to a client that is not ours.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::process::Command;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use system_tests::emulator::{Emulator, in_tests, python};
use system_tests::proxy::{Fault, Gate, Hook, Late, Lent, Outcome, Proxy, Rule};

const SEED: u64 = 11;

struct Bench {
    proxy: Proxy,
    _emulator: Emulator,
}

impl Bench {
    fn new(lent: Lent) -> Self {
        let emulator = Emulator::start().unwrap();
        let proxy = Proxy::start(emulator.address(), lent, SEED).unwrap();
        Self { proxy, _emulator: emulator }
    }

    fn probe(&self, name: &str) {
        let output = Command::new(python().unwrap())
            .arg(in_tests("tests/system/probe.py"))
            .args([&self.proxy.url(), name])
            .output()
            .unwrap();
        let attempts: Vec<String> =
            self.proxy.attempts().iter().map(|attempt| format!("{attempt}\n")).collect();
        assert!(
            output.status.success(),
            "{name}: {}\n{}",
            String::from_utf8_lossy(&output.stderr),
            attempts.concat()
        );
        print!("{}", String::from_utf8_lossy(&output.stdout));
    }
}

#[test]
fn it_lends_what_the_emulator_lacks() {
    let bench = Bench::new(Lent { late: None, page: None, ..Lent::default() });
    for name in ["tokens", "dependencies", "existing", "gone", "launched"] {
        bench.probe(name);
    }
    let mutating = bench.proxy.attempts().iter().filter(|attempt| attempt.mutating).count();
    assert!(mutating > 40, "{mutating}");
    assert_eq!(bench.proxy.unimplemented(), Vec::<String>::new());
}

#[test]
fn what_was_just_made_is_not_seen_for_as_many_reads_as_said() {
    let late = Late { reads: 2, lasting: Duration::ZERO };
    Bench::new(Lent { late: Some(late), ..Lent::nothing() }).probe("late");
}

#[test]
fn lists_come_in_pages() {
    Bench::new(Lent { page: Some(2), ..Lent::nothing() }).probe("pages");
}

#[test]
fn every_service_words_a_throttle_its_own_way() {
    let bench = Bench::new(Lent::default());
    bench.proxy.rule(Rule::new("*", Fault::Throttle));
    bench.probe("throttled");
}

#[test]
fn faults_befall_the_calls_they_are_meant_for() {
    let bench = Bench::new(Lent::nothing());
    let nothing = Duration::ZERO;
    let faults = [
        Fault::Failed(500),
        Fault::FailedAfter(500),
        Fault::TimeoutBefore(nothing),
        Fault::Denied,
        Fault::LostAnswer,
    ];
    for (at, fault) in faults.into_iter().enumerate() {
        bench.proxy.rule(Rule::new("ec2:CreateVpc", fault).nth(at as u64 + 1));
    }
    let wait = Fault::Latency { base: Duration::from_millis(200), jitter: nothing };
    bench.proxy.rule(Rule::new("ec2:DescribeSubnets", wait));
    bench.probe("faults");
    let done: Vec<bool> = bench
        .proxy
        .attempts()
        .iter()
        .filter_map(|attempt| match attempt.outcome {
            Some(Outcome::Faulted { done, .. }) => Some(done),
            _ => None,
        })
        .collect();
    assert_eq!(done, [false, true, false, false, true]);
}

#[test]
fn what_the_emulator_does_not_know_is_noticed() {
    let bench = Bench::new(Lent::default());
    bench.probe("unimplemented");
    assert_eq!(bench.proxy.unimplemented(), ["autoscaling:StartInstanceRefresh"]);
}

#[test]
fn hooks_are_called_and_gates_hold_until_they_open() {
    let bench = Bench::new(Lent::nothing());
    let (called, gate) = (Arc::new(AtomicUsize::new(0)), Gate::default());
    let (count, open) = (called.clone(), gate.clone());
    let hook = Hook::new(move |call| {
        assert_eq!(call.operation, "CreateVpc");
        count.fetch_add(1, Ordering::SeqCst);
        open.open();
    });
    // The probe's third call meets a hook after success, its fifth a gate that
    // is open by then; its counts stay what they would have been.
    bench.proxy.rule(Rule::new("ec2:CreateVpc", Fault::Failed(500)).nth(1));
    bench.proxy.rule(Rule::new("ec2:CreateVpc", Fault::FailedAfter(500)).nth(2));
    bench.proxy.rule(Rule::new("ec2:CreateVpc", Fault::Before(hook.clone())).nth(3));
    bench.proxy.rule(Rule::new("ec2:CreateVpc", Fault::Denied).nth(4));
    bench.proxy.rule(Rule::new("ec2:CreateVpc", Fault::After(hook)).nth(5));
    bench.proxy.rule(Rule::new("ec2:DescribeSubnets", Fault::Hold(gate)));
    let wait = Fault::Latency { base: Duration::from_millis(200), jitter: Duration::ZERO };
    bench.proxy.rule(Rule::new("ec2:DescribeSubnets", wait));
    bench.probe("faults");
    assert_eq!(called.load(Ordering::SeqCst), 2);
}

/// A server that answers every request with the same few bytes.
fn instant() -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    thread::spawn(move || {
        for stream in listener.incoming().flatten() {
            thread::spawn(move || serve_instantly(stream));
        }
    });
    address
}

fn serve_instantly(stream: TcpStream) -> Option<()> {
    stream.set_nodelay(true).ok()?;
    let mut writer = stream.try_clone().ok()?;
    for line in BufReader::new(stream).lines() {
        if line.ok()?.is_empty() {
            writer.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok").ok()?;
        }
    }
    Some(())
}

fn ask(address: SocketAddr, times: usize) {
    let mut stream = TcpStream::connect(address).unwrap();
    stream.set_nodelay(true).unwrap();
    let mut answer = [0; 4096];
    for _ in 0..times {
        stream.write_all(b"GET /?Action=DescribeVpcs HTTP/1.1\r\nhost: x\r\n\r\n").unwrap();
        let length = stream.read(&mut answer).unwrap();
        assert!(answer[..length].ends_with(b"ok"));
    }
}

#[test]
fn calls_on_many_connections_are_all_answered_and_logged() {
    let proxy = Proxy::start(instant(), Lent::default(), SEED).unwrap();
    let address = proxy.address();
    let started = Instant::now();
    let askers: Vec<_> = (0..4).map(|_| thread::spawn(move || ask(address, 500))).collect();
    askers.into_iter().for_each(|asker| asker.join().unwrap());
    println!("{:.0} calls a second", 2000.0 / started.elapsed().as_secs_f64());
    assert_eq!(proxy.attempts().len(), 2000);
}
