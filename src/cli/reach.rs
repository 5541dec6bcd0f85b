//! The book, for commands that work with and without a running gateway (contract, part 1).

use std::fs;
use std::os::unix::fs::MetadataExt as _;

use super::socket::Socket;
use super::{Context, Failure};
use crate::app::{self, Book};
use crate::config::StoreUrl;

/// The file of users, one in each line.
const USERS: &str = "/etc/passwd";
/// What belongs to whoever runs this process.
const MYSELF: &str = "/proc/self";

/// What is in the directory of every store.
const STORE_FILE: &str = "mark";

/// How the book is reached.
pub(super) enum Reach {
    /// Through the socket of the gateway that has it open.
    Gateway(Socket),
    /// On the store itself.
    Store(Book),
}

impl Reach {
    /// The gateway that runs on the configured store, or the store itself.
    pub(super) async fn open(context: &Context) -> Result<Self, Failure> {
        let config = context.source()?.config()?.config;
        match app::socket(&config.store.url).map(Socket::at) {
            Some(socket) if socket.answers().await => Ok(Self::Gateway(socket)),
            Some(_) => Ok(Self::Store(Book::open(&config.store).await.map_err(Failure::failed)?)),
            None => {
                let why = "store.url is memory:, which only the gateway itself can see";
                Err(Failure::Failed(why.to_owned()))
            }
        }
    }

    /// The same, for what needs a book that is there: none is made.
    pub(super) async fn open_known(context: &Context) -> Result<Self, Failure> {
        let config = context.source()?.config()?.config;
        if let StoreUrl::Sled(dir) = &config.store.url
            && !fs::exists(dir.join(STORE_FILE)).unwrap_or(true)
        {
            let why =
                format!("there is no store in {} (store.url); nothing was done", dir.display());
            return Err(Failure::Failed(why));
        }
        Self::open(context).await
    }

    /// Lets go of the store.
    pub(super) async fn close(self) {
        match self {
            Self::Gateway(_) => {}
            Self::Store(book) => book.close().await,
        }
    }
}

/// Who does it, for the record: the operating system's name of whoever runs this, which no
/// variable of the environment can change.
pub(super) fn myself() -> String {
    let user = fs::metadata(MYSELF).ok().and_then(|it| {
        let users = fs::read_to_string(USERS).ok()?;
        name_of(&users, it.uid())
    });
    user.map_or_else(|| "shell".to_owned(), |name| format!("{name} (shell)"))
}

fn name_of(users: &str, uid: u32) -> Option<String> {
    users.lines().find_map(|line| {
        let mut parts = line.split(':');
        let name = parts.next()?;
        let is_it = parts.nth(1)?.parse() == Ok(uid);
        (is_it && !name.is_empty()).then(|| name.to_owned())
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_user_is_found_by_number() {
        let users = "root:x:0:0:root:/:/bin/sh\nodd\nwanjiru:x:1001:1001::/:/bin/sh\n";
        assert_eq!(name_of(users, 1001).as_deref(), Some("wanjiru"));
        assert_eq!(name_of(users, 0).as_deref(), Some("root"));
        assert_eq!(name_of(users, 7), None);
    }
}
