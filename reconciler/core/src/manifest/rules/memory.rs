//! A notebook server has enough memory to start, and no more than exists.

use super::{Diagnostic, Model, Rule};

pub(super) const RULE: Rule =
    Rule { id: "memory", summary: "`limits.memory` is from 128M to 24T.", check };

/// Below this JupyterLab does not start.
const LEAST: u64 = 128 << 20;
/// The largest machine AWS has.
const MOST: u64 = 24 << 40;

fn check(model: &Model, found: &mut Vec<Diagnostic>) {
    for cluster in &model.clusters {
        let limits = &cluster.spec().jupyter.limits;
        if limits.memory_bytes().is_none_or(|bytes| !(LEAST..=MOST).contains(&bytes)) {
            let message = format!("`{}` is not a useful amount of memory", limits.memory);
            found.push(
                cluster.error("/spec/jupyter/limits/memory", &RULE, message).expected(
                    "128M to 24T; K, M, G and T are powers of 1024, a bare number is bytes",
                ),
            );
        }
    }
}
