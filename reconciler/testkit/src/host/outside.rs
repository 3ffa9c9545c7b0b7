//! Programs, connections, parameters, peers and marks.

use std::collections::BTreeMap;
use std::time::Duration;

use lyceum_core::node::facts::Facts;
use lyceum_core::node::host::{Answer, Cause, Cluster, Confidential, Ended, Outside, Program};

use super::{FakeHost, Machine, error};

impl Cluster for FakeHost {
    fn parameter(&mut self, name: &str) -> Answer<Option<Confidential>> {
        self.look(format!("parameter {name}"), |machine| {
            let value = machine.parameters.get(name).filter(|value| *value != "none");
            Ok(value.map(Confidential::new))
        })
    }

    fn put_parameter(&mut self, name: &str, value: &Confidential) -> Answer<()> {
        let call = format!("put_parameter {name}");
        self.change(call.clone(), |machine| match machine.parameters.get_mut(name) {
            Some(parameter) => {
                *parameter = value.reveal().into();
                Ok(())
            }
            None => error(Cause::NotFound, call, "ParameterNotFound"),
        })
    }

    fn peers(&mut self) -> Answer<BTreeMap<String, bool>> {
        self.look("peers", |machine| Ok(machine.peers.clone()))
    }
}

impl Outside for FakeHost {
    fn facts(&mut self) -> Answer<Facts> {
        self.look("facts", |machine| Ok(machine.facts.clone()))
    }

    /// Whether a program changes anything is its own affair: it is in no log.
    fn run(&mut self, program: &Program) -> Answer<Ended> {
        let name = program.argv.first().cloned().unwrap_or_default();
        let call = format!("run {}", program.argv.join(" "));
        self.look(call.clone(), |machine| {
            if name == "blkid" && !machine.programs.contains_key("blkid") {
                return Ok(uuid(program));
            }
            if name == "openssl" && !machine.programs.contains_key("openssl") {
                return Ok(handshake(machine, program));
            }
            let known = machine.programs.get(&name).or_else(|| machine.programs.get("*"));
            let Some(behaviour) = known.cloned() else {
                return error(Cause::NotFound, call, "No such file or directory");
            };
            Ok(behaviour(machine, program))
        })
    }

    fn connects(&mut self, address: &str, port: u16, _: Duration) -> Answer<bool> {
        self.look(format!("connects {address}:{port}"), |machine| {
            Ok(machine.listening.contains(&(address.to_string(), port)))
        })
    }

    fn http_get(&mut self, url: &str, _: bool, _: Duration) -> Answer<(u16, String)> {
        let call = format!("http_get {url}");
        self.look(call.clone(), |machine| match machine.pages.get(url) {
            Some(page) => Ok(page.clone()),
            None => error(Cause::Unreachable, call, "connection refused"),
        })
    }

    fn mark(&mut self, name: &str) -> Answer<()> {
        self.change(format!("mark {name}"), |machine| {
            machine.marks.insert(name.into());
            Ok(())
        })
    }

    fn marked(&mut self, name: &str) -> Answer<bool> {
        self.look(format!("marked {name}"), |machine| Ok(machine.marks.contains(name)))
    }

    fn unmark(&mut self, name: &str) -> Answer<()> {
        self.change(format!("unmark {name}"), |machine| {
            machine.marks.remove(name);
            Ok(())
        })
    }
}

/// `openssl s_client -connect MANAGER -CAfile FILE`
fn handshake(machine: &Machine, program: &Program) -> Ended {
    let after = |word: &str| {
        let at = program.argv.iter().position(|it| it == word);
        at.and_then(|at| program.argv.get(at + 1)).map_or("", String::as_str)
    };
    let shown = machine.shows_certificate(after("-connect"), after("-CAfile"));
    Ended { code: i32::from(!shown), output: String::new() }
}

fn uuid(program: &Program) -> Ended {
    let device = program.argv.last().and_then(|path| path.rsplit('/').next()).unwrap_or_default();
    Ended { code: 0, output: format!("uuid-of-{device}\n") }
}
