//! From what a pointer says to what it says next.

use std::collections::BTreeSet;

use super::super::pointer::{Body, Target};
use super::state::Phase;
use super::{Group, Node, Situation, Standing};

/// How long nodes that go back are waited for.
const ARRIVE_SECONDS: i64 = 600;

/// What a group's pointer says next, and what that is a part of.
pub(super) fn next(situation: &Situation, (name, group): (&str, &Group)) -> (Body, Phase) {
    let Some(pointer) = &group.pointer else {
        return (plain(situation, name, &group.wanted), Phase::Settled);
    };
    let step = Step::new(situation, (name, group), pointer);
    match &pointer.previous {
        None if pointer.target == group.wanted => step.plain(&group.wanted),
        // Nobody is there who could be hurt, or told first.
        None if step.nobody() => step.plain(&group.wanted),
        // Some may still be on their way from the roll-out before.
        None => step.begin(&pointer.target, &step.moving(&pointer.target)),
        Some(previous) if pointer.target == group.wanted => step.forward(previous),
        Some(previous) if *previous == group.wanted => step.back(previous),
        Some(previous) => step.turn(previous),
    }
}

fn plain(situation: &Situation, group: &str, target: &Target) -> Body {
    Body {
        cluster: situation.cluster.clone(),
        group: group.into(),
        target: target.clone(),
        previous: None,
        wave: Vec::new(),
        // Whoever signs it says with which key.
        public_key: String::new(),
    }
}

/// One group, with what its pointer says.
struct Step<'a> {
    situation: &'a Situation,
    name: &'a str,
    group: &'a Group,
    pointer: &'a Body,
    /// Nodes told to take the pointer's target, as far as they are still there.
    told: Vec<&'a Node>,
    /// Nodes that are to stay, report, and were not told.
    rest: Vec<&'a Node>,
}

impl<'a> Step<'a> {
    fn new(
        situation: &'a Situation,
        (name, group): (&'a str, &'a Group),
        pointer: &'a Body,
    ) -> Self {
        let wave: BTreeSet<&str> = pointer.wave.iter().map(String::as_str).collect();
        let stays = group.nodes.iter().filter(|node| !node.leaving);
        let (told, others): (Vec<_>, Vec<_>) =
            stays.partition(|node| wave.contains(node.id.as_str()));
        let rest = others.into_iter().filter(|node| node.counts(situation.now)).collect();
        Self { situation, name, group, pointer, told, rest }
    }

    /// On to the pointer's own target.
    fn forward(&self, previous: &Target) -> (Body, Phase) {
        let target = self.pointer.target.digest();
        if self.told.iter().any(|node| self.stands(node, &target) != Standing::Good) {
            return self.stay(Phase::Rolling);
        }
        if self.rest.is_empty() {
            // Those who said nothing for long take it when they come back; but
            // somebody has to have shown that it works.
            return match self.told.is_empty() && !self.nobody() {
                true => self.stay(Phase::Rolling),
                false => self.plain(&self.pointer.target),
            };
        }
        let size = if self.told.is_empty() { self.first() } else { self.most() };
        // Whoever failed it before, and has not said yet that it went back, is
        // told again, and nobody else; whoever is still on the way from a
        // roll-out before moves in any case.
        let fails = |node: &&&Node| self.stands(node, &target) == Standing::Failing;
        let failing: Vec<&Node> = self.rest.iter().filter(fails).copied().collect();
        let moving = self.moving(previous);
        let candidates = [&failing, &moving, &self.rest].into_iter().find(|all| !all.is_empty());
        let more = self.pick(candidates.unwrap_or(&self.rest), previous, size);
        self.during(&self.pointer.target, previous, self.told.iter().copied().chain(more))
    }

    /// Back to the other target, some at a time: those that fail go first.
    fn back(&self, previous: &Target) -> (Body, Phase) {
        let moving = self.moving(previous);
        if self.told.len() + moving.len() <= self.most() {
            return (plain(self.situation, self.name, previous), Phase::GoingBack);
        }
        self.withdraw(previous, moving.len(), |standing| standing != Standing::Failing)
    }

    /// To a third target: once all but a wave are on one of the two.
    fn turn(&self, previous: &Target) -> (Body, Phase) {
        let target = self.pointer.target.digest();
        let stands = |node: &&&Node| self.stands(node, &target);
        let fails = self.told.iter().any(|node| stands(&node) == Standing::Failing);
        if !fails && self.told.len() > self.rest.len() {
            let open = self.told.iter().filter(|node| stands(node) != Standing::Good);
            let open: Vec<&Node> = open.chain(&self.rest).copied().collect();
            return match open.len() <= self.most() {
                true => self.begin(&self.pointer.target, &open),
                false => self.forward(previous),
            };
        }
        let moving = self.moving(previous);
        if self.told.len() + moving.len() <= self.most() {
            let open: Vec<&Node> = self.told.iter().copied().chain(moving).collect();
            return self.begin(previous, &open);
        }
        // Those that fail stay to the last: as long as they are there, this
        // does not turn round.
        self.withdraw(previous, moving.len(), |standing| standing == Standing::Failing)
    }

    /// Takes nodes off the wave: those that are not there yet, and of the others
    /// as many as may move, in the order of `late`.
    fn withdraw(
        &self,
        previous: &Target,
        moving: usize,
        late: impl Fn(Standing) -> bool,
    ) -> (Body, Phase) {
        let target = self.pointer.target.digest();
        let arrived =
            |node: &&Node| matches!(self.stands(node, &target), Standing::Good | Standing::Failing);
        let (mut there, open): (Vec<&Node>, Vec<&Node>) =
            self.told.iter().copied().partition(arrived);
        let room = self.most().saturating_sub(moving + open.len());
        if open.is_empty() && room == 0 {
            return self.stay(Phase::GoingBack);
        }
        there.sort_by_key(|node| (late(self.stands(node, &target)), node.launched, &node.id));
        let wave = there.into_iter().skip(room);
        let (body, _) = self.during(&self.pointer.target, previous, wave);
        (body, Phase::GoingBack)
    }

    /// A roll-out's first wave. `open` are nodes that move in any case: as long
    /// as there are any, it is one of them.
    fn begin(&self, previous: &Target, open: &[&Node]) -> (Body, Phase) {
        let candidates = if open.is_empty() { &self.rest } else { open };
        let wave = self.pick(candidates, previous, self.first());
        self.during(&self.group.wanted, previous, wave.into_iter())
    }

    /// The next of these nodes: those that are well first, then the oldest.
    fn pick(&self, nodes: &[&'a Node], previous: &Target, size: usize) -> Vec<&'a Node> {
        let digest = previous.digest();
        let mut nodes = nodes.to_vec();
        nodes.sort_by_key(|node| {
            (self.stands(node, &digest) != Standing::Good, node.launched, &node.id)
        });
        nodes.truncate(size);
        nodes
    }

    /// Nodes that were not told and are on their way to what they should be.
    /// One that does not arrive is not waited for: what it should be is not
    /// what is being tried.
    fn moving(&self, previous: &Target) -> Vec<&'a Node> {
        let since = self.group.written.unwrap_or(self.situation.now);
        if self.situation.now - since > ARRIVE_SECONDS {
            return Vec::new();
        }
        let digest = previous.digest();
        let moves = |node: &&&Node| self.stands(node, &digest) == Standing::Elsewhere;
        self.rest.iter().filter(moves).copied().collect()
    }

    /// No node has ever reported.
    fn nobody(&self) -> bool {
        !self.group.nodes.iter().any(|node| !node.leaving && node.report.is_some())
    }

    fn stands(&self, node: &Node, digest: &str) -> Standing {
        node.standing(digest, self.situation.now)
    }

    fn first(&self) -> usize {
        if self.situation.policy.canary { 1 } else { self.most() }
    }

    fn most(&self) -> usize {
        self.situation.policy.max_unavailable.max(1)
    }

    fn plain(&self, target: &Target) -> (Body, Phase) {
        (plain(self.situation, self.name, target), Phase::Settled)
    }

    fn stay(&self, phase: Phase) -> (Body, Phase) {
        (self.pointer.clone(), phase)
    }

    fn during<'n>(
        &self,
        target: &Target,
        previous: &Target,
        wave: impl Iterator<Item = &'n Node>,
    ) -> (Body, Phase) {
        let wave: BTreeSet<String> = wave.map(|node| node.id.clone()).collect();
        let body = Body {
            previous: Some(previous.clone()),
            wave: wave.into_iter().collect(),
            ..plain(self.situation, self.name, target)
        };
        (body, Phase::Rolling)
    }
}
