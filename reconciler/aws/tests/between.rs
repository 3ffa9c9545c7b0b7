//! A proxy between the crate and the emulator: what the emulator does not mind.

use std::io::{self, Read, Write};
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;

/// What becomes of a call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Fate {
    Passed,
    Refused,
    /// It gets no answer at all.
    Ignored,
}

/// A proxy that ends when dropped.
pub(crate) struct Between {
    address: SocketAddr,
    over: Arc<AtomicBool>,
}

impl Between {
    /// Passes calls on to `server`, but those that `judge`, who reads them whole,
    /// gives another fate.
    pub(crate) fn new(server: &str, judge: impl Fn(&str) -> Fate + Send + Sync + 'static) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let over = Arc::<AtomicBool>::default();
        let (ended, judge) = (over.clone(), Arc::new(judge));
        let server = server.trim_start_matches("http://").to_string();
        thread::spawn(move || {
            for stream in listener.incoming().map_while(Result::ok) {
                if ended.load(Ordering::SeqCst) {
                    return;
                }
                let (server, judge) = (server.clone(), judge.clone());
                // Whoever hangs up has got what it wanted, or wants no more.
                thread::spawn(move || serve(stream, &server, &*judge).ok());
            }
        });
        Self { address, over }
    }

    /// Where it listens.
    pub(crate) fn url(&self) -> String {
        format!("http://{}", self.address)
    }
}

impl Drop for Between {
    fn drop(&mut self) {
        self.over.store(true, Ordering::SeqCst);
        // It looks whether it is over when somebody comes.
        let _ = TcpStream::connect(self.address);
    }
}

/// As S3 refuses: a bucket is named, and not whose it has to be.
pub(crate) fn owner_is_named(call: &str) -> Fate {
    let line = call.lines().next().unwrap_or_default();
    let path = line.split(' ').nth(1).unwrap_or_default();
    let bare = !path.trim_matches('/').contains(['/', '?']);
    let creates = line.starts_with("PUT ") && bare;
    let s3 = call.contains("/s3/aws4_request");
    match s3 && !creates && !call.contains("x-amz-expected-bucket-owner: 123456789012") {
        true => Fate::Refused,
        false => Fate::Passed,
    }
}

/// One call of a connection, which ends with it.
fn serve(mut client: TcpStream, server: &str, judge: &dyn Fn(&str) -> Fate) -> io::Result<()> {
    let call = call(&mut client)?;
    match judge(&String::from_utf8_lossy(&call)) {
        Fate::Passed => pass(client, &mut TcpStream::connect(server)?, &call),
        Fate::Ignored => io::copy(&mut client, &mut io::sink()).map(drop),
        Fate::Refused => {
            let why = "<Error><Code>AccessDenied</Code><Message>between</Message></Error>";
            let head = "HTTP/1.1 403 Forbidden\r\nconnection: close\r\ncontent-length";
            write!(client, "{head}: {}\r\n\r\n{why}", why.len())
        }
    }
}

fn pass(mut client: TcpStream, server: &mut TcpStream, call: &[u8]) -> io::Result<()> {
    server.write_all(call)?;
    // Of a body of unknown length there is more to come.
    let (mut from, mut to) = (client.try_clone()?, server.try_clone()?);
    let rest = thread::spawn(move || io::copy(&mut from, &mut to));
    io::copy(server, &mut client)?;
    client.shutdown(Shutdown::Both)?;
    drop(rest.join());
    Ok(())
}

/// A call with its body, as one that is the last of its connection.
fn call(client: &mut TcpStream) -> io::Result<Vec<u8>> {
    let mut call = Vec::new();
    let mut byte = [0];
    while !call.ends_with(b"\r\n\r\n") {
        client.read_exact(&mut byte)?;
        call.push(byte[0]);
    }
    let head = String::from_utf8_lossy(&call).to_ascii_lowercase();
    let length = head.lines().find_map(|line| line.strip_prefix("content-length:"));
    let length = length.and_then(|text| text.trim().parse().ok()).unwrap_or(0);
    let mut body = vec![0; length];
    client.read_exact(&mut body)?;
    call.truncate(call.len() - 2);
    call.extend(b"connection: close\r\n\r\n");
    call.extend(body);
    Ok(call)
}
