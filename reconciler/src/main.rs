//! x
use std::time::Duration;
use lyceum::controller::*;
#[tokio::main]
async fn main() {
    tracing_subscriber::fmt().with_env_filter(tracing_subscriber::EnvFilter::from_default_env()).with_writer(std::io::stderr).init();
    let repository = std::env::args().nth(1).unwrap();
    let s = Serve { repository, branch: "main".into(), interval: Duration::from_secs(10), agent: None, cache: "/tmp/x".into() };
    serve(s).await.unwrap();
}
