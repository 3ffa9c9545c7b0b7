//! `make faults`: dying anywhere, every case, and its table.
//!
//! `--sample N` runs about N of them, `--worlds N` at a time, `--only TEXT`
//! those whose line contains a text, `--deed apply`, `destroy` or `remove` one of
//! the three. Exits 1 where one did not converge.

use std::process::ExitCode;

use anyhow::{Context, Result, bail};
use system_tests::dying::{Case, Deed, Suite, Verdict, table};

const CLUSTER: &str = "geo-101";

#[derive(Default)]
struct Options {
    sample: Option<usize>,
    worlds: Option<usize>,
    only: Option<String>,
    deed: Option<Deed>,
}

fn main() -> Result<ExitCode> {
    let options = options(std::env::args().skip(1))?;
    let deeds = options.deed.map_or(Deed::ALL.to_vec(), |deed| vec![deed]);
    let suite = Suite::new(CLUSTER, &deeds)?;
    let cases = chosen(&suite, &options);
    eprintln!("{} of {} cases", cases.len(), suite.cases().len());
    let verdicts = suite.run(&cases, options.worlds.unwrap_or(2), &tell)?;
    print!("{}", table(&verdicts));
    let failed = verdicts.iter().any(|verdict| verdict.passes.is_err());
    Ok(if failed || verdicts.is_empty() { ExitCode::FAILURE } else { ExitCode::SUCCESS })
}

fn chosen(suite: &Suite, options: &Options) -> Vec<Case> {
    let cases = options.sample.map_or_else(|| suite.cases(), |count| suite.sample(count));
    let only = options.only.as_deref().unwrap_or_default();
    cases.into_iter().filter(|case| case.to_string().contains(only)).collect()
}

fn tell(verdict: &Verdict) {
    match &verdict.passes {
        Ok(passes) => eprintln!("ok      {} (passes: {passes})", verdict.case),
        Err(error) => eprintln!("FAILED  {}: {error:#}", verdict.case),
    }
}

fn options(mut arguments: impl Iterator<Item = String>) -> Result<Options> {
    let mut options = Options::default();
    while let Some(name) = arguments.next() {
        let value = arguments.next().with_context(|| format!("{name} needs a value"))?;
        match name.as_str() {
            "--sample" => options.sample = Some(value.parse()?),
            "--worlds" => options.worlds = Some(value.parse()?),
            "--only" => options.only = Some(value),
            "--deed" if value == "apply" => options.deed = Some(Deed::Apply),
            "--deed" if value == "destroy" => options.deed = Some(Deed::Destroy),
            "--deed" if value == "remove" => options.deed = Some(Deed::Remove),
            _ => bail!("{name} {value} is unknown; the head of this file says what there is"),
        }
    }
    Ok(options)
}
