//! What our own certificates are good for, before anybody else judges them: `mlango check` says so.

use openssl::x509::{X509, X509ExtendedKeyUsage, X509Ref, X509VerifyResult};

use super::facts::Facts;
use super::read::Identity;

/// The longest chain that is followed.
const LENGTH_MAX: usize = 10;

/// What a certificate is to be used for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Role {
    /// A listener shows it.
    Server,
    /// Whoever calls shows it.
    Client,
}

/// Where a certificate leads, by the signatures.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Chain {
    /// To an authority that is known here.
    Known {
        /// Whose it is.
        authority: String,
    },
    /// To one that signed itself and stands in the same file.
    Whole {
        /// Whose it is.
        authority: String,
    },
    /// It signed itself: nobody vouches for it.
    Alone,
    /// To a certificate whose issuer is not to be found.
    Ends {
        /// Whose the last one is.
        at: String,
        /// Who issued that.
        issuer: String,
        /// How many other certificates stand in the file that nothing leads to.
        stray: usize,
    },
}

/// Our certificate and what it is good for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Look {
    /// The certificate first.
    pub own: Vec<Facts>,
    /// Where it leads.
    pub chain: Chain,
    /// Whether its extended key usage, if it has one, lets it be used in its role.
    pub fits_role: bool,
}

impl Look {
    /// Looks at an identity that is to be used in `role`; `authorities` are those known besides
    /// this machine's.
    pub fn at(identity: &Identity, role: Role, authorities: &[X509]) -> Self {
        let own = identity.chain.iter().map(|it| Facts::of(it)).collect();
        let fits_role = identity.chain.first().is_none_or(|leaf| fits(leaf, role));
        Self { own, chain: follow(&identity.chain, authorities), fits_role }
    }
}

fn fits(leaf: &X509Ref, role: Role) -> bool {
    let wanted = match role {
        Role::Server => X509ExtendedKeyUsage::SSL_SERVER,
        Role::Client => X509ExtendedKeyUsage::SSL_CLIENT,
    };
    let any = X509ExtendedKeyUsage::ANYEKU;
    leaf.extended_key_usage().is_none_or(|usage| usage.intersects(wanted | any))
}

/// Whether a certificate may sign others, as far as it says.
pub fn is_authority(certificate: &X509Ref) -> bool {
    let text = certificate.to_text().unwrap_or_default();
    let text = String::from_utf8_lossy(&text);
    // The oldest form has no extensions, and says nothing.
    text.contains("CA:TRUE") || (!text.contains("X509v3") && issued(certificate, certificate))
}

fn issued(issuer: &X509Ref, certificate: &X509Ref) -> bool {
    let key = issuer.public_key();
    issuer.issued(certificate) == X509VerifyResult::OK
        && key.is_ok_and(|key| certificate.verify(&key).unwrap_or(false))
}

fn follow(file: &[X509], authorities: &[X509]) -> Chain {
    let subject = |it: &X509Ref| Facts::of(it).subject;
    let machine = machine();
    let Some((leaf, mut rest)) = file.split_first().map(|(leaf, rest)| (leaf, rest.to_vec()))
    else {
        return Chain::Ends { at: String::new(), issuer: String::new(), stray: 0 };
    };
    let mut last = leaf.clone();
    for _step in 0..LENGTH_MAX {
        let known = authorities.iter().chain(&machine).find(|it| issued(it, &last));
        if let Some(authority) = known {
            return Chain::Known { authority: subject(authority) };
        }
        if issued(&last, &last) {
            let is_leaf = last.to_der().ok() == leaf.to_der().ok();
            return if is_leaf { Chain::Alone } else { Chain::Whole { authority: subject(&last) } };
        }
        let Some(nth) = rest.iter().position(|it| issued(it, &last)) else {
            break;
        };
        last = rest.swap_remove(nth);
    }
    Chain::Ends { at: subject(&last), issuer: Facts::of(&last).issuer, stray: rest.len() }
}

/// This machine's authorities, as far as they can be read.
fn machine() -> Vec<X509> {
    let found = rustls_native_certs::load_native_certs().certs;
    found.iter().filter_map(|der| X509::from_der(der).ok()).collect()
}
