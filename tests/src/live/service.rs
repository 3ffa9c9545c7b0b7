//! The service of a live cluster: started, killed, and on request killed again
//! and again at moments nobody chose.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use anyhow::{Result, bail};

use crate::scenario::{Lyceum, Running};

/// Between a start and the kill that follows it: from before its first look is
/// done to after a few of its turns.
const LIVES: (Duration, Duration) = (Duration::from_secs(2), Duration::from_secs(24));
/// The end of what it wrote that is shown, in lines.
const SHOWN: usize = 40;

/// The service, which ends with this value.
#[derive(Debug)]
pub struct Service {
    slot: Arc<Mutex<Slot>>,
    killer: Option<(Arc<AtomicBool>, JoinHandle<u32>)>,
}

#[derive(Debug)]
struct Slot {
    program: Lyceum,
    arguments: Vec<String>,
    running: Option<Running>,
    /// What the one before wrote.
    before: String,
}

impl Service {
    /// One that is not started yet.
    pub fn new(program: &Lyceum, arguments: &[&str]) -> Self {
        let slot = Slot {
            program: program.clone(),
            arguments: arguments.iter().map(|one| (*one).to_owned()).collect(),
            running: None,
            before: String::new(),
        };
        Self { slot: Arc::new(Mutex::new(slot)), killer: None }
    }

    /// Starts it, where it does not run.
    pub fn start(&self) -> Result<()> {
        held(&self.slot).start()
    }

    /// Ends it without a word.
    pub fn kill(&self) {
        held(&self.slot).kill();
    }

    /// From now on it is killed at random moments, and started anew each time.
    pub fn disturb(&mut self) -> Result<()> {
        if self.killer.is_some() {
            bail!("it is disturbed already");
        }
        self.start()?;
        let (end, slot) = (Arc::new(AtomicBool::new(false)), self.slot.clone());
        let told = end.clone();
        let thread = thread::Builder::new().spawn(move || kill_and_start(&slot, &told))?;
        self.killer = Some((end, thread));
        Ok(())
    }

    /// It is left in peace; says how often it was killed.
    pub fn leave_in_peace(&mut self) -> u32 {
        let Some((end, thread)) = self.killer.take() else { return 0 };
        end.store(true, Ordering::Relaxed);
        thread.thread().unpark();
        thread.join().unwrap_or_default()
    }

    /// The end of what it wrote, for a failed test.
    pub fn said(&self) -> String {
        let slot = held(&self.slot);
        format!("before: {}\nnow: {}", slot.before, slot.said())
    }
}

impl Drop for Service {
    fn drop(&mut self) {
        self.leave_in_peace();
        self.kill();
    }
}

impl Slot {
    fn start(&mut self) -> Result<()> {
        if self.running.is_none() {
            let arguments: Vec<&str> = self.arguments.iter().map(String::as_str).collect();
            self.running = Some(self.program.start(&arguments)?);
        }
        Ok(())
    }

    fn kill(&mut self) {
        self.before = self.said();
        self.running = None;
    }

    fn said(&self) -> String {
        let said = self.running.as_ref().map(|running| running.so_far().1).unwrap_or_default();
        let mut end: Vec<&str> = said.lines().rev().take(SHOWN).collect();
        end.reverse();
        end.join("\n")
    }
}

fn kill_and_start(slot: &Mutex<Slot>, end: &AtomicBool) -> u32 {
    let mut killed = 0;
    loop {
        let (shortest, longest) = LIVES;
        let mut left = shortest + (longest - shortest).mul_f64(fastrand::f64());
        while !left.is_zero() && !end.load(Ordering::Relaxed) {
            let nap = left.min(Duration::from_millis(200));
            thread::park_timeout(nap);
            left -= nap;
        }
        if end.load(Ordering::Relaxed) {
            return killed;
        }
        let mut slot = held(slot);
        slot.kill();
        killed += 1;
        if let Err(error) = slot.start() {
            eprintln!("the service does not start: {error:#}");
        }
    }
}

fn held(slot: &Mutex<Slot>) -> MutexGuard<'_, Slot> {
    slot.lock().unwrap_or_else(PoisonError::into_inner)
}
