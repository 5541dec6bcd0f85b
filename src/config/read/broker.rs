//! Reads the section of the way to the broker.

use crate::config::reader::Reader;
use crate::config::section::{Broker, HeaderNamespace, Link, PasswordCase, Payouts, Provider, Way};
use crate::config::value::WebOrigin;
use crate::tls::IdentityFiles;

pub(super) fn provider(r: &mut Reader) -> Option<Provider> {
    let sp_id = r.text("broker.sp_id");
    let sp_password = r.secret("broker.sp_password");
    let service_id = r.text("broker.service_id");
    Some(Provider { sp_id: sp_id?, sp_password: sp_password?, service_id: service_id? })
}

pub(super) fn broker(
    r: &mut Reader,
    provider: Option<Provider>,
    payouts: Option<&Payouts>,
) -> Option<Broker> {
    let url = r.web_origin("broker.url");
    let link = link(r);
    let way = way(r, url.as_ref());
    let wsdl_dir = r.output("broker.wsdl_dir");
    let overdue = payouts.map(|payouts| payouts.policy.result_overdue);
    if let (Some(link), Some(overdue)) = (&link, overdue)
        && link.timeout >= overdue
    {
        let what = "is not shorter than payouts.result_overdue: results would count as overdue \
                    while answers are still awaited";
        r.warn("broker.timeout", what);
    }
    Some(Broker { url: url?, provider: provider?, way: way?, link: link?, wsdl_dir })
}

fn link(r: &mut Reader) -> Option<Link> {
    let namespaces = [("a", HeaderNamespace::A), ("b", HeaderNamespace::B)];
    let cases = [("upper", PasswordCase::Upper), ("lower", PasswordCase::Lower)];
    let timeout = r.time("broker.timeout");
    let connect_timeout = r.time("broker.connect_timeout");
    let send_timeout = r.time("broker.send_timeout");
    let max_in_flight = r.count("broker.max_in_flight");
    let max_per_second = r.count("broker.max_per_second");
    let header_namespace = r.word("broker.header_namespace", &namespaces);
    let password_case = r.word("broker.password_case", &cases);
    Some(Link {
        timeout: timeout?,
        connect_timeout: connect_timeout?,
        send_timeout: send_timeout?,
        max_in_flight: max_in_flight?,
        max_per_second: max_per_second?,
        header_namespace: header_namespace?,
        password_case: password_case?,
    })
}

/// How to get there: encryption, and from where.
fn way(r: &mut Reader, url: Option<&WebOrigin>) -> Option<Way> {
    let ca = r.file("broker.ca");
    let identity = identity(r);
    let server_name = r.text("broker.server_name");
    let pins: Option<Vec<_>> = r.list("broker.pins");
    let old = r.word("broker.tls", &[("rustls", false), ("openssl", true)]);
    let local_address = r.address("broker.local_address");
    let interface = r.text("broker.interface");
    let probe_every = r.time("broker.probe_every");
    if url.is_some_and(|url| !url.https) {
        let encryption =
            ["ca", "client_certificate", "client_pkcs12", "server_name", "pins", "tls"];
        for name in encryption.map(|name| format!("broker.{name}")) {
            if r.is_set(&name) {
                r.fault(&name, "is about encryption, but broker.url begins with http://");
            }
        }
    }
    Some(Way {
        ca,
        identity,
        server_name,
        pins: pins?,
        old: old?,
        local_address,
        interface,
        probe_every: probe_every?,
    })
}

/// Our certificate towards the broker: in two files, or in one.
fn identity(r: &mut Reader) -> Option<IdentityFiles> {
    let pair = (r.file("broker.client_certificate"), r.file("broker.client_key"));
    let bundle = r.file("broker.client_pkcs12");
    let passphrase = r.secret("broker.client_pkcs12_password");
    let is_set = |r: &Reader, name: &str| r.is_set(&format!("broker.{name}"));
    match (pair, bundle) {
        ((Some(_), _) | (_, Some(_)), Some(_)) => {
            let what = "is set beside client_certificate or client_key: only one of the two ways";
            r.fault("broker.client_pkcs12", what);
            None
        }
        ((Some(certificate), Some(key)), None) => Some(IdentityFiles::Pair { certificate, key }),
        ((Some(_), None), None) => {
            if !is_set(r, "client_key") {
                let what = "is set, but client_key is not: certificate and key come together";
                r.fault("broker.client_certificate", what);
            }
            None
        }
        ((None, Some(_)), None) => {
            if !is_set(r, "client_certificate") {
                let what = "is set, but client_certificate is not: the two come together";
                r.fault("broker.client_key", what);
            }
            None
        }
        ((None, None), Some(file)) => {
            let passphrase = passphrase.map(|it| it.reveal().to_owned()).unwrap_or_default();
            Some(IdentityFiles::Pkcs12 { file, passphrase: passphrase.into() })
        }
        ((None, None), None) => None,
    }
}
