//! Programs, connections, facts, and marks that outlive the agent.

use std::net::SocketAddr;
use std::time::Duration;

use lyceum_core::node::facts::Facts;
use lyceum_core::node::host::{self, Answer, Cause, Ended, HostError, Program};
use tokio::net::TcpStream;

use super::Machine;
use super::programs::{self, Asked};
use crate::http;

/// How much of an answer is looked at.
const BEGINNING: usize = 64 * 1024;
/// How much of a program's output a step or check may look at.
const OUTPUT: usize = 64 * 1024;

impl host::Outside for Machine {
    fn facts(&mut self) -> Answer<Facts> {
        Ok(self.facts.clone())
    }

    fn run(&mut self, program: &Program) -> Answer<Ended> {
        let asked = Asked {
            argv: program.argv.clone(),
            env: program.env.clone(),
            cwd: program.cwd.clone(),
            timeout: program.timeout,
            kept: OUTPUT,
        };
        self.runtime.block_on(programs::run(&asked))
    }

    fn connects(&mut self, address: &str, port: u16, timeout: Duration) -> Answer<bool> {
        let operation = format!("connect to {address}:{port}");
        let names = &self.names;
        let call = async {
            let addresses = names.addresses(address).await;
            let addresses =
                addresses.map_err(|it| HostError::new(Cause::Unreachable, &operation, it))?;
            for address in addresses {
                if TcpStream::connect(SocketAddr::new(address, port)).await.is_ok() {
                    return Ok(true);
                }
            }
            Ok(false)
        };
        self.runtime
            .block_on(async { tokio::time::timeout(timeout, call).await.unwrap_or(Ok(false)) })
    }

    fn http_get(&mut self, url: &str, verify: bool, timeout: Duration) -> Answer<(u16, String)> {
        let client = match self.checking.get(&verify) {
            Some(client) => client.clone(),
            None => http::check_client(&self.names, verify)?,
        };
        self.checking.insert(verify, client.clone());
        let operation = format!("get {url}");
        self.runtime.block_on(async {
            let request = client.get(url).timeout(timeout);
            let failed = |error| http::failed(&operation, error);
            let mut response = request.send().await.map_err(failed)?;
            let mut body = Vec::new();
            while body.len() < BEGINNING
                && let Some(part) = response.chunk().await.map_err(failed)?
            {
                body.extend_from_slice(&part);
            }
            body.truncate(BEGINNING);
            Ok((response.status().as_u16(), String::from_utf8_lossy(&body).into_owned()))
        })
    }

    fn mark(&mut self, name: &str) -> Answer<()> {
        self.keep.mark(name)
    }

    fn marked(&mut self, name: &str) -> Answer<bool> {
        self.keep.marked(name)
    }

    fn unmark(&mut self, name: &str) -> Answer<()> {
        self.keep.unmark(name)
    }
}
