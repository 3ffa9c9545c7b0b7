//! How much of what a plan says.

use std::collections::BTreeSet;
use std::fmt;

use lyceum_core::observed::Gap;
use lyceum_core::plan::{Action, Plan, ScopePlan};

/// How much of what a plan says.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    /// Objects to be made.
    pub create: usize,
    /// Objects to be changed in place.
    pub update: usize,
    /// Objects to be removed and made anew.
    pub replace: usize,
    /// Objects to be removed.
    pub delete: usize,
    /// What is held back.
    pub blocked: usize,
    /// What is unknown; one that touches several clusters counts once.
    pub gaps: usize,
    /// Drift that is only reported.
    pub reported: usize,
}

impl Counts {
    /// Of a whole plan.
    pub fn of(plan: &Plan) -> Self {
        Self::over(plan.scopes.values())
    }

    /// Of one scope's plan.
    pub fn of_scope(scope: &ScopePlan) -> Self {
        Self::over(std::iter::once(scope))
    }

    /// Changes of all kinds.
    pub fn changes(&self) -> usize {
        self.create + self.update + self.replace + self.delete
    }

    fn over<'a>(scopes: impl Iterator<Item = &'a ScopePlan>) -> Self {
        let mut counts = Self::default();
        let mut gaps: BTreeSet<&Gap> = BTreeSet::new();
        for scope in scopes {
            for change in &scope.changes {
                *counts.of_action(change.action) += 1;
            }
            counts.blocked += scope.blocked.len();
            counts.reported += scope.reported.len();
            gaps.extend(&scope.gaps);
        }
        counts.gaps = gaps.len();
        counts
    }

    fn of_action(&mut self, action: Action) -> &mut usize {
        match action {
            Action::Create => &mut self.create,
            Action::Update => &mut self.update,
            Action::Replace => &mut self.replace,
            Action::Delete => &mut self.delete,
        }
    }
}

impl fmt::Display for Counts {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { create, update, replace, delete, blocked, gaps, reported } = self;
        if self.changes() == 0 {
            write!(f, "nothing to change")?;
        } else {
            write!(f, "{create} to create, {update} to update, ")?;
            write!(f, "{replace} to replace, {delete} to delete")?;
        }
        let plural = if *gaps == 1 { "gap" } else { "gaps" };
        write!(f, "; {blocked} blocked; {gaps} {plural}")?;
        if *reported > 0 {
            write!(f, "; {reported} drifted and only reported")?;
        }
        Ok(())
    }
}
