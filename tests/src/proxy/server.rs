//! The way of a call: understood, logged, befallen by a fault or not, answered
//! by what is lent or by the emulator, answered.
//!
//! A call that was accepted is carried on even when its client goes away, as
//! on AWS; so its work is a task of its own.

use std::convert::Infallible;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use anyhow::{Context, Result};
use bytes::Bytes;
use http_body_util::{BodyExt, Full};
use hyper::body::Incoming;
use hyper::http::request::Parts;
use hyper::service::service_fn;
use hyper::{Request, Response, StatusCode, Uri};
use hyper_util::rt::TokioIo;
use tokio::net::{TcpListener, TcpStream};
use tokio::runtime::Runtime;
use tokio::sync::oneshot;

use super::action::{Call, encode};
use super::dependency;
use super::fault::Fault;
use super::log::{Attempt, Log, Outcome};
use super::pages::{Lowered, Pages, lower_limit};
use super::rule::{Rule, next};
use super::tokens::Tokens;
use super::upstream::Upstream;
use super::visibility::{Hidden, Late};
use super::wording::Refusal;

/// What AWS has and the emulator lacks, each to be switched off by itself.
#[derive(Clone, Copy, Debug)]
pub struct Lent {
    /// Client tokens are replayed.
    pub tokens: bool,
    /// What is in use cannot be deleted, what exists cannot be made again.
    pub dependencies: bool,
    /// What was just made cannot be seen for a while.
    pub late: Option<Late>,
    /// Lists are cut to this many items a page.
    pub page: Option<usize>,
}

impl Default for Lent {
    fn default() -> Self {
        let late = Late { reads: 1, lasting: Duration::ZERO };
        Self { tokens: true, dependencies: true, late: Some(late), page: Some(20) }
    }
}

impl Lent {
    /// Nothing: the emulator as it is, for measuring.
    pub fn nothing() -> Self {
        Self { tokens: false, dependencies: false, late: None, page: None }
    }
}

/// A running proxy. It ends with this value.
#[derive(Debug)]
pub struct Proxy {
    address: SocketAddr,
    state: Arc<State>,
    /// `None` only while it is being dropped.
    runtime: Option<Runtime>,
}

#[derive(Debug)]
struct State {
    upstream: Upstream,
    lent: Mutex<Lent>,
    rules: Mutex<Vec<Rule>>,
    log: Mutex<Log>,
    tokens: Mutex<Tokens>,
    hidden: Mutex<Hidden>,
    pages: Mutex<Pages>,
    seed: Mutex<u64>,
}

impl Proxy {
    /// Starts one in front of an emulator, on a port the system chooses. The
    /// seed decides latencies.
    pub fn start(emulator: SocketAddr, lent: Lent, seed: u64) -> Result<Self> {
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(2)
            .enable_all()
            .build()
            .context("the proxy's runtime does not start")?;
        let listener = runtime.block_on(TcpListener::bind(("127.0.0.1", 0)))?;
        let address = listener.local_addr()?;
        let state = Arc::new(State {
            upstream: Upstream::new(emulator),
            lent: Mutex::new(lent),
            rules: Mutex::default(),
            log: Mutex::default(),
            tokens: Mutex::default(),
            hidden: Mutex::default(),
            pages: Mutex::default(),
            seed: Mutex::new(seed),
        });
        runtime.spawn(listen(listener, state.clone()));
        Ok(Self { address, state, runtime: Some(runtime) })
    }

    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// `http://127.0.0.1:<port>`.
    pub fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// Adds a rule after those there are.
    pub fn rule(&self, rule: Rule) {
        held(&self.state.rules).push(rule);
    }

    /// Takes all rules away. What is being held is let go by its own gate.
    pub fn clear_rules(&self) {
        held(&self.state.rules).clear();
    }

    /// Changes what is lent.
    pub fn lend(&self, lent: Lent) {
        *held(&self.state.lent) = lent;
    }

    /// Every attempt since the start or the last `forget`.
    pub fn attempts(&self) -> Vec<Attempt> {
        held(&self.state.log).all()
    }

    /// Forgets the attempts, and nothing else.
    pub fn forget_attempts(&self) {
        held(&self.state.log).forget();
    }

    /// Forgets all it knows: rules, attempts, tokens, what is hidden, pages.
    /// Goes with a reset of the emulator.
    pub fn forget(&self) {
        self.clear_rules();
        self.forget_attempts();
        self.state.forget();
    }

    /// The actions the emulator does not implement and somebody called.
    pub fn unimplemented(&self) -> Vec<String> {
        let mut actions: Vec<String> = self
            .attempts()
            .into_iter()
            .filter(|attempt| attempt.outcome == Some(Outcome::Unimplemented))
            .map(|attempt| attempt.action)
            .collect();
        actions.sort();
        actions.dedup();
        actions
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        if let Some(runtime) = self.runtime.take() {
            // Held calls never end by themselves.
            runtime.shutdown_background();
        }
    }
}

/// The connection is closed without an answer.
#[derive(Debug, thiserror::Error)]
#[error("closed without an answer")]
struct Closed;

type Answer = Result<Response<Bytes>, Closed>;

async fn listen(listener: TcpListener, state: Arc<State>) -> Infallible {
    loop {
        match listener.accept().await {
            Ok((stream, _)) => drop(tokio::spawn(connection(stream, state.clone()))),
            // Out of descriptors, most likely: others will be given back.
            Err(_) => tokio::time::sleep(Duration::from_millis(20)).await,
        }
    }
}

async fn connection(stream: TcpStream, state: Arc<State>) {
    // Without it answers wait for acknowledgements that are delayed.
    let _ = stream.set_nodelay(true);
    let service = service_fn(move |request| accept(request, state.clone()));
    // A client that goes away is its own affair.
    let _ = hyper::server::conn::http1::Builder::new()
        .serve_connection(TokioIo::new(stream), service)
        .await;
}

async fn accept(
    request: Request<Incoming>,
    state: Arc<State>,
) -> Result<Response<Full<Bytes>>, Closed> {
    let (parts, body) = request.into_parts();
    let body = body.collect().await.map_err(|_| Closed)?.to_bytes();
    let (send, receive) = oneshot::channel();
    tokio::spawn(async move {
        let _ = send.send(state.serve(parts, body).await);
    });
    let answer = receive.await.map_err(|_| Closed)??;
    Ok(answer.map(Full::new))
}

impl State {
    /// Forgets what was lent: tokens, what is hidden, pages.
    fn forget(&self) {
        *held(&self.tokens) = Tokens::default();
        *held(&self.hidden) = Hidden::default();
        *held(&self.pages) = Pages::default();
    }

    async fn serve(&self, parts: Parts, body: Bytes) -> Answer {
        if parts.uri.path().starts_with("/moto-api") {
            // Whoever empties the emulator through here empties this too.
            self.forget();
            return self.upstream.forward(&parts, body).await.map_err(|_| Closed);
        }
        let call = Call::new(&parts, body);
        let sequence = held(&self.log).arrived(&call);
        let fate = self.wait(&call).await;
        let (outcome, answer) = match &fate {
            Some(fault) => self.suffer(&parts, &call, fault).await,
            None => self.answer(&parts, &call).await,
        };
        held(&self.log).ended(sequence, outcome);
        match fate {
            // Noted first: whoever gives up waiting may look right away.
            Some(fault) => self.aftermath(&call, &fault, answer).await,
            None => answer,
        }
    }

    /// Lets the time pass that rules say; gives the fault that comes then.
    async fn wait(&self, call: &Call) -> Option<Fault> {
        let mut fate = None;
        for fault in self.faults(call) {
            match fault {
                Fault::Latency { base, jitter } => {
                    tokio::time::sleep(base + self.drawn(jitter)).await;
                }
                Fault::Hold(gate) => gate.passed().await,
                other => fate = Some(other),
            }
        }
        fate
    }

    /// The waits that apply, and the first of the other faults.
    fn faults(&self, call: &Call) -> Vec<Fault> {
        let mut faults = Vec::new();
        let mut settled = false;
        for rule in held(&self.rules).iter_mut() {
            match rule.befalls(call) {
                Some(wait @ (Fault::Latency { .. } | Fault::Hold(_))) => faults.push(wait),
                Some(fault) if !settled => {
                    settled = true;
                    faults.push(fault);
                }
                _ => {}
            }
        }
        faults
    }

    async fn suffer(&self, parts: &Parts, call: &Call, fault: &Fault) -> (Outcome, Answer) {
        let refused = match fault {
            Fault::Throttle => Some(Refusal::throttled(call)),
            Fault::Failed(status) => Some(Refusal::failed(call, *status)),
            Fault::Denied => Some(Refusal::denied(call)),
            _ => None,
        };
        if let Some(refusal) = refused {
            return (faulted(fault, false), Ok(refusal.answer(call)));
        }
        if matches!(fault, Fault::TimeoutBefore(_) | Fault::Before(_)) {
            return (faulted(fault, false), Err(Closed));
        }
        let (outcome, _) = self.answer(parts, call).await;
        let answer = match fault {
            Fault::FailedAfter(status) => Ok(Refusal::failed(call, *status).answer(call)),
            _ => Err(Closed),
        };
        (faulted(fault, outcome.is_answer()), answer)
    }

    /// What passes between a fault and its answer, or the want of one.
    async fn aftermath(&self, call: &Call, fault: &Fault, answer: Answer) -> Answer {
        match fault {
            Fault::TimeoutBefore(time) | Fault::TimeoutAfter(time) => {
                tokio::time::sleep(*time).await;
            }
            Fault::Before(hook) | Fault::After(hook) => hook.run(call).await,
            _ => {}
        }
        answer
    }

    /// The answer of AWS: lent, or the emulator's own with what is lent to it.
    async fn answer(&self, parts: &Parts, call: &Call) -> (Outcome, Answer) {
        let lent = *held(&self.lent);
        if let Some((name, answer)) = self.lend(call, lent).await {
            return (Outcome::Lent(name), Ok(answer));
        }
        let forwarded = match lent.page.and_then(|size| lower_limit(call, size)) {
            Some(lowered) => {
                let (parts, body) = rewritten(parts, call, lowered);
                self.upstream.forward(&parts, body).await
            }
            None => self.upstream.forward(parts, call.body.clone()).await,
        };
        let Ok(answer) = forwarded else { return (Outcome::Unanswered, Err(Closed)) };
        if unimplemented(&answer) {
            return (Outcome::Unimplemented, Ok(answer));
        }
        let outcome = Outcome::Answered(answer.status().as_u16());
        (outcome, Ok(self.lend_to(call, answer, lent)))
    }

    /// An answer in the emulator's place.
    async fn lend(&self, call: &Call, lent: Lent) -> Option<(&'static str, Response<Bytes>)> {
        if lent.tokens
            && let Some(answer) = held(&self.tokens).replay(call)
        {
            return Some(("token", answer));
        }
        if lent.late.is_some()
            && let Some(refusal) = held(&self.hidden).refusal(call)
        {
            return Some(("not visible yet", refusal.answer(call)));
        }
        if let Some(size) = lent.page
            && let Some(answer) = held(&self.pages).next(call, size)
        {
            return Some(("page", answer));
        }
        if lent.dependencies
            && let Some(refusal) = dependency::refusal(call, &self.upstream).await
        {
            return Some(("refused", refusal.answer(call)));
        }
        None
    }

    /// The emulator's answer as AWS would have given it.
    fn lend_to(&self, call: &Call, mut answer: Response<Bytes>, lent: Lent) -> Response<Bytes> {
        if lent.tokens {
            held(&self.tokens).keep(call, &answer);
        }
        if let Some(late) = lent.late {
            let mut hidden = held(&self.hidden);
            hidden.note(call, &answer, late);
            answer = hidden.edit(call, answer);
        }
        match lent.page {
            Some(size) => held(&self.pages).cut(call, answer, size),
            None => answer,
        }
    }

    /// A time between nothing and `most`, from the seed.
    fn drawn(&self, most: Duration) -> Duration {
        let thousandths = next(&mut held(&self.seed)) % 1001;
        most.mul_f64(thousandths as f64 / 1000.0)
    }
}

fn faulted(fault: &Fault, done: bool) -> Outcome {
    Outcome::Faulted { fault: fault.name(), done }
}

fn rewritten(parts: &Parts, call: &Call, lowered: Lowered) -> (Parts, Bytes) {
    let mut parts = parts.clone();
    match lowered {
        Lowered::Body(body) => (parts, body),
        Lowered::Query(params) => {
            let path = format!("{}?{}", call.path, encode(&params));
            parts.uri = path.parse::<Uri>().unwrap_or(parts.uri);
            (parts, call.body.clone())
        }
    }
}

/// The emulator words its own errors as AWS does; in HTML it says that it does
/// not know a call.
fn unimplemented(answer: &Response<Bytes>) -> bool {
    answer.status() == StatusCode::INTERNAL_SERVER_ERROR
        && (answer.body().starts_with(b"<!doctype html") || answer.body().starts_with(b"<html"))
}

/// A lock; a panic elsewhere leaves nothing half written that matters here.
fn held<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
