//! Payments whose confirmations never came: pulled, page by page, and each taken once.

use std::sync::Arc;
use std::time::Duration;

use mlango::clock::SystemClock;
use mlango::domain::limit::AmountLimits;
use mlango::domain::money::Amount;
use mlango::domain::payment::{Source, State};
use mlango::domain::payout::{Policy, Rail as Way};
use mlango::engine::port::{Counter, Rails};
use mlango::engine::{Engine, Parts, Recovered, Settings};
use mlango::ids::RandomIds;
use mlango::sim::book::Till;
use mlango::sim::customer::Bill;
use mlango::store::memory::MemoryStore;
use mlango::store::{Channel, PaymentQuery, Store};

use crate::support::{House, secs};

fn engine(counter: Arc<dyn Counter>, store: &Arc<MemoryStore>) -> Arc<Engine> {
    let parts = Parts {
        counter: Some(counter),
        notifier: None,
        validators: None,
        store: Arc::<MemoryStore>::clone(store),
        rails: Rails::default(),
        clock: Arc::new(SystemClock),
        ids: Arc::new(RandomIds::default()),
    };
    let settings = Settings {
        organisation: "ExampleOrg".to_owned(),
        shortcode: "600999".parse().expect("a short code"),
        rail: Way::Daraja,
        policy: Policy::default(),
        till: Default::default(),
        first_result_wait: Duration::ZERO,
        limits: AmountLimits::default(),
    };
    Engine::new(parts, settings)
}

#[tokio::test]
async fn payments_whose_confirmations_never_came_are_taken_once_each() {
    let House { sim, rail, .. } = House::new().await;
    for nth in 0..130_u32 {
        // Nothing is registered: M-Pesa tells nobody.
        let bill = Bill {
            shortcode: "174379".parse().expect("a short code"),
            phone: format!("254722{nth:06}").parse().expect("a phone"),
            amount: Amount::from_shillings(10),
            account: format!("INV-{nth}"),
            till: Till::PayBill,
            names: vec![],
            form: None,
        };
        assert!(sim.customer_pays(bill).await.moved.is_ok());
    }
    // M-Pesa's page ends with the second that has begun.
    tokio::time::sleep(secs(1)).await;
    let store = Arc::new(MemoryStore::new());
    let engine = engine(Arc::new(rail), &store);
    let window = secs(6 * 60 * 60);
    let first = engine.recover(window).await.expect("they are pulled");
    assert_eq!(first, Recovered { rows: 130, missed: 130 });
    let again = engine.recover(window).await.expect("they are pulled");
    assert_eq!(again, Recovered { rows: 130, missed: 0 }, "they are known");
    let page = store.payments(&PaymentQuery::all(500)).await.expect("a page");
    assert_eq!(page.rows.len(), 130);
    for kept in &page.rows {
        let State::Succeeded { paid, .. } = &kept.value.state else { panic!("not paid") };
        assert_eq!(paid.by, Source::Pull);
        assert!(sim.by_receipt(paid.receipt.as_ref().expect("a receipt").as_str()).is_some());
        let events = store.events_of(kept.value.details.id.into()).await.expect("events");
        let evidence = events.iter().flat_map(|it| &it.event.messages);
        let evidence: Vec<_> = evidence.collect();
        assert_eq!(evidence.len(), 1);
        let message = store.message(*evidence[0]).await.expect("readable").expect("kept");
        assert_eq!(message.channel, Channel::C2bPulled);
    }
    sim.shutdown().await;
    let gone = engine.recover(window).await.expect_err("nobody is there");
    assert!(!gone.is_empty());
}
