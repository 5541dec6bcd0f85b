//! The simulator under a scenario.

use super::{Scenario, Traffic, Verdict};
use crate::domain::party::Msisdn;
use crate::sim::Sim;
use crate::sim::book::{By, Movement, Record};

impl Sim {
    /// Plays a scenario from now on, from its beginning; or none.
    pub(in crate::sim) fn play(&self, scenario: Option<Scenario>) {
        match &scenario {
            Some(scenario) => {
                let rules = scenario.rules.len();
                tracing::info!(scenario = scenario.name, rules, "scenario begun");
            }
            None => tracing::info!("no scenario is played"),
        }
        self.stage.set(scenario, self.now());
        self.settle_floats();
    }

    /// Gives the accounts what the scenario says that they hold by now.
    pub(in crate::sim) fn settle_floats(&self) {
        if !self.stage.is_on() {
            return;
        }
        for float in self.stage.due(self.now()) {
            let balance = float.balance;
            tracing::info!(%balance, "scenario: an account now holds this");
            self.book().set_balance(float.shortcode.as_ref(), balance);
        }
    }

    /// What a rule says of a request, if one does. What was laid down for its id goes before that.
    pub(in crate::sim) fn verdict(&self, read: impl FnOnce() -> Traffic) -> Option<Verdict> {
        if !self.stage.is_on() {
            return None;
        }
        self.settle_floats();
        let mut traffic = read();
        let names = [traffic.name.as_deref(), traffic.about.as_deref()];
        if names.into_iter().flatten().any(|name| self.chooser.is_scripted(name)) {
            return None;
        }
        if traffic.phone.is_none() {
            let about = traffic.about.as_deref();
            traffic.phone = about.and_then(|about| self.receiver_of(about));
        }
        self.stage.choose(self.now(), traffic)
    }

    /// Whom a payment paid, or was to pay, that is asked about by a name of M-Pesa's.
    fn receiver_of(&self, about: &str) -> Option<Msisdn> {
        let book = self.book();
        let names = [By::Receipt(about.to_owned()), By::ConversationId(about.to_owned())];
        let record: Record = names.iter().find_map(|by| book.look_up(by))?;
        match record.movement? {
            Movement::Payout(payment) => Some(payment.phone),
            Movement::Deposit(deposit) => Some(deposit.phone),
            Movement::Business(_) | Movement::Reversal(_) => None,
        }
    }
}
