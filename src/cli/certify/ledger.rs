//! Where the customer's books are had.

use std::path::PathBuf;
use std::str::FromStr;
use std::time::Duration;

use reqwest::Url;
use reqwest::redirect::Policy;

use super::target::Target;
use crate::certify::books::{self, BYTES_MAX, Row};
use crate::cli::Failure;

/// How long books may take to come.
const TIMEOUT: Duration = Duration::from_secs(60);

/// Where the books are.
#[derive(Clone, Debug)]
pub(super) enum Books {
    /// At this address.
    Url(Url),
    /// In this file.
    File(PathBuf),
}

impl FromStr for Books {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        if text.is_empty() {
            return Err("must be a file or an http(s) address".to_owned());
        }
        let is_url = text.starts_with("http://") || text.starts_with("https://");
        if !is_url {
            return Ok(Self::File(text.into()));
        }
        Url::parse(text).map(Self::Url).map_err(|error| error.to_string())
    }
}

impl Books {
    /// Reads them. What is wrong with them is said; the payments were made all the same.
    pub(super) async fn read(&self, target: &Target) -> Result<Vec<Row>, Failure> {
        let (name, bytes) = match self {
            Self::Url(url) => ("the books", fetch(url).await),
            Self::File(path) => {
                let shown = path.display();
                target
                    .enter(&format!("press Enter when your books are written to {shown}"))
                    .await?;
                ("the books", read(path))
            }
        };
        let failed = |why: String| {
            Failure::Failed(format!(
                "the payments are over, and there is no verdict: the books cannot be read\n{why}"
            ))
        };
        let bytes = bytes.map_err(failed)?;
        books::read(name, &bytes).map_err(|error| failed(error.to_string()))
    }
}

fn read(path: &PathBuf) -> Result<Vec<u8>, String> {
    use std::io::Read as _;
    let failed = |error: std::io::Error| format!("{}: {error}", path.display());
    let file = std::fs::File::open(path).map_err(failed)?;
    let mut bytes = Vec::new();
    // One more than may be, so that books too long are seen.
    let most = u64::try_from(BYTES_MAX).unwrap_or(u64::MAX).saturating_add(1);
    file.take(most).read_to_end(&mut bytes).map_err(failed)?;
    Ok(bytes)
}

async fn fetch(url: &Url) -> Result<Vec<u8>, String> {
    // Not the whole address: a query may hold a key.
    let place = format!("{}{}", url.host_str().unwrap_or_default(), url.path());
    let failed = |error: reqwest::Error| format!("{place}: {}", error.without_url());
    let client = reqwest::Client::builder().timeout(TIMEOUT).no_proxy();
    let client = client.redirect(Policy::none()).build().map_err(failed)?;
    let mut answer = client.get(url.clone()).send().await.map_err(failed)?;
    if answer.status().is_redirection() {
        let status = answer.status().as_u16();
        return Err(format!("{place}: status {status} leads elsewhere; name the books themselves"));
    }
    if !answer.status().is_success() {
        return Err(format!("{place}: status {}", answer.status().as_u16()));
    }
    let mut bytes = Vec::new();
    while let Some(chunk) = answer.chunk().await.map_err(failed)? {
        bytes.extend_from_slice(&chunk);
        if bytes.len() > BYTES_MAX {
            break;
        }
    }
    Ok(bytes)
}
