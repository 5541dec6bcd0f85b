//! `mlango apps`: applications and their API keys.
//!
//! Beside a running gateway it goes through the socket next to the store; without one, it works on
//! the store itself.

use std::time::Duration;

use clap::Subcommand;
use serde_json::Value;

use super::socket::Socket;
use super::{Context, Failure, out};
use crate::app::{self, Book};
use crate::domain::id::AppId;
use crate::http::admin::{AppList, AppView, AppWithKey, NewApp, Rotate};
use crate::http::apps::GRACE;
use crate::store::Scope;

#[derive(Debug, Subcommand)]
pub(super) enum Apps {
    /// Make an application. Its key is printed once; only its hash is kept.
    Create {
        /// What people call it.
        name: String,
        /// What its key may do; may be given several times. Without it: payouts:write and
        /// payouts:read.
        #[arg(long = "scope", value_name = "S")]
        scopes: Vec<Scope>,
    },
    /// List all of them.
    List,
    /// Give one a new key. The old one stays good for a day, so that nothing stops.
    Rotate {
        /// Its id, `app_…`.
        id: AppId,
        /// Seconds for which the old key stays good; 0 ends it at once.
        #[arg(long, value_name = "SECONDS")]
        old_key_ends_in: Option<u64>,
    },
    /// End one for ever, with all its keys.
    Revoke {
        /// Its id, `app_…`.
        id: AppId,
    },
}

/// What a command came to.
enum Done {
    WithKey(AppWithKey),
    App(AppView),
    List(AppList),
}

impl Apps {
    pub(super) async fn run(self, context: &Context) -> Result<(), Failure> {
        let config = context.source()?.config()?.config;
        let socket = app::socket(&config.store.url).map(Socket::at);
        let done = match socket {
            Some(socket) if socket.answers().await => self.ask(&socket).await?,
            Some(_) => {
                let book = Book::open(&config.store).await.map_err(Failure::failed)?;
                let done = self.act(&book).await;
                book.close().await;
                done?
            }
            None => {
                let why = "store.url is memory:, which only the gateway itself can see";
                return Err(Failure::Failed(why.to_owned()));
            }
        };
        done.print(context.json)
    }

    /// Through a running gateway.
    async fn ask(self, socket: &Socket) -> Result<Done, Failure> {
        match self {
            Self::Create { name, scopes } => {
                let scopes = scopes.iter().map(|scope| scope.as_str().to_owned()).collect();
                socket.post("/apps", &NewApp { name, scopes }).await.map(Done::WithKey)
            }
            Self::List => socket.get("/apps").await.map(Done::List),
            Self::Rotate { id, old_key_ends_in } => {
                let asked = Rotate { old_key_ends_in_s: old_key_ends_in };
                socket.post(&format!("/apps/{id}/rotate"), &asked).await.map(Done::WithKey)
            }
            Self::Revoke { id } => {
                socket.post(&format!("/apps/{id}/revoke"), &Value::Null).await.map(Done::App)
            }
        }
    }

    /// On the store itself.
    async fn act(self, book: &Book) -> Result<Done, Failure> {
        let desk = book.desk();
        match self {
            Self::Create { name, scopes } => {
                let made = book.create_app(&name, &scopes).await.map_err(Failure::failed)?;
                Ok(Done::WithKey(made))
            }
            Self::List => {
                let apps = desk.list().await.map_err(Failure::failed)?;
                Ok(Done::List(AppList { data: apps.iter().map(AppView::from).collect() }))
            }
            Self::Rotate { id, old_key_ends_in } => {
                let grace = old_key_ends_in.map_or(GRACE, Duration::from_secs);
                let (app, key) = desk.rotate(id, grace).await.map_err(Failure::failed)?;
                let key = key.reveal().to_owned();
                Ok(Done::WithKey(AppWithKey { app: AppView::from(&app), key }))
            }
            Self::Revoke { id } => {
                let app = desk.revoke(id).await.map_err(Failure::failed)?;
                Ok(Done::App(AppView::from(&app)))
            }
        }
    }
}

impl Done {
    fn print(&self, as_json: bool) -> Result<(), Failure> {
        if as_json {
            let json = match self {
                Self::WithKey(made) => serde_json::to_string(made),
                Self::App(app) => serde_json::to_string(app),
                Self::List(list) => serde_json::to_string(list),
            };
            out::data(&json.map_err(Failure::failed)?);
            return Ok(());
        }
        match self {
            Self::WithKey(made) => {
                let (name, scopes) = (&made.app.name, made.app.scopes.join(", "));
                out::say(&format!("{} \"{name}\" may {scopes}", made.app.id));
                out::say("its key, shown this once:");
                out::data(&made.key);
            }
            Self::App(app) => out::say(&format!("{} \"{}\" is revoked", app.id, app.name)),
            Self::List(list) => {
                let rows: Vec<Vec<String>> = list.data.iter().map(row).collect();
                out::data(&out::table(
                    &["id", "name", "scopes", "made at (UTC)", "revoked"],
                    &rows,
                ));
            }
        }
        Ok(())
    }
}

fn row(app: &AppView) -> Vec<String> {
    let revoked = app.revoked_at.clone().unwrap_or_default();
    let (id, name, at) = (app.id.clone(), app.name.clone(), app.created_at.clone());
    vec![id, name, app.scopes.join(" "), at, revoked]
}
