//! Passes TCP connections from the nodes' network on to something that listens
//! on this machine only, such as the AWS emulator, and can be shut for a while.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{Semaphore, watch};

use crate::error::Error;
use crate::serving::Serving;

const CONNECTIONS: usize = 1_024;
const CONNECTED_WITHIN: Duration = Duration::from_secs(5);

/// A forwarder. It ends with the cloud it belongs to.
#[derive(Clone, Debug)]
pub struct Forward {
    address: SocketAddr,
    target: Arc<watch::Sender<Option<SocketAddr>>>,
}

impl Forward {
    pub(crate) fn start(
        serving: &Serving,
        address: SocketAddr,
        target: SocketAddr,
    ) -> Result<Self, Error> {
        let (sender, receiver) = watch::channel(Some(target));
        let address = serving.listen(address, move |listener| forward(listener, receiver))?;
        Ok(Self { address, target: Arc::new(sender) })
    }

    /// Where nodes connect to.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// From now on connections go to `target`; with none they are cut, and new
    /// ones are closed at once.
    pub fn set_target(&self, target: Option<SocketAddr>) {
        self.target.send_replace(target);
    }
}

async fn forward(listener: TcpListener, target: watch::Receiver<Option<SocketAddr>>) {
    let room = Arc::new(Semaphore::new(CONNECTIONS));
    loop {
        let Ok((stream, _)) = listener.accept().await else {
            tokio::time::sleep(Duration::from_millis(50)).await;
            continue;
        };
        let Ok(room) = room.clone().acquire_owned().await else { return };
        let target = target.clone();
        tokio::spawn(async move {
            pass(stream, target).await;
            drop(room);
        });
    }
}

/// Until either side ends or the target changes.
async fn pass(mut stream: TcpStream, mut target: watch::Receiver<Option<SocketAddr>>) {
    let Some(to) = *target.borrow_and_update() else { return };
    let connected = tokio::time::timeout(CONNECTED_WITHIN, TcpStream::connect(to)).await;
    let Ok(Ok(mut other)) = connected else { return };
    tokio::select! {
        _ = tokio::io::copy_bidirectional(&mut stream, &mut other) => {}
        _ = target.changed() => {}
    }
}

#[cfg(test)]
mod tests {
    use std::io::{Read, Write};

    use super::*;

    /// Answers every connection with one line.
    fn answering(line: &'static str) -> SocketAddr {
        let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        std::thread::spawn(move || {
            for stream in listener.incoming() {
                let _ = stream.and_then(|mut stream| stream.write_all(line.as_bytes()));
            }
        });
        address
    }

    fn ask(address: SocketAddr) -> String {
        let mut text = String::new();
        let mut stream = std::net::TcpStream::connect(address).unwrap();
        stream.set_read_timeout(Some(Duration::from_secs(10))).unwrap();
        let _ = stream.read_to_string(&mut text);
        text
    }

    #[test]
    fn it_passes_on_shuts_and_opens_elsewhere() {
        let serving = Serving::start().unwrap();
        let any = SocketAddr::from(([127, 0, 0, 1], 0));
        let forward = Forward::start(&serving, any, answering("one")).unwrap();
        assert_eq!(ask(forward.address()), "one");
        forward.set_target(None);
        assert_eq!(ask(forward.address()), "");
        forward.set_target(Some(answering("two")));
        assert_eq!(ask(forward.address()), "two");
    }
}
