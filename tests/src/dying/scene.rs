//! A deed about to be done: a world brought to where it begins, and how it is
//! gone on with until nothing is left to do.

use anyhow::{Result, bail, ensure};

use super::Deed;
use crate::scenario::{Consent, Lyceum, Repo, Running, Victim, World};

/// Passes that may be needed until a plan is empty.
const PASSES: usize = 6;
/// Declared beside a cluster that is removed, since a repository that declares
/// nothing removes nothing. Suspended, so that it costs no call.
const NEIGHBOUR: &str = "stats-200";

/// A deed, its repository and the program that does it.
pub(super) struct Scene {
    deed: Deed,
    cluster: String,
    repo: Repo,
    program: Lyceum,
    consents: Vec<Consent>,
}

impl Scene {
    /// Brings an empty world to where the deed begins.
    pub(super) fn new(deed: Deed, cluster: &str, world: &World) -> Result<Self> {
        let repo = match deed {
            Deed::Apply | Deed::Destroy => Repo::of_examples(&[cluster])?,
            Deed::Remove => with_a_neighbour(cluster)?,
        };
        let program = Lyceum::new(&world.endpoint(), repo.path())?;
        let (cluster, consents) = (cluster.into(), Vec::new());
        let mut scene = Self { deed, cluster, repo, program, consents };
        match deed {
            Deed::Apply => {}
            Deed::Destroy => drop(scene.program.apply()?),
            Deed::Remove => scene.take_away()?,
        }
        world.proxy.forget_attempts();
        Ok(scene)
    }

    /// Does it once, as somebody's victim.
    pub(super) fn begin(&self, victim: &Victim) -> Result<Running> {
        self.program.start_as(&self.command(), victim)
    }

    /// Plain passes until there is nothing left to do; how many that were.
    pub(super) fn converge(&mut self) -> Result<usize> {
        let mut told = String::new();
        for pass in 1..=PASSES {
            let ended = self.program.run(&self.command())?;
            if ended.code == Some(0) && self.is_done()? {
                return Ok(pass);
            }
            told = ended.to_string();
        }
        bail!("still not done after {PASSES} passes: {told}")
    }

    fn command(&self) -> Vec<&str> {
        match self.deed {
            Deed::Apply | Deed::Remove => vec!["apply", "--yes"],
            Deed::Destroy => vec!["destroy", "--cluster", &self.cluster, "--yes", "--force"],
        }
    }

    fn is_done(&mut self) -> Result<bool> {
        Ok(match self.deed {
            Deed::Apply => self.program.settled()?,
            Deed::Destroy => true,
            Deed::Remove => !self.consent()? && self.program.settled()?,
        })
    }

    /// All of a removal but its last pass: what holds no data is gone.
    fn take_away(&mut self) -> Result<()> {
        self.program.apply()?;
        self.repo.remove(&format!("clusters/{}", self.cluster))?;
        self.repo.commit("The term is over")?;
        ensure!(self.consent()?, "the cluster may go without consent");
        self.program.apply()?;
        ensure!(self.consent()?, "what of it holds data may go without consent");
        Ok(())
    }

    /// Consents to whatever waits for it; false where nothing does.
    fn consent(&mut self) -> Result<bool> {
        let asked = Consent::asked_for(&self.program.plan()?)?;
        self.consents.extend(asked.iter().cloned());
        if !asked.is_empty() {
            Consent::commit(&self.consents, &self.repo)?;
        }
        Ok(!asked.is_empty())
    }
}

fn with_a_neighbour(cluster: &str) -> Result<Repo> {
    let repo = Repo::of_examples(&[cluster, NEIGHBOUR])?;
    repo.edit(
        &format!("clusters/{NEIGHBOUR}/cluster.yaml"),
        "spec:\n",
        "spec:\n  suspend: true\n",
    )?;
    repo.commit("The neighbour rests")?;
    Ok(repo)
}
