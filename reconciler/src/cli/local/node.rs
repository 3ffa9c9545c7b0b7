//! `lyceum local node`: what happens to machines, on request. And how a node is
//! found by what people call it.

use lyceum_local::{Daemon, Docker, Node};

use super::home::{Home, place};
use super::orders::{self, Order};
use super::state;
use crate::cli::args::{Deed, LocalNodeArgs};
use crate::cli::failure::{Failed, Refused};
use crate::cli::{Exit, output};

pub(super) fn run(args: &LocalNodeArgs) -> Result<Exit, Failed> {
    let found = Found::named(&args.cloud.name, &args.node)?;
    let node = &found.node;
    let what = match args.deed {
        Deed::Stop => {
            node.stop()?;
            "is shut down; `start` switches it on again".to_string()
        }
        Deed::Kill => {
            node.cut_power()?;
            "lost its power; `start` switches it on again".to_string()
        }
        Deed::Start => {
            node.start()?;
            "is switched on".to_string()
        }
        Deed::Cut => {
            node.cut_network()?;
            "is cut off from the network until `heal`".to_string()
        }
        Deed::Slow => {
            node.slow_network(Some(args.kilobits))?;
            format!("can send {} kilobits a second until `heal`", args.kilobits)
        }
        Deed::Fill => {
            node.fill(&args.folder)?;
            format!("has no room left in {} until `heal`", args.folder)
        }
        Deed::Heal => {
            node.heal()?;
            "is as it was".to_string()
        }
        Deed::Notice => {
            let seconds = args.within.as_secs();
            let order = Order::Notice { node: node.name().into(), seconds };
            orders::give(&Home::of(&args.cloud.name)?.socket(&place()?), &order)?;
            format!("is told that it goes in {seconds} s, and will")
        }
    };
    output::note(&format!("{} {what}", found.called));
    Ok(Exit::Well)
}

/// A node that was found by a name.
pub(super) struct Found {
    pub(super) docker: Docker,
    pub(super) node: Node,
    /// Its short name, or its instance's id.
    called: String,
}

impl Found {
    /// By its short name, or by its instance's id, of which the beginning will do.
    pub(super) fn named(cloud: &str, name: &str) -> Result<Self, Failed> {
        let home = Home::of(cloud)?;
        let nothing = || {
            let hint = "`lyceum local status` lists what there is, `lyceum local up` brings one up";
            Refused::new(format!("there is no cloud `{cloud}` on this machine"), hint)
        };
        let state = home.state()?.ok_or_else(nothing)?;
        let docker = Daemon::find(&place()?).ok_or_else(nothing)?;
        let there = Node::all(&docker, cloud)?;
        let names: Vec<&str> = there.iter().map(|node| called(&state.nodes, node.name())).collect();
        let is_it = |(node, known): &(&Node, &&str)| {
            **known == name || name.len() > 3 && node.name().starts_with(name)
        };
        match there.iter().zip(&names).find(is_it) {
            Some((node, known)) => Ok(Self { docker, called: (*known).into(), node: node.clone() }),
            None => {
                let hint = match names.is_empty() {
                    true => "it has no nodes".to_string(),
                    false => format!("there are {}", names.join(", ")),
                };
                Err(Refused::new(format!("`{cloud}` has no node `{name}`"), hint).into())
            }
        }
    }
}

/// What people call an instance.
fn called<'a>(nodes: &'a [state::Node], id: &'a str) -> &'a str {
    nodes.iter().find(|node| node.id == id).map_or(id, |node| node.name.as_str())
}
