//! The emulator behind a proxy that leaves some calls without any answer.

use std::io::{self, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;

/// A proxy that ends when dropped.
pub(crate) struct Silence {
    address: SocketAddr,
    over: Arc<AtomicBool>,
}

impl Silence {
    /// Passes calls on to `server` but those that contain `about`.
    pub(crate) fn before(server: &str, about: &str) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let over = Arc::<AtomicBool>::default();
        let (ended, server) = (over.clone(), server.trim_start_matches("http://").to_string());
        let about = about.to_string();
        thread::spawn(move || {
            for stream in listener.incoming().map_while(Result::ok) {
                if ended.load(Ordering::SeqCst) {
                    return;
                }
                let (server, about) = (server.clone(), about.clone());
                // Whoever hangs up has got what it wanted, or wants no more.
                thread::spawn(move || pass(stream, &server, &about).ok());
            }
        });
        Self { address, over }
    }

    /// Where it listens.
    pub(crate) fn url(&self) -> String {
        format!("http://{}", self.address)
    }
}

impl Drop for Silence {
    fn drop(&mut self) {
        self.over.store(true, Ordering::SeqCst);
        // It looks whether it is over when somebody comes.
        let _ = TcpStream::connect(self.address);
    }
}

/// One request of a connection, which ends with it.
fn pass(mut client: TcpStream, server: &str, about: &str) -> io::Result<()> {
    let request = request(&mut client)?;
    if String::from_utf8_lossy(&request).contains(about) {
        return io::copy(&mut client, &mut io::sink()).map(drop);
    }
    let mut server = TcpStream::connect(server)?;
    server.write_all(&request)?;
    io::copy(&mut server, &mut client).map(drop)
}

/// A request with its body, as one that is the last of its connection.
fn request(client: &mut TcpStream) -> io::Result<Vec<u8>> {
    let mut request = Vec::new();
    let mut byte = [0];
    while !request.ends_with(b"\r\n\r\n") {
        client.read_exact(&mut byte)?;
        request.push(byte[0]);
    }
    let head = String::from_utf8_lossy(&request).to_ascii_lowercase();
    let length = head.lines().find_map(|line| line.strip_prefix("content-length:"));
    let length = length.and_then(|text| text.trim().parse().ok()).unwrap_or(0);
    let mut body = vec![0; length];
    client.read_exact(&mut body)?;
    request.truncate(request.len() - 2);
    request.extend(b"connection: close\r\n\r\n");
    request.extend(body);
    Ok(request)
}
