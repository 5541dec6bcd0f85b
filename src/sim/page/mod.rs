//! `GET /sim`: the page on which a tester sees what happens and has things happen.
//!
//! Its three files are ours, stand in the program and ask for nothing from elsewhere. Whatever came
//! over the wire is shown as text; should a mistake ever let it become more, the policy that goes
//! with every file runs no script but the page's own.

use std::sync::Arc;

use axum::Router;
use axum::http::{HeaderName, header};
use axum::response::{IntoResponse, Response};
use axum::routing::get;

use super::Sim;

/// What a browser may do with the page: run its script, use its style, ask this simulator.
const POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; \
     connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'";

/// A file of the page.
#[derive(Clone, Copy, Debug)]
struct File {
    path: &'static str,
    content_type: &'static str,
    text: &'static str,
}

/// All of them.
const FILES: [File; 5] = [
    File {
        path: "/sim",
        content_type: "text/html; charset=utf-8",
        text: include_str!("page.html"),
    },
    File {
        path: "/sim/page.css",
        content_type: "text/css; charset=utf-8",
        text: include_str!("page.css"),
    },
    File {
        path: "/sim/page.js",
        content_type: "text/javascript; charset=utf-8",
        text: include_str!("page.js"),
    },
    File {
        path: "/sim/unfold.js",
        content_type: "text/javascript; charset=utf-8",
        text: include_str!("unfold.js"),
    },
    File { path: "/sim/icon.svg", content_type: "image/svg+xml", text: include_str!("icon.svg") },
];

/// The routes of the page.
pub(super) fn routes() -> Router<Arc<Sim>> {
    FILES.into_iter().fold(Router::new(), |router, file| {
        router.route(file.path, get(move || async move { file.response() }))
    })
}

impl File {
    fn response(self) -> Response {
        let headers: [(HeaderName, &str); 5] = [
            (header::CONTENT_TYPE, self.content_type),
            (header::CONTENT_SECURITY_POLICY, POLICY),
            (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
            (header::REFERRER_POLICY, "no-referrer"),
            // The next version of the program brings another page.
            (header::CACHE_CONTROL, "no-cache"),
        ];
        (headers, self.text).into_response()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_page_asks_for_nothing_from_elsewhere_and_holds_no_script_of_its_own() {
        for file in FILES {
            let bare = file.text.replace("http://www.w3.org/2000/svg", "");
            assert!(!bare.contains("http:") && !bare.contains("https:"), "{}", file.path);
            assert!(!bare.contains("innerHTML") && !bare.contains("eval("), "{}", file.path);
        }
        let [html, ..] = FILES;
        for inline in ["onclick", "style=", "<style", "<script>"] {
            assert!(!html.text.contains(inline), "{inline}");
        }
    }

    #[test]
    fn every_file_goes_out_with_the_policy() {
        for file in FILES {
            let response = file.response();
            let policy = response.headers().get(header::CONTENT_SECURITY_POLICY);
            assert_eq!(policy.and_then(|value| value.to_str().ok()), Some(POLICY));
            assert_eq!(response.headers()[header::X_CONTENT_TYPE_OPTIONS], "nosniff");
        }
    }
}
