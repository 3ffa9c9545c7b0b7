//! Consents as a person gives them: to what a plan asks for, in a file.

use anyhow::{Context, Result};
use serde_json::Value;

use super::Repo;

const HEAD: &str = "apiVersion: lyceum/v1\nkind: Consents\nconsents:\n";

/// Consent to what is to be done to one object, or to a whole cluster.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Consent {
    /// Whose.
    pub address: String,
    /// Which of those that have had this address.
    pub id: String,
}

impl Consent {
    /// Every consent that a plan asks for, sorted.
    pub fn asked_for(plan: &Value) -> Result<Vec<Self>> {
        let clusters = plan["clusters"].as_array().context("no clusters in the plan")?;
        let blocked = clusters.iter().filter_map(|cluster| cluster["blocked"].as_array());
        let asking = blocked.flatten().filter(|one| one["hint"].is_string());
        let text = |value: &Value| Some(value.as_str()?.to_string());
        let consent =
            |one: &Value| Some(Self { address: text(&one["address"])?, id: text(&one["id"])? });
        let asked: Option<Vec<Self>> = asking.map(consent).collect();
        let mut asked = asked.with_context(|| format!("nobody can consent to {plan:#}"))?;
        asked.sort();
        Ok(asked)
    }

    /// Commits these and no others.
    pub fn commit(consents: &[Self], repo: &Repo) -> Result<()> {
        let entry = |Self { address, id }: &Self| {
            format!("  - {{address: {address:?}, id: {id:?}, reason: the term is over}}\n")
        };
        let entries: String = consents.iter().map(entry).collect();
        repo.write("consents.yaml", &format!("{HEAD}{entries}"))?;
        repo.commit("Consent")?;
        Ok(())
    }
}
