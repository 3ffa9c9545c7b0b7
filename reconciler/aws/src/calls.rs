//! How calls are sent: at a bounded rate, repeated where that is safe, counted.

use std::collections::BTreeMap;
use std::future::Future;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use aws_smithy_runtime_api::client::orchestrator::HttpResponse;
use aws_smithy_runtime_api::client::result::SdkError;
use aws_smithy_types::error::metadata::ProvideErrorMetadata;
use futures_util::future::join_all;
use lyceum_core::cloud::{Class, CloudError};
use tokio::sync::Semaphore;
use tokio::time::{Instant, sleep, sleep_until, timeout};

use crate::error::classify;

/// Tries of one call, the first included.
const TRIES: u32 = 6;
/// Tries of a call that is asked to wait: an account that is busy for a minute
/// refuses nothing, and the rate has been lowered meanwhile.
const TRIES_WHEN_BUSY: u32 = 20;
/// How long a new object may stay invisible to reads.
pub(crate) const VISIBLE: Duration = Duration::from_secs(120);
/// How long a call for one item of a list may wait for answers: what is wrong with
/// one cluster's keeps nobody else waiting for the look.
const ITEM: Duration = Duration::from_secs(8);
/// Calls in flight for the items of one list: few enough that the pages of another,
/// which wait for one another, do not wait for all of them as well; enough that some
/// twenty items without an answer leave a list its time.
const AT_ONCE: usize = 4;
/// How much longer than one of its calls a list of a look may take, with all that
/// is read for it: it ends before the look as a whole.
const LIST: Duration = Duration::from_secs(10);
/// Pages of one list before it is given up: 20,000 objects where a page holds 100, and 2,000
/// parameters, of which a page holds 10, in each of their two lists.
const PAGES: usize = 200;

/// One API call, and whether it may be sent again without knowing its fate.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Call {
    service: &'static str,
    operation: &'static str,
    kind: CallKind,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum CallKind {
    Read,
    Repeatable,
    Once,
}

impl Call {
    /// A call that changes nothing.
    pub(crate) const fn read(service: &'static str, operation: &'static str) -> Self {
        Self { service, operation, kind: CallKind::Read }
    }

    /// A change that may be repeated: by token, by name, or an upsert.
    pub(crate) const fn repeatable(service: &'static str, operation: &'static str) -> Self {
        Self { service, operation, kind: CallKind::Repeatable }
    }

    /// A change that, repeated, would happen twice. Sent again only after an
    /// answer that says it was not carried out.
    pub(crate) const fn once(service: &'static str, operation: &'static str) -> Self {
        Self { service, operation, kind: CallKind::Once }
    }

    /// `ec2:CreateVpc`.
    pub(crate) fn name(&self) -> String {
        format!("{}:{}", self.service, self.operation)
    }

    fn may_repeat(&self, class: Class) -> bool {
        match class {
            Class::Throttled => true,
            Class::Ambiguous => self.kind != CallKind::Once,
            _ => false,
        }
    }

    fn bucket(&self) -> (&'static str, bool) {
        (self.service, self.kind == CallKind::Read)
    }
}

/// Calls per second and burst, by service; what is not named has the documented
/// rate of that service.
#[derive(Clone, Debug, Default)]
pub struct Rates(pub BTreeMap<String, (f64, u32)>);

impl Rates {
    /// Below AWS's documented buckets, which the account shares with others.
    fn of(&self, service: &str, read: bool) -> (f64, u32) {
        if let Some(rate) = self.0.get(service) {
            return *rate;
        }
        match (service, read) {
            ("ec2", true) => (20.0, 100),
            ("ec2", false) => (5.0, 50),
            // The account has 5 a second for reads and writes of everybody.
            ("route53", _) => (1.0, 5),
            ("s3", _) => (100.0, 200),
            ("ssm", true) => (20.0, 40),
            (_, true) => (10.0, 30),
            (_, false) => (5.0, 20),
        }
    }
}

/// What was sent since the start: attempts by operation, such as
/// `ec2:DescribeVpcs`.
#[derive(Clone, Debug, Default)]
pub struct Stats {
    /// Attempts by operation.
    pub by_operation: BTreeMap<String, u64>,
    /// Answers that asked to slow down.
    pub throttled: u64,
}

/// Where all calls of one region pass.
#[derive(Clone, Debug)]
pub(crate) struct Calls {
    rates: Arc<Rates>,
    buckets: Arc<Mutex<Buckets>>,
    stats: Arc<Mutex<Stats>>,
    /// How long a call may wait for answers, all its tries together.
    patience: Duration,
}

/// By service, and whether it reads.
type Buckets = BTreeMap<(&'static str, bool), Bucket>;

impl Calls {
    /// Calls at these rates, counted into `stats`.
    pub(crate) fn new(rates: Arc<Rates>, stats: Arc<Mutex<Stats>>) -> Self {
        Self { rates, buckets: Arc::default(), stats, patience: Duration::MAX }
    }

    /// The same for a look, which can do without one answer but not wait for it.
    pub(crate) fn impatient(&self, patience: Duration) -> Self {
        Self { patience, ..self.clone() }
    }

    /// The same for one item of a list.
    pub(crate) fn of_item(&self) -> Self {
        self.impatient(self.patience.min(ITEM))
    }

    /// Sends a call, again where it may be, and names its error.
    pub(crate) async fn send<T, E, F, A>(&self, call: Call, attempt: F) -> Result<T, CloudError>
    where
        F: Fn() -> A,
        A: Future<Output = Result<T, SdkError<E, HttpResponse>>>,
        E: ProvideErrorMetadata + std::error::Error + 'static,
    {
        let mut tries = 1;
        let mut left = self.patience;
        loop {
            self.pass(call).await;
            let sent = Instant::now();
            // The SDK's futures are tens of kilobytes; boxed, callers stay small.
            let error = match timeout(left, Box::pin(attempt())).await {
                Ok(Ok(answer)) => return Ok(answer),
                Ok(Err(error)) => classify(&call.name(), &error),
                Err(_) => unanswered(&call.name(), self.patience),
            };
            if error.class == Class::Throttled {
                self.slow_down(call);
            }
            left = left.saturating_sub(sent.elapsed());
            let most = if error.class == Class::Throttled { TRIES_WHEN_BUSY } else { TRIES };
            if tries >= most || left.is_zero() || !call.may_repeat(error.class) {
                return Err(error);
            }
            tracing::debug!(operation = call.name(), tries, %error, "calling again");
            sleep(pause(tries)).await;
            tries += 1;
        }
    }

    /// Every item of a list that comes in pages. `attempt` takes the token of
    /// the page, `open` the items and the next token out of an answer.
    pub(crate) async fn pages<T, I, E, F, A>(
        &self,
        call: Call,
        attempt: F,
        open: impl Fn(T) -> (Vec<I>, Option<String>),
    ) -> Result<Vec<I>, CloudError>
    where
        F: Fn(Option<String>) -> A,
        A: Future<Output = Result<T, SdkError<E, HttpResponse>>>,
        E: ProvideErrorMetadata + std::error::Error + 'static,
    {
        let mut items = Vec::new();
        let mut token = None;
        for _ in 0..PAGES {
            let answer = self.send(call, || attempt(token.clone())).await?;
            let (page, next) = open(answer);
            items.extend(page);
            match next.filter(|next| !next.is_empty()) {
                Some(next) => token = Some(next),
                None => return Ok(items),
            }
        }
        Err(CloudError::new(Class::Invalid, &call.name(), format!("more than {PAGES} pages")))
    }

    /// What a list of a look finds within its time.
    pub(crate) async fn in_time<T>(
        &self,
        list: impl Future<Output = Result<T, CloudError>>,
    ) -> Result<T, CloudError> {
        let limit = self.patience.saturating_add(LIST);
        timeout(limit, list).await.unwrap_or_else(|_| Err(unanswered("the list", limit)))
    }

    async fn pass(&self, call: Call) {
        let turn = {
            let mut buckets = self.buckets.lock().unwrap_or_else(PoisonError::into_inner);
            let (service, read) = call.bucket();
            let bucket = buckets
                .entry((service, read))
                .or_insert_with(|| Bucket::new(self.rates.of(service, read), Instant::now()));
            bucket.turn(Instant::now())
        };
        let mut place = Place { buckets: &self.buckets, bucket: call.bucket(), taken: false };
        sleep_until(turn).await;
        place.taken = true;
        let mut stats = self.stats.lock().unwrap_or_else(PoisonError::into_inner);
        *stats.by_operation.entry(call.name()).or_default() += 1;
    }

    fn slow_down(&self, call: Call) {
        let mut buckets = self.buckets.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(bucket) = buckets.get_mut(&call.bucket()) {
            bucket.slow_down(Instant::now());
            tracing::info!(operation = call.name(), per_second = bucket.rate, "slowing down");
        }
        self.stats.lock().unwrap_or_else(PoisonError::into_inner).throttled += 1;
    }
}

/// A place in the queue. Whoever leaves before the turn has come gives the token
/// back.
struct Place<'a> {
    buckets: &'a Mutex<Buckets>,
    bucket: (&'static str, bool),
    taken: bool,
}

impl Drop for Place<'_> {
    fn drop(&mut self) {
        if self.taken {
            return;
        }
        let mut buckets = self.buckets.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(bucket) = buckets.get_mut(&self.bucket) {
            bucket.give_back();
        }
    }
}

fn unanswered(operation: &str, patience: Duration) -> CloudError {
    let message = format!("no answer within {} s", patience.as_secs_f32());
    CloudError::new(Class::Ambiguous, operation, message)
}

/// Waits until `look` finds something, at most `limit`; the pause between two
/// looks grows from 100 ms to 3 s.
pub(crate) async fn until<T, F, A>(
    operation: &str,
    limit: Duration,
    look: F,
) -> Result<T, CloudError>
where
    F: Fn() -> A,
    A: Future<Output = Result<Option<T>, CloudError>>,
{
    let end = Instant::now() + limit;
    let mut wait = Duration::from_millis(100);
    loop {
        if let Some(found) = look().await? {
            return Ok(found);
        }
        if Instant::now() + wait > end {
            let message = format!("not there after {} s", limit.as_secs());
            return Err(CloudError::new(Class::NotYet, operation, message));
        }
        sleep(wait).await;
        wait = (wait * 2).min(Duration::from_secs(3));
    }
}

/// The answer to a creation or, where it may have happened before (it exists, or
/// no answer came), what `find` finds of ours.
pub(crate) async fn made_or_found<T>(
    made: Result<T, CloudError>,
    find: impl Future<Output = Result<Option<T>, CloudError>>,
) -> Result<T, CloudError> {
    match made {
        Err(error) if matches!(error.class, Class::Exists | Class::Ambiguous) => {
            find.await?.ok_or(error)
        }
        other => other,
    }
}

/// What `look` answers for each item, in order, [`AT_ONCE`] at a time. An item that
/// takes long keeps one of these places, and no other.
pub(crate) async fn each<I, T, F, A>(items: Vec<I>, look: F) -> Vec<T>
where
    F: Fn(I) -> A,
    A: Future<Output = T>,
{
    let (places, look) = (&Semaphore::new(AT_ONCE), &look);
    let looks = items.into_iter().map(|item| async move {
        let _place = places.acquire().await;
        look(item).await
    });
    join_all(looks).await
}

/// Exponential with full jitter, 50 ms to 5 s: many callers must not come back
/// at the same moment.
fn pause(tries: u32) -> Duration {
    use std::hash::{BuildHasher, RandomState};
    let most = (100u64 << tries.min(6)).min(5000);
    let random = RandomState::new().hash_one(tries) % most;
    Duration::from_millis(50 + random)
}

/// A token bucket whose rate halves on a throttle reply and recovers slowly.
#[derive(Debug)]
struct Bucket {
    full_rate: f64,
    rate: f64,
    burst: f64,
    tokens: f64,
    last: Instant,
}

impl Bucket {
    fn new((rate, burst): (f64, u32), now: Instant) -> Self {
        let burst = f64::from(burst.max(1));
        Self { full_rate: rate, rate, burst, tokens: burst, last: now }
    }

    /// Takes a token and says when it may be used. Tokens may go below zero:
    /// that is the queue.
    fn turn(&mut self, now: Instant) -> Instant {
        let passed = now.saturating_duration_since(self.last).as_secs_f64();
        self.last = now;
        self.tokens = (self.tokens + passed * self.rate).min(self.burst);
        // A tenth of the way back per second without a throttle reply.
        self.rate = (self.rate + passed * self.full_rate / 10.0).min(self.full_rate);
        self.tokens -= 1.0;
        if self.tokens >= 0.0 {
            now
        } else {
            now + Duration::from_secs_f64(-self.tokens / self.rate)
        }
    }

    fn give_back(&mut self) {
        self.tokens = (self.tokens + 1.0).min(self.burst);
    }

    fn slow_down(&mut self, now: Instant) {
        self.last = now;
        self.rate = (self.rate / 2.0).max(self.full_rate / 32.0);
        self.tokens = self.tokens.min(0.0);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use aws_sdk_sts::operation::get_caller_identity::GetCallerIdentityError;
    use aws_smithy_runtime_api::http::StatusCode;
    use aws_smithy_types::body::SdkBody;
    use aws_smithy_types::error::metadata::ErrorMetadata;

    #[test]
    fn a_bucket_lets_the_burst_pass_and_then_keeps_the_rate() {
        let now = Instant::now();
        let mut bucket = Bucket::new((10.0, 3), now);
        let turns: Vec<_> = (0..5).map(|_| bucket.turn(now) - now).collect();
        assert_eq!(&turns[..3], [Duration::ZERO; 3]);
        assert_eq!(turns[3], Duration::from_millis(100));
        assert_eq!(turns[4], Duration::from_millis(200));
    }

    #[test]
    fn a_throttle_reply_empties_the_bucket_and_halves_the_rate_until_it_recovers() {
        let now = Instant::now();
        let mut bucket = Bucket::new((10.0, 100), now);
        bucket.slow_down(now);
        assert_eq!(bucket.turn(now) - now, Duration::from_millis(200));
        let later = now + Duration::from_secs(20);
        bucket.turn(later);
        assert!((bucket.rate - 10.0).abs() < f64::EPSILON);
    }

    #[test]
    fn the_rate_never_falls_to_nothing() {
        let now = Instant::now();
        let mut bucket = Bucket::new((32.0, 1), now);
        (0..100).for_each(|_| bucket.slow_down(now));
        assert!((bucket.rate - 1.0).abs() < f64::EPSILON);
    }

    fn calls(rate: f64, burst: u32) -> Calls {
        let rates = Rates(BTreeMap::from([("ec2".into(), (rate, burst))]));
        Calls::new(Arc::new(rates), Arc::default())
    }

    const READ: Call = Call::read("ec2", "DescribeVpcs");
    type Answer = Result<(), SdkError<GetCallerIdentityError, HttpResponse>>;

    #[tokio::test]
    async fn a_look_does_not_wait_for_what_does_not_answer() {
        let calls = calls(1000.0, 1000).impatient(Duration::from_millis(50));
        let hangs = || std::future::pending::<Answer>();
        let looked = timeout(Duration::from_secs(20), calls.send(READ, hangs)).await;
        let error = looked.expect("it ends").unwrap_err();
        assert_eq!(error.to_string(), "ec2:DescribeVpcs: no answer within 0.05 s");
        assert_eq!(calls.stats.lock().unwrap().by_operation["ec2:DescribeVpcs"], 1);
    }

    #[tokio::test]
    async fn an_item_that_takes_long_holds_up_no_other_and_the_order_stays() {
        let left = Semaphore::new(0);
        let look = |item: u32| {
            let left = &left;
            async move {
                if item == 0 {
                    // Answers once all others have.
                    left.acquire_many(19).await.expect("it stays open").forget();
                } else {
                    left.add_permits(1);
                }
                item
            }
        };
        let items: Vec<u32> = (0..20).collect();
        let looked = timeout(Duration::from_secs(20), each(items.clone(), look)).await;
        assert_eq!(looked.expect("it ends"), items);
    }

    #[tokio::test]
    async fn after_a_throttle_reply_a_service_is_asked_more_slowly() {
        let calls = calls(20.0, 1000);
        let tries = std::cell::Cell::new(0);
        let attempt = || async {
            tries.set(tries.get() + 1);
            if tries.get() > 1 { Ok(()) } else { Err(throttled()) }
        };
        calls.send(READ, attempt).await.unwrap();
        assert_eq!(calls.stats.lock().unwrap().throttled, 1);
        let slow = calls.buckets.lock().unwrap()[&READ.bucket()].rate;
        assert!(slow < 20.0, "{slow} a second");
        // The burst would let all of these pass at once.
        let begun = Instant::now();
        for _ in 0..5 {
            calls.send(READ, || async { Answer::Ok(()) }).await.unwrap();
        }
        assert!(begun.elapsed() > Duration::from_millis(200), "{:?}", begun.elapsed());
    }

    fn throttled() -> SdkError<GetCallerIdentityError, HttpResponse> {
        let code = ErrorMetadata::builder().code("RequestLimitExceeded").build();
        let status = StatusCode::try_from(503).unwrap();
        let answer = HttpResponse::new(status, SdkBody::empty());
        SdkError::service_error(GetCallerIdentityError::generic(code), answer)
    }

    #[tokio::test]
    async fn who_leaves_the_queue_gives_its_place_back() {
        // A token in 100 seconds: the second call waits for its turn.
        let calls = calls(0.01, 1);
        calls.send(READ, || async { Answer::Ok(()) }).await.unwrap();
        for _ in 0..3 {
            let second = calls.send(READ, || async { Answer::Ok(()) });
            timeout(Duration::from_millis(10), second).await.unwrap_err();
        }
        let buckets = calls.buckets.lock().unwrap();
        let tokens = buckets[&("ec2", true)].tokens;
        assert!((-0.1..1.0).contains(&tokens), "{tokens}");
    }

    #[test]
    fn only_what_is_safe_is_repeated_when_no_answer_came() {
        assert!(!Call::once("ec2", "CreateVpc").may_repeat(Class::Ambiguous));
        assert!(Call::once("ec2", "CreateVpc").may_repeat(Class::Throttled));
        assert!(Call::repeatable("ec2", "CreateTags").may_repeat(Class::Ambiguous));
        assert!(!Call::read("ec2", "DescribeVpcs").may_repeat(Class::Denied));
    }
}
