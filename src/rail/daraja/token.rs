//! One access token for all (spec/daraja.md §4).
//!
//! Each new token may end the one before it, so that there is one, shared by everything that goes
//! to Daraja. Of many who need one at once, one fetches it and the others wait for him. It is
//! fetched anew a minute before it ends, and when M-Pesa no longer takes it. Where none is given,
//! asking pauses, longer each time: a firewall that shuts us out shuts out those longest who knock
//! most.

use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use http::{Method, header};
use tokio::time::{Instant, timeout};
use zeroize::Zeroizing;

use crate::clock::{Clock, SystemClock};
use crate::daraja::oauth::{self, NoToken, Token};
use crate::rail::pace::{Pace, Waits};
use crate::rail::transport::{Request, Unanswered, Web};
use crate::telemetry::metric;

/// How long before its end a token counts as over: longer than a request is on its way.
const EARLY: Duration = Duration::from_secs(60);
/// The longest that fetching one may take, and the longest that others wait for that.
pub const FETCH_MAX: Duration = Duration::from_secs(10);
/// How long is waited after each failure in a row before the next is asked for; the last counts
/// for all that follow.
const PAUSES: [Duration; 6] = [
    Duration::from_secs(1),
    Duration::from_secs(2),
    Duration::from_secs(5),
    Duration::from_secs(15),
    Duration::from_secs(30),
    Duration::from_secs(60),
];
/// So many refusals in a row are no accident: M-Pesa has been seen to refuse good credentials and
/// take them a moment later (spec/daraja.md §8).
const REFUSALS_MAX: u32 = 3;
/// A token endpoint is asked no more than so often in a second, whatever else.
const PER_SECOND: u32 = 1;

/// The one token, and the right to fetch it.
pub struct Tokens {
    web: Arc<dyn Web>,
    /// What its life goes by.
    clock: Arc<dyn Clock>,
    /// The value of `Authorization` for fetching one.
    basic: Zeroizing<String>,
    pace: Pace,
    /// Held by him who fetches.
    flight: tokio::sync::Mutex<()>,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    current: Option<Held>,
    /// Fetches that failed in a row.
    failures: u32,
    /// Of these, the last ones that were refused in a row.
    refusals: u32,
    /// Fresh tokens in a row that M-Pesa did not take.
    spurned: u32,
    /// Before this none is asked for, and why the last one was not given.
    paused: Option<(Instant, NoToken)>,
}

struct Held {
    token: Arc<Token>,
    ends: Instant,
}

impl fmt::Debug for Tokens {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Tokens").field("web", &self.web).finish_non_exhaustive()
    }
}

impl Tokens {
    /// Tokens for the app of these keys.
    pub fn new(web: Arc<dyn Web>, consumer_key: &str, consumer_secret: &str) -> Self {
        Self {
            web,
            clock: Arc::new(SystemClock),
            basic: Zeroizing::new(oauth::basic(consumer_key, consumer_secret)),
            pace: Pace::new(PER_SECOND),
            flight: tokio::sync::Mutex::default(),
            state: Mutex::default(),
        }
    }

    /// The same, whose life goes by `clock`.
    #[must_use]
    pub fn by(self, clock: Arc<dyn Clock>) -> Self {
        if clock.steered().is_some() {
            self.pace.go_by(&clock, Waits::Really);
        }
        Self { clock, ..self }
    }

    /// Tokens for other keys, whose life goes by the same clock.
    #[must_use]
    pub fn renewed(&self, consumer_key: &str, consumer_secret: &str) -> Self {
        let web = Arc::clone(&self.web);
        Self::new(web, consumer_key, consumer_secret).by(Arc::clone(&self.clock))
    }

    /// The token, fetched if there is none that is still good.
    ///
    /// # Errors
    /// There is none; asking again at once will not help.
    pub async fn get(&self) -> Result<Arc<Token>, NoToken> {
        if let Some(known) = self.known() {
            return known;
        }
        let turn = timeout(FETCH_MAX, self.flight.lock()).await;
        let _turn = turn.map_err(|_late| unanswered("another request for one goes on"))?;
        // Somebody may have fetched it, or failed to, while this one waited for his turn.
        if let Some(known) = self.known() {
            return known;
        }
        let begun = self.clock.instant();
        let fetched = match timeout(FETCH_MAX, self.fetch()).await {
            Ok(fetched) => fetched,
            Err(_late) => Err(unanswered("no answer in time")),
        };
        self.note(begun, fetched)
    }

    /// M-Pesa did not take `token`: it is dropped, if it is still the one that is used.
    pub fn spurn(&self, token: &Arc<Token>) {
        let mut state = self.state();
        if state.current.as_ref().is_some_and(|held| Arc::ptr_eq(&held.token, token)) {
            state.current = None;
            state.spurned = state.spurned.saturating_add(1);
            metric::TOKENS_SPURNED.with([]).increment();
            tracing::info!("the access token was refused; it is fetched anew");
            if state.spurned > REFUSALS_MAX {
                // One that is refused as soon as it is given is not worth hammering for.
                let why = unanswered("each token was refused as soon as it was given");
                let until = self.clock.instant().checked_add(pause(state.spurned));
                state.paused = until.map(|until| (until, why));
                tracing::error!("Daraja refuses tokens that it has only just given");
            }
        }
    }

    /// What keeps every request from being sent, where nothing but a token is missing.
    pub fn trouble(&self) -> Option<String> {
        let (refused, spurned) = {
            let state = self.state();
            (state.refusals >= REFUSALS_MAX, state.spurned > REFUSALS_MAX)
        };
        if refused {
            let says = "M-Pesa refuses daraja.consumer_key and daraja.consumer_secret: nothing is \
                        sent over Daraja until it takes them. It is asked again each minute.";
            return Some(says.to_owned());
        }
        let says = "M-Pesa refuses each access token as soon as it has given it: nothing is sent \
                    over Daraja until it takes one. A new one is tried each minute.";
        spurned.then(|| says.to_owned())
    }

    /// M-Pesa took a request with a token.
    pub fn was_taken(&self) {
        self.state().spurned = 0;
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The token that is still good, or that none is to be asked for yet.
    fn known(&self) -> Option<Result<Arc<Token>, NoToken>> {
        let state = self.state();
        let now = self.clock.instant();
        if let Some(held) = state.current.as_ref().filter(|held| held.ends > now) {
            return Some(Ok(Arc::clone(&held.token)));
        }
        let (_, why) = state.paused.as_ref().filter(|(until, _)| *until > now)?;
        Some(Err(why.clone()))
    }

    async fn fetch(&self) -> Result<Token, NoToken> {
        let request = Request {
            method: Method::GET,
            path: oauth::PATH.to_owned(),
            headers: vec![
                (header::AUTHORIZATION, self.basic.as_str().to_owned()),
                (header::ACCEPT, "application/json".to_owned()),
            ],
            body: vec![],
        };
        match self.web.send(request, &self.pace).await {
            Ok(answer) => oauth::read(answer.status, &answer.body),
            Err(Unanswered::NothingSent(why)) => Err(unanswered(why.says())),
            Err(Unanswered::MayHaveBeenSent(why)) => Err(unanswered(why.says())),
        }
    }

    /// Keeps what became of a fetch that began at `begun`.
    fn note(&self, begun: Instant, fetched: Result<Token, NoToken>) -> Result<Arc<Token>, NoToken> {
        let mut state = self.state();
        let why = match fetched {
            Ok(token) => {
                metric::TOKENS.with(["fetched"]).increment();
                // One that does not live that long is used for half of its life.
                let half = token.lifetime.checked_div(2).unwrap_or_default();
                let life = token.lifetime.saturating_sub(EARLY).max(half);
                let token = Arc::new(token);
                let ends = begun.checked_add(life).unwrap_or(begun);
                state.current = Some(Held { token: Arc::clone(&token), ends });
                state.failures = 0;
                state.refusals = 0;
                state.paused = None;
                return Ok(token);
            }
            Err(why) => why,
        };
        state.failures = state.failures.saturating_add(1);
        let is_refusal = matches!(why, NoToken::Refused { .. });
        state.refusals = if is_refusal { state.refusals.saturating_add(1) } else { 0 };
        metric::TOKENS.with([if is_refusal { "refused" } else { "unanswered" }]).increment();
        if state.refusals >= REFUSALS_MAX {
            tracing::error!(
                error = %why,
                times = state.refusals,
                "Daraja refuses daraja.consumer_key and daraja.consumer_secret; nothing is sent \
                 until it takes them"
            );
        } else {
            tracing::warn!(error = %why, "no access token; nothing is sent without one");
        }
        let until = self.clock.instant().checked_add(pause(state.failures));
        state.paused = until.map(|until| (until, why.clone()));
        Err(why)
    }
}

/// How long to wait after so many failures in a row.
fn pause(failures: u32) -> Duration {
    let nth = usize::try_from(failures.saturating_sub(1)).unwrap_or(usize::MAX);
    PAUSES.get(nth).or(PAUSES.last()).copied().unwrap_or_default()
}

fn unanswered(why: &str) -> NoToken {
    NoToken::Later { code: "oauth.unanswered".to_owned(), description: why.to_owned() }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::payout::WhyNothingSent;
    use crate::engine::port::Pending;
    use crate::rail::transport::Answer;
    use std::collections::VecDeque;
    use std::sync::atomic::{AtomicU32, Ordering};

    /// Answers from a list, each after a second.
    #[derive(Debug, Default)]
    struct Script {
        answers: Mutex<VecDeque<Answer>>,
        asked: AtomicU32,
    }

    impl Script {
        fn of(answers: impl IntoIterator<Item = Answer>) -> Arc<Self> {
            Arc::new(Self { answers: Mutex::new(answers.into_iter().collect()), ..Self::default() })
        }

        fn asked(&self) -> u32 {
            self.asked.load(Ordering::SeqCst)
        }
    }

    impl Web for Script {
        fn send<'a>(
            &'a self,
            request: Request,
            pace: &'a Pace,
        ) -> Pending<'a, Result<Answer, Unanswered>> {
            assert_eq!(request.method, Method::GET);
            assert!(request.headers.iter().any(|(_, value)| value == "Basic a2V5OnNlY3JldA=="));
            Box::pin(async move {
                pace.enter().await;
                self.asked.fetch_add(1, Ordering::SeqCst);
                tokio::time::sleep(Duration::from_secs(1)).await;
                let answer = self.answers.lock().expect("a lock").pop_front();
                answer.ok_or(Unanswered::NothingSent(WhyNothingSent::Connect))
            })
        }

        fn longest(&self) -> Duration {
            Duration::from_secs(50)
        }
    }

    fn given(token: &str, seconds: u64) -> Answer {
        let body = format!("{{\"access_token\":\"{token}\",\"expires_in\":\"{seconds}\"}}");
        Answer::new(200, body.into_bytes())
    }

    fn tokens(script: &Arc<Script>) -> Tokens {
        Tokens::new(Arc::<Script>::clone(script), "key", "secret")
    }

    #[tokio::test(start_paused = true)]
    async fn of_many_one_fetches_and_the_others_wait_for_him() {
        let script = Script::of([given("first", 3599)]);
        let tokens = Arc::new(tokens(&script));
        let mut many = tokio::task::JoinSet::new();
        for _ in 0..50 {
            let tokens = Arc::clone(&tokens);
            many.spawn(async move { tokens.get().await.expect("a token").bearer() });
        }
        for bearer in many.join_all().await {
            assert_eq!(bearer, "Bearer first");
        }
        assert_eq!(script.asked(), 1);
    }

    #[tokio::test(start_paused = true)]
    async fn it_is_fetched_anew_a_minute_before_it_ends() {
        let script = Script::of([given("first", 3599), given("second", 3599), given("third", 30)]);
        let tokens = tokens(&script);
        assert_eq!(tokens.get().await.expect("a token").secret(), "first");
        tokio::time::sleep(Duration::from_secs(3_537)).await;
        assert_eq!(tokens.get().await.expect("a token").secret(), "first");
        tokio::time::sleep(Duration::from_secs(1)).await;
        assert_eq!(tokens.get().await.expect("a token").secret(), "second");
        tokio::time::sleep(Duration::from_secs(3_600)).await;
        assert_eq!(tokens.get().await.expect("a token").secret(), "third");
        tokio::time::sleep(Duration::from_secs(13)).await;
        assert_eq!(tokens.get().await.expect("half of its life").secret(), "third");
        assert_eq!(script.asked(), 3);
    }

    #[tokio::test(start_paused = true)]
    async fn only_the_current_one_is_dropped_when_it_is_refused() {
        let script = Script::of([given("first", 3599), given("second", 3599)]);
        let tokens = tokens(&script);
        let first = tokens.get().await.expect("a token");
        tokens.spurn(&first);
        let second = tokens.get().await.expect("a token");
        assert_eq!(second.secret(), "second");
        // The one before it is refused once more, to somebody who was slower.
        tokens.spurn(&first);
        assert_eq!(tokens.get().await.expect("a token").secret(), "second");
        assert_eq!(script.asked(), 2);
    }

    #[tokio::test(start_paused = true)]
    async fn refusals_are_told_and_pause_longer_each_time() {
        let script = Script::of((0..8).map(|_| Answer::new(400, vec![])));
        let tokens = tokens(&script);
        let begun = Instant::now();
        let mut fetches = vec![];
        while fetches.len() < 7 {
            let before = script.asked();
            let refused = tokens.get().await;
            assert!(matches!(refused, Err(NoToken::Refused { .. })), "{refused:?}");
            if script.asked() > before {
                fetches.push(begun.elapsed().as_secs());
            }
            // Three times running is no accident, and is said.
            let trouble = tokens.trouble();
            assert_eq!(trouble.is_some(), fetches.len() >= 3, "{trouble:?}");
            assert!(trouble.is_none_or(|says| says.contains("daraja.consumer_key")));
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
        let gaps: Vec<u64> = fetches.windows(2).map(|two| two[1] - two[0]).collect();
        assert_eq!(gaps, [2, 3, 6, 16, 31, 61], "a second for the answer, and the pause");
    }

    #[tokio::test(start_paused = true)]
    async fn tokens_that_are_never_taken_are_not_hammered_for() {
        let script = Script::of((0..100).map(|nth| given(&format!("token{nth}"), 3599)));
        let tokens = tokens(&script);
        for _ in 0..600 {
            if let Ok(token) = tokens.get().await {
                tokens.spurn(&token);
            }
            tokio::time::sleep(Duration::from_secs(1)).await;
        }
        assert!(tokens.trouble().is_some_and(|says| says.contains("each access token")));
        assert!(script.asked() < 30, "{} in ten minutes", script.asked());
        let token = loop {
            if let Ok(token) = tokens.get().await {
                break token;
            }
            tokio::time::sleep(Duration::from_secs(1)).await;
        };
        tokens.was_taken();
        assert_eq!(tokens.trouble(), None);
        tokens.spurn(&token);
        assert!(tokens.get().await.is_ok(), "one that was taken is fetched anew at once");
    }

    #[tokio::test(start_paused = true)]
    async fn silence_is_bounded_and_not_asked_into_again() {
        let script = Script::of([]);
        let tokens = tokens(&script);
        assert!(matches!(tokens.get().await, Err(NoToken::Later { .. })));
        assert!(matches!(tokens.get().await, Err(NoToken::Later { .. })));
        assert_eq!(script.asked(), 1);
        assert!(!format!("{tokens:?}").contains("a2V5"));
    }
}
