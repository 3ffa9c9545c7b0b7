//! Which step waits for which, and the order that follows.
//!
//! Invariants: nothing comes before what it needs; apart from that steps stay
//! in the order of the roles; what has no order is an error.

use std::collections::{BTreeMap, BTreeSet};

use super::super::step::{ABSENT, ANY_VERSION, Action, SHARED};
use super::{Drafted, Ids, PlanError, PlannedStep};

/// Steps with all their needs, in order.
pub(super) fn ordered(steps: Vec<Drafted>, ids: &Ids) -> Result<Vec<PlannedStep>, PlanError> {
    let mut graph = Graph::new(&steps)?;
    for (place, step) in steps.iter().enumerate() {
        graph.said(place, step, ids)?;
        graph.found(place, step)?;
    }
    graph.hold_behind_barriers(&steps);
    let order = graph.sorted(&steps)?;
    let names = |places: &BTreeSet<usize>| {
        places.iter().map(|place| steps[*place].id.clone()).collect::<BTreeSet<_>>()
    };
    Ok(order
        .into_iter()
        .map(|place| PlannedStep {
            id: steps[place].id.clone(),
            action: steps[place].action.clone(),
            needs: names(&graph.needs[place]),
            watches: names(&graph.watches[place]),
        })
        .collect())
}

/// Steps as places in the list, and what they wait for.
struct Graph {
    owners: BTreeMap<String, usize>,
    providers: BTreeMap<String, Vec<usize>>,
    needs: Vec<BTreeSet<usize>>,
    watches: Vec<BTreeSet<usize>>,
}

impl Graph {
    fn new(steps: &[Drafted]) -> Result<Self, PlanError> {
        let mut owners = BTreeMap::new();
        let mut providers: BTreeMap<String, Vec<usize>> = BTreeMap::new();
        for (place, step) in steps.iter().enumerate() {
            for path in paths(step, step.action.step().owns())? {
                if let Some(other) = owners.insert(path.clone(), place) {
                    return Err(twice(step, &steps[other], &path));
                }
            }
            for thing in step.action.step().provides() {
                let others = providers.entry(thing.clone()).or_default();
                if let Some(other) = others.first().filter(|_| !is_shared(&thing)) {
                    return Err(twice(step, &steps[*other], &thing));
                }
                others.push(place);
            }
        }
        check_packages(steps)?;
        let none = vec![BTreeSet::new(); steps.len()];
        Ok(Self { owners, providers, needs: none.clone(), watches: none })
    }

    /// What the role says: needs, and what is watched.
    fn said(&mut self, place: usize, step: &Drafted, ids: &Ids) -> Result<(), PlanError> {
        for name in &step.needs {
            self.needs[place].extend(named(step, "needs", name, ids)?);
        }
        for name in step.action.step().watches() {
            self.watches[place].extend(named(step, "watches", name, ids)?);
        }
        if self.watches[place].contains(&place) || self.needs[place].contains(&place) {
            return Err(PlanError::new(&step.id, "it waits for itself"));
        }
        let watched = self.watches[place].clone();
        self.needs[place].extend(watched);
        Ok(())
    }

    /// What follows from what the step is.
    fn found(&mut self, place: usize, step: &Drafted) -> Result<(), PlanError> {
        let kind = step.action.step();
        let mut needs: BTreeSet<usize> = BTreeSet::new();
        for path in paths(step, kind.owns())? {
            needs.extend(ancestors(&path).filter_map(|above| self.owners.get(above)));
        }
        for path in paths(step, kind.uses())? {
            needs.extend(self.owners.get(&path));
            needs.extend(ancestors(&path).filter_map(|above| self.owners.get(above)));
            // What is used whole is used with what earlier steps put into it.
            let below = format!("{path}/");
            let inside = self.owners.range(below.clone()..);
            let inside = inside.take_while(|(owned, _)| owned.starts_with(&below));
            needs.extend(inside.map(|(_, owner)| owner).filter(|owner| **owner < place));
        }
        let docker = kind.needs_docker().then(|| "unit docker.service".to_string());
        for thing in kind.wants().into_iter().chain(docker) {
            needs.extend(self.providers.get(&thing).into_iter().flatten());
        }
        needs.remove(&place);
        self.needs[place].extend(needs);
        Ok(())
    }

    /// Places in order: of those that wait for nothing any more, the first.
    fn sorted(&self, steps: &[Drafted]) -> Result<Vec<usize>, PlanError> {
        let mut open: Vec<usize> = self.needs.iter().map(BTreeSet::len).collect();
        let mut waiting: Vec<Vec<usize>> = vec![Vec::new(); steps.len()];
        for (place, needs) in self.needs.iter().enumerate() {
            needs.iter().for_each(|need| waiting[*need].push(place));
        }
        let mut free: BTreeSet<usize> = (0..steps.len()).filter(|it| open[*it] == 0).collect();
        let mut order = Vec::new();
        while let Some(place) = free.pop_first() {
            order.push(place);
            for after in &waiting[place] {
                open[*after] -= 1;
                if open[*after] == 0 {
                    free.insert(*after);
                }
            }
        }
        if order.len() < steps.len() {
            return Err(self.cycle(&order.into_iter().collect(), steps));
        }
        Ok(order)
    }

    /// One cycle among what could not be ordered.
    fn cycle(&self, done: &BTreeSet<usize>, steps: &[Drafted]) -> PlanError {
        let left = |place: &usize| !done.contains(place);
        let mut way: Vec<usize> = Vec::new();
        let mut at = (0..steps.len()).find(left);
        while let Some(place) = at {
            if let Some(begin) = way.iter().position(|seen| *seen == place) {
                way.drain(..begin);
                break;
            }
            way.push(place);
            at = self.needs[place].iter().copied().find(left);
        }
        let names: Vec<&str> = way.iter().map(|place| steps[*place].id.as_str()).collect();
        let first = names.first().copied().unwrap_or_default();
        PlanError::new(first, format!("steps wait for each other: {}", names.join(", ")))
    }

    /// Nothing after a barrier runs while it is not as it should be, but for
    /// what the barrier itself waits for.
    fn hold_behind_barriers(&mut self, steps: &[Drafted]) {
        for barrier in 0..steps.len() {
            if !steps[barrier].action.step().is_barrier() {
                continue;
            }
            let before = self.closure(barrier);
            for after in (barrier + 1..steps.len()).filter(|after| !before.contains(after)) {
                self.needs[after].insert(barrier);
            }
        }
    }

    /// All that a step waits for, by others too.
    fn closure(&self, place: usize) -> BTreeSet<usize> {
        let mut reached = BTreeSet::new();
        let mut open = vec![place];
        while let Some(next) = open.pop() {
            open.extend(self.needs[next].iter().copied().filter(|need| reached.insert(*need)));
        }
        reached
    }
}

/// No package is wanted in two versions, or wanted and not.
fn check_packages(steps: &[Drafted]) -> Result<(), PlanError> {
    let mut wishes: BTreeMap<&str, (&str, &Drafted)> = BTreeMap::new();
    for step in steps {
        let Action::Package(package) = &step.action else { continue };
        for (name, wish) in package.wishes() {
            let (known, other) = *wishes.entry(name).or_insert((wish, step));
            let agree = known == wish
                || [known, wish].contains(&ANY_VERSION) && ![known, wish].contains(&ABSENT);
            if !agree {
                let message = format!(
                    "{other} wants the package {name} {known}, not {wish}",
                    other = other.id
                );
                return Err(PlanError::new(&step.id, message));
            }
            if known == ANY_VERSION {
                wishes.insert(name, (wish, step));
            }
        }
    }
    Ok(())
}

/// The places of a step by its name in the same role, or as `role/name`.
fn named<'a>(
    step: &Drafted,
    field: &str,
    name: &str,
    ids: &'a Ids,
) -> Result<&'a Vec<usize>, PlanError> {
    let full = if name.contains('/') { name.into() } else { format!("{}/{name}", step.role) };
    ids.get(&full).ok_or_else(|| {
        PlanError::new(&step.id, format!("{field}: no role of this node has a step `{full}`"))
    })
}

/// Paths without a slash at their end, if they are plain.
fn paths(step: &Drafted, paths: Vec<String>) -> Result<Vec<String>, PlanError> {
    let plain = |path: String| {
        let trimmed = path.trim_end_matches('/');
        let mut parts = trimmed.split('/').skip(1);
        let odd = parts.any(|part| part.is_empty() || part == "." || part == "..");
        if !path.starts_with('/') || odd || trimmed.contains(['\0', '\n']) {
            return Err(PlanError::new(&step.id, format!("`{path}` is no plain absolute path")));
        }
        Ok(trimmed.to_string())
    };
    paths.into_iter().map(plain).collect()
}

/// The directories around a path, the nearest first, without the root.
fn ancestors(path: &str) -> impl Iterator<Item = &str> {
    std::iter::successors(path.rfind('/').map(|end| &path[..end]), |above| {
        above.rfind('/').map(|end| &above[..end])
    })
    .filter(|above| !above.is_empty())
}

fn is_shared(thing: &str) -> bool {
    thing.split(' ').next().is_some_and(|kind| SHARED.contains(&kind))
}

fn twice(step: &Drafted, other: &Drafted, what: &str) -> PlanError {
    PlanError::new(&step.id, format!("`{what}` belongs to {} already", other.id))
}
