//! The service: looks at the pointer, converges when that changed or time has
//! passed, and lives until it is told to end.
//!
//! Invariants: two looks are at most 10 s apart but for the time a run takes;
//! one run at a time; SIGTERM ends the agent after the step in flight, SIGHUP
//! makes it look and converge at once.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant, SystemTime};

use lyceum_core::node::converge::Mode;
use lyceum_core::node::host::{Answer, Cause};
use tokio::runtime::Runtime;
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::Notify;

use crate::disk::failed;
use crate::follow::{Look, Node};
use crate::replace;
use crate::round::Stop;

/// Between two looks while all is as it should be. A node learns of a roll-out by
/// looking, and its turn in it comes within 20 s of the one before; an answer that
/// says nothing changed is a few hundred bytes. Up to 5 s go before its turn is written,
/// and its run follows. Somewhere in between, so that nodes that booted together do
/// not ask together.
const GLANCE: (Duration, Duration) = (Duration::from_secs(7), Duration::from_secs(10));
/// Between two runs while all is as it should be.
const CALM: (Duration, Duration) = (Duration::from_secs(25), Duration::from_secs(32));
/// During a roll-out, and until the node is what it should be.
const QUICK: (Duration, Duration) = (Duration::from_millis(4500), Duration::from_millis(5000));
/// Between two looks at the swarm's members.
const TEND: Duration = Duration::from_secs(5);
/// Between two publications of the metric: its period.
const METRIC: Duration = Duration::from_secs(60);
/// Runs in a row that leave the node not ready, before they are made more
/// rarely: what does not come by itself is not helped by haste.
const HASTY: u32 = 24;
/// How long a run started by hand is waited for.
const LOCK: Duration = Duration::from_secs(20);

/// What the signals say.
#[derive(Default)]
struct Told {
    stop: Stop,
    look: AtomicBool,
    wake: Notify,
}

/// When what is due.
struct Due {
    look: Instant,
    run: Instant,
    tend: Instant,
    publish: Instant,
    unready: u32,
}

/// Lives until SIGTERM.
pub fn run(mut node: Node, runtime: &Runtime) -> Answer<()> {
    let told = Arc::new(Told::default());
    listen(&told, runtime)?;
    let own = node.own().report();
    tracing::info!(version = own.version, digest = own.digest, "begins");
    let mut due = Due::now();
    while !told.stop.load(Ordering::Relaxed) {
        if told.look.swap(false, Ordering::Relaxed) {
            (due.look, due.run) = (Instant::now(), Instant::now());
            node.hurry();
        }
        due.pass(&mut node, &told.stop);
        let next = due.next(&node).saturating_duration_since(Instant::now());
        runtime.block_on(async {
            tokio::select! {
                () = tokio::time::sleep(next) => {}
                () = told.wake.notified() => {}
            }
        });
    }
    tracing::info!("ends");
    Ok(())
}

impl Due {
    fn now() -> Self {
        let now = Instant::now();
        Self { look: now, run: now, tend: now, publish: now + METRIC, unready: 0 }
    }

    fn next(&self, node: &Node) -> Instant {
        let tend = if node.tends() { self.tend } else { self.look };
        self.look.min(self.run).min(tend).min(self.publish)
    }

    /// Does what is due.
    fn pass(&mut self, node: &mut Node, stop: &Stop) {
        let now = Instant::now();
        let mut looked = false;
        if now >= self.look {
            looked = true;
            if node.look() == Look::Changed {
                self.run = now;
                self.unready = 0;
            }
            match node.other_agent() {
                Some(agent) => node.replace(&agent),
                None => node.stays(),
            }
        }
        if now >= self.run {
            self.converge(node, stop);
        } else if looked {
            node.count();
        }
        if looked {
            let quick = node.rolling() || !node.ready();
            self.look = now + between(if quick { QUICK } else { GLANCE });
        }
        if node.tends() && now >= self.tend && !stop.load(Ordering::Relaxed) {
            // Somebody else's run does it as well.
            if let Ok(_lock) = node.keep().lock(Duration::ZERO) {
                node.tend(stop);
            }
            self.tend = Instant::now() + TEND;
        }
        if now >= self.publish {
            node.publish();
            self.publish = now + METRIC;
        }
    }

    fn converge(&mut self, node: &mut Node, stop: &Stop) {
        let lock = match node.keep().lock(LOCK) {
            Ok(lock) => lock,
            Err(error) => {
                let busy = error.cause == Cause::Busy;
                if busy {
                    tracing::info!("{error}")
                } else {
                    tracing::error!("{error}")
                }
                self.run = Instant::now() + between(QUICK);
                return;
            }
        };
        let wait = between(if node.ready() { CALM } else { self.unready_wait() });
        node.set_next(SystemTime::now() + wait);
        let report = node.converge(Mode::Apply, stop);
        drop(lock);
        if stop.load(Ordering::Relaxed) {
            return;
        }
        replace::confirm(node.keep());
        self.unready = if report.ready { 0 } else { self.unready.saturating_add(1) };
        let wait = between(if report.ready { CALM } else { self.unready_wait() });
        self.run = Instant::now() + wait;
    }

    fn unready_wait(&self) -> (Duration, Duration) {
        if self.unready < HASTY { QUICK } else { CALM }
    }
}

fn between((shortest, longest): (Duration, Duration)) -> Duration {
    shortest + (longest - shortest).mul_f64(fastrand::f64())
}

fn listen(told: &Arc<Told>, runtime: &Runtime) -> Answer<()> {
    let _guard = runtime.enter();
    let of = |kind| signal(kind).map_err(|error| failed("listen to signals", &error));
    let (mut term, mut int) = (of(SignalKind::terminate())?, of(SignalKind::interrupt())?);
    let mut hup = of(SignalKind::hangup())?;
    let told = Arc::clone(told);
    runtime.spawn(async move {
        loop {
            tokio::select! {
                _ = term.recv() => told.stop.store(true, Ordering::Relaxed),
                _ = int.recv() => told.stop.store(true, Ordering::Relaxed),
                _ = hup.recv() => told.look.store(true, Ordering::Relaxed),
            }
            told.wake.notify_one();
        }
    });
    Ok(())
}
