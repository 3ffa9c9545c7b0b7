//! How far a cloud is until people can work in it.

use std::time::{Duration, Instant};

use lyceum_core::node::rollout::{NodeState, Standing};

use super::Keeper;
use crate::cli::failure::Failed;
use crate::cli::local::{certificate, runtime, shelf};
use crate::render::status::ClusterStatus;
use crate::road::{Road, Wanted, declared, status};

/// How long nothing may change until what fails is taken for what stays so.
const STILL: Duration = Duration::from_secs(60);

impl Keeper {
    /// How far it is: what is done is written down, in its order.
    pub(super) fn come_up(&mut self) -> Result<(), Failed> {
        self.give_image();
        let Some(found) = self.found()? else { return Ok(()) };
        let ready = |group: &str| {
            let is_ready = |node: &&NodeState| node.group == group && is_ready(node);
            found.nodes.iter().filter(is_ready).count()
        };
        let wanted = usize::try_from(found.workers_min.unwrap_or(0)).unwrap_or(0);
        let launched = |group: &str| {
            self.board.state().nodes.iter().filter(|node| node.group == group).count()
        };
        if self.stage == 0 && launched("hub") > 0 && launched("workers") >= wanted {
            self.reach(
                "the cluster in AWS, its instances launched",
                "the nodes become what their roles say",
            );
        }
        if self.stage == 1 && ready("hub") > 0 {
            self.reach("the hub ready", "the workers become ready");
        }
        if self.stage == 2 && ready("workers") >= wanted {
            self.reach(&format!("{wanted} workers ready"), "the hub is asked over TLS");
        }
        let answers = self.asked_over_tls();
        if self.stage == 3 && answers {
            self.reach("the hub answers over TLS", "");
            self.is_up();
        }
        if self.stage < 3 && self.is_still(&found) && answers {
            self.reach("the hub answers, and not all is well", "");
            self.is_up();
        }
        Ok(())
    }

    /// What the service's own status says of the cluster.
    fn found(&self) -> Result<Option<ClusterStatus>, Failed> {
        let read = declared(&self.repository, Some("HEAD"))?;
        let emulator = self.cloud.emulator().url();
        let only = Wanted { clusters: [self.cluster.clone()].into(), ..Wanted::default() };
        let found = runtime()?.block_on(async {
            let road = Road::to_emulator(read, None, only, emulator).await?;
            let look = road.look().await?;
            Ok::<_, Failed>(status(&road.declared, &look))
        })?;
        Ok(found.clusters.into_iter().find(|one| one.name == self.cluster))
    }

    fn reach(&mut self, what: &str, next: &str) {
        self.board.done(what);
        self.board.change(|state| state.now = (!next.is_empty()).then(|| next.into()));
        self.stage += 1;
    }

    fn is_up(&mut self) {
        let password = self.board.state().login.user.filter(|_| self.needs_password());
        let password = password.and_then(|_| self.admin_password());
        self.board.change(|state| {
            state.up = true;
            state.now = None;
            state.login.password = state.login.password.take().or(password);
        });
    }

    fn needs_password(&self) -> bool {
        self.board.state().login.password.is_none()
    }

    /// Made on the hub, where nobody but its administrator reads it.
    fn admin_password(&self) -> Option<String> {
        let hub = self.hub()?;
        hub.read("/srv/data/jupyterhub/admin-password").ok()
    }

    fn asked_over_tls(&self) -> bool {
        let Some((_, door)) = &self.door else { return false };
        let told = certificate::answers(door.address(), "/hub/health").ok().flatten();
        let answers = told.is_some();
        self.board.change(|state| state.hub.fingerprint = told.or(state.hub.fingerprint.take()));
        answers
    }

    /// Every node is ready or fails, and nothing has changed for a while.
    fn is_still(&mut self, found: &ClusterStatus) -> bool {
        let now: Vec<(String, Standing, usize)> = found
            .nodes
            .iter()
            .map(|node| (node.id.clone(), node.standing, node.troubles.len()))
            .collect();
        if now != self.last.0 {
            self.last = (now, Instant::now());
        }
        let settled = |standing: Standing| matches!(standing, Standing::Good | Standing::Failing);
        !self.last.0.is_empty()
            && self.last.0.iter().all(|(_, standing, _)| settled(*standing))
            && self.last.1.elapsed() >= STILL
    }

    /// A role may say to build the hub's image from the internet; here it is there.
    fn give_image(&mut self) {
        let Some(name) = self.images.built.clone().filter(|_| !self.given) else { return };
        let Some(hub) = self.hub() else { return };
        let is_ready = hub.run(&["docker", "version"]).is_ok_and(|ran| ran.success());
        if !is_ready {
            return;
        }
        let docker = self.cloud.ground().daemon().docker();
        match shelf::give(docker, &hub, &name, &self.place) {
            Ok(()) => self.given = true,
            Err(error) => tracing::warn!("{error:#}"),
        }
    }
}

fn is_ready(node: &NodeState) -> bool {
    node.standing == Standing::Good && !node.behind && !node.leaving
}
