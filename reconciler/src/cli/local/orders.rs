//! What only the keeper can do, asked of it over a socket of this machine: one
//! line of JSON, answered by one.

use std::fs;
use std::io::{BufRead, BufReader, Read, Write};
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::{Path, PathBuf};
use std::sync::mpsc::{Receiver, Sender, channel, sync_channel};
use std::thread;
use std::time::Duration;

use anyhow::{Context, anyhow};
use serde::{Deserialize, Serialize};

use crate::cli::failure::{Failed, Refused};

const ANSWER_WITHIN: Duration = Duration::from_secs(30);
/// The longest line, in bytes.
const LONGEST: u64 = 4_096;

/// Something to do.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(super) enum Order {
    /// Announce that a node is taken away in so many seconds, and do so.
    Notice { node: String, seconds: u64 },
}

/// An order, and where to say what came of it.
pub(super) struct Given {
    pub(super) order: Order,
    pub(super) done: Box<dyn FnOnce(Result<(), String>) + Send>,
}

/// The socket; it goes with this value.
pub(super) struct Desk {
    path: PathBuf,
    given: Receiver<Given>,
}

impl Desk {
    /// Takes orders from now on. Only whoever may enter the folder gives any.
    pub(super) fn open(path: PathBuf) -> Result<Self, Failed> {
        // Of a keeper that was killed.
        fs::remove_file(&path).ok();
        let listener =
            UnixListener::bind(&path).with_context(|| format!("cannot listen at {path:?}"))?;
        let (sender, given) = channel();
        thread::Builder::new().name("orders".into()).spawn(move || {
            for stream in listener.incoming().flatten() {
                // Whoever does not ask in time is not waited for.
                if take(stream, &sender).is_none() {
                    tracing::debug!("an order that nobody understands");
                }
            }
        })?;
        Ok(Self { path, given })
    }

    /// The next order, if one comes in time.
    pub(super) fn next(&self, within: Duration) -> Option<Given> {
        self.given.recv_timeout(within).ok()
    }
}

impl Drop for Desk {
    fn drop(&mut self) {
        fs::remove_file(&self.path).ok();
    }
}

/// Gives an order to the keeper of a socket and waits until it is carried out.
pub(super) fn give(path: &Path, order: &Order) -> Result<(), Failed> {
    let hint = "`lyceum local status` shows whether it runs";
    let mut stream = UnixStream::connect(path)
        .map_err(|_| Refused::new("the keeper of the cloud does not answer", hint))?;
    stream.set_read_timeout(Some(ANSWER_WITHIN))?;
    let mut line = serde_json::to_vec(order)?;
    line.push(b'\n');
    stream.write_all(&line)?;
    let mut answer = String::new();
    BufReader::new(stream.take(LONGEST)).read_line(&mut answer)?;
    let answer: Result<(), String> = serde_json::from_str(&answer)?;
    answer.map_err(|why| anyhow!(why))
}

fn take(stream: UnixStream, orders: &Sender<Given>) -> Option<()> {
    stream.set_read_timeout(Some(ANSWER_WITHIN)).ok()?;
    let mut line = String::new();
    BufReader::new((&stream).take(LONGEST)).read_line(&mut line).ok()?;
    let order = serde_json::from_str(&line).ok()?;
    let (sender, done) = sync_channel::<Result<(), String>>(1);
    let answer = Box::new(move |came| drop(sender.send(came)));
    orders.send(Given { order, done: answer }).ok()?;
    let came = done.recv_timeout(ANSWER_WITHIN).ok()?;
    let mut text = serde_json::to_vec(&came).ok()?;
    text.push(b'\n');
    (&stream).write_all(&text).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_order_is_carried_out_and_answered() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("s");
        let desk = Desk::open(path.clone()).unwrap();
        let order = Order::Notice { node: "i-1".into(), seconds: 7 };
        for answer in [Ok(()), Err("there is no such node".to_string())] {
            let (asked, at) = (order.clone(), path.clone());
            let giver = thread::spawn(move || give(&at, &asked).map_err(|why| why.to_string()));
            let given = desk.next(Duration::from_secs(10)).unwrap();
            assert_eq!(given.order, order);
            (given.done)(answer.clone());
            assert_eq!(giver.join().unwrap(), answer);
        }
        drop(desk);
        assert!(!path.exists());
        assert!(give(&path, &order).is_err());
    }
}
