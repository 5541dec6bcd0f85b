//! Where certificates lead, and what they may be used for.

use mlango::tls::chain::{Chain, Look, Role, is_authority};
use mlango::tls::read::certificates;
use mlango::tls::{Identity, IdentityFiles};

use crate::certificates::file;
use crate::support::identity;

fn known(name: &str) -> Look {
    let identity = identity(name).read().expect(name);
    let ca = certificates(&file("ca.pem")).expect("authorities");
    Look::at(&identity, Role::Client, &ca)
}

#[test]
fn a_chain_is_followed_to_its_end() {
    let ca = "CN=Mlango example authority ca, O=Mlango examples";
    assert_eq!(known("client").chain, Chain::Known { authority: ca.to_owned() });
    assert!(matches!(known("stranger").chain, Chain::Ends { stray: 0, .. }));
    assert_eq!(known("credential").chain, Chain::Alone);
    let bundle =
        IdentityFiles::Pkcs12 { file: file("client.p12"), passphrase: "example".to_owned().into() };
    let look = Look::at(&bundle.read().expect("it opens"), Role::Client, &[]);
    assert_eq!(look.chain, Chain::Whole { authority: ca.to_owned() });
    let mut mixed: Identity = identity("stranger").read().expect("it reads");
    mixed.chain.extend(certificates(&file("broker.pem")).expect("another"));
    let chain = Look::at(&mixed, Role::Client, &[]).chain;
    assert!(matches!(chain, Chain::Ends { stray: 1, .. }), "{chain:?}");
}

#[test]
fn a_certificate_is_for_some_roles_and_an_authority_signs() {
    let only = identity("listener-only").read().expect("it reads");
    assert!(Look::at(&only, Role::Server, &[]).fits_role);
    assert!(!Look::at(&only, Role::Client, &[]).fits_role);
    for (name, signs) in [("ca.pem", true), ("ca.p7b", true), ("broker.pem", false)] {
        let found = certificates(&file(name)).expect(name);
        assert_eq!(found.iter().all(|it| is_authority(it)), signs, "{name}");
    }
}
