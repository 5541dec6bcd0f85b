//! What `mlango simulate` takes from the configuration of the gateway.

use super::{complete, everything, place};
use crate::config::Source;

#[test]
fn the_simulator_knows_whom_the_gateway_is() {
    let dir = place();
    for name in ["broker.pem", "broker-key.pem", "ca.pem"] {
        std::fs::write(dir.path().join("certs").join(name), "not looked into here").expect(name);
    }
    let simulate = |text: &str| Source::text(text, dir.path()).simulate();
    let nothing = simulate(&complete()).expect("no faults").config;
    assert!(nothing.daraja.is_none() && nothing.sms.is_none());
    // Files that only the gateway reads are not looked for.
    let config = simulate(&everything()).expect("no faults").config;
    let app = config.daraja.expect("an app");
    assert_eq!((app.consumer_key.reveal(), app.consumer_secret.reveal()), ("a", "a"));
    assert_eq!((app.passkey.reveal(), app.shortcode.as_str()), ("a-passkey", "174379"));
    assert_eq!(app.b2c_shortcode.expect("a short code").as_str(), "600999");
    assert_eq!(app.till.expect("a till").as_str(), "5123456");
    let account = config.sms.expect("an account");
    assert_eq!((account.username.as_str(), account.api_key.reveal()), ("exampleorg", "a-key"));
    // Half of an app is no app: it is named, and nothing is put in its place.
    let half =
        complete().replace("#consumer_key = \"<the app's consumer key>\"", "consumer_key = \"k\"");
    let found = simulate(&half).expect_err("the rest is missing").to_string();
    for key in ["consumer_secret", "passkey", "shortcode"] {
        let wanted = format!("daraja.{key}: is not set, and `mlango simulate` needs it");
        assert!(found.contains(&wanted), "{found}");
    }
    assert_eq!(found.lines().count(), 3, "{found}");
}
