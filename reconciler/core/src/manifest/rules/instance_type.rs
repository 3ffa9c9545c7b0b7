//! Nodes are x86-64: the images, the agent and what a node fetches are.

use super::{Diagnostic, Model, Rule};

pub(super) const RULE: Rule = Rule {
    id: "instance-type",
    summary: "`hub.instanceType` and `workers.instanceTypes` are x86-64, not Arm (Graviton).",
    check,
};

fn check(model: &Model, found: &mut Vec<Diagnostic>) {
    for cluster in &model.clusters {
        let spec = cluster.spec();
        let hub = ("/spec/hub/instanceType".to_string(), &spec.hub.instance_type);
        let workers = spec.workers.instance_types.iter().enumerate();
        let workers =
            workers.map(|(place, name)| (format!("/spec/workers/instanceTypes/{place}"), name));
        for (pointer, name) in std::iter::once(hub).chain(workers).filter(|it| is_arm(it.1)) {
            let message = format!("{name} is an Arm type, and no image of a node is");
            found.push(
                cluster
                    .error(&pointer, &RULE, message)
                    .expected("an x86-64 type, such as t3.large, m7i.large or m7a.large")
                    .hint("it would never start: take the Intel (i) or AMD (a) type of its size"),
            );
        }
    }
}

/// A family is letters, a generation and letters for what it has: `g` among these
/// is AWS's own processor (`m7g`, `c6gn`, `is4gen`). The first generation had
/// another name.
fn is_arm(name: &str) -> bool {
    let family = name.split_once('.').map_or(name, |(family, _)| family);
    let generation = family.trim_start_matches(|letter: char| letter.is_ascii_lowercase());
    let has = generation.trim_start_matches(|digit: char| digit.is_ascii_digit());
    family == "a1" || (has.len() < generation.len() && has.contains('g'))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn arm_types_are_told_by_their_family() {
        let arm = [
            "a1.large",
            "t4g.nano",
            "c7gn.large",
            "m6gd.metal",
            "r8g.large",
            "x2gd.large",
            "im4gn.large",
            "is4gen.large",
            "i8ge.large",
            "g5g.xlarge",
            "hpc7g.4xlarge",
        ];
        let x86 = [
            "t3.large",
            "t3a.large",
            "m7i.large",
            "m7i-flex.large",
            "m8a.large",
            "c6in.large",
            "g4dn.xlarge",
            "g6.xlarge",
            "gr6.4xlarge",
            "g6e.xlarge",
            "p5en.48xlarge",
            "u-6tb1.56xlarge",
            "u7i-12tb.224xlarge",
            "x2iedn.large",
            "i4i.large",
            "mac1.metal",
        ];
        assert!(arm.iter().all(|name| is_arm(name)));
        assert_eq!(x86.iter().filter(|name| is_arm(name)).count(), 0);
    }
}
