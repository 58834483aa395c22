//! A connection, its transaction, and what it remembers.
//!
//! What a rolled back transaction taught must be forgotten. Numbers once committed never change, whichever
//! process gave them out.
//!
//! Always true:
//! - A lost connection is replaced at the next use, except within a transaction, which is lost with it.
//! - After a failure within a transaction, everything but its end fails.

use std::cell::{Cell, RefCell};
use std::collections::{BTreeMap, BTreeSet};
use std::error::Error;
use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};

use bytes::BytesMut;
use grove_core::types::SchemaId;
use postgres::error::Severity;
use postgres::fallible_iterator::FallibleIterator;
use postgres::types::{IsNull, ToSql, Type, to_sql_checked};
use postgres::{CancelToken, Client, Row, Statement};

use super::codec::get;
use super::failure;
use super::pending::Pending;
use super::server::{Server, ServerSession};
use super::view::View;
use crate::store::StoreError;
use crate::store::indexes::IndexAdvisor;
use crate::store::interned::REMEMBERED_MAX;
use crate::store::meter::Meter;
use crate::store::objects::Objects;
use crate::store::sql::ahead::Ahead;
use crate::store::sql::{Columns, Names, Param, Sql, TakeRow};

/// Statements that a session keeps prepared: all with fixed text, and those of the views in use.
const STATEMENTS_MAX: usize = 256;

/// Values to be bound.
pub(super) type Params<'a> = &'a [&'a (dyn ToSql + Sync)];

/// Where a transaction stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Phase {
    /// There is none.
    Idle,
    Open,
    /// Something in it failed; it can only be rolled back.
    Failed,
}

/// Sends what a transaction has kept back.
pub(super) type Sender = fn(&Database, &Pending) -> Result<(), StoreError>;

/// A connection to a database of the current version.
pub struct Database {
    server: Server,
    link: RefCell<Option<Link>>,
    phase: Cell<Phase>,
    /// What cancels the statement that is being executed, if there is one.
    cancel: Arc<Mutex<Option<CancelToken>>>,
    /// Whether the transaction has changed anything.
    changed: Cell<bool>,
    /// By how much the transaction changes the number of live documents of schemas.
    pub live: RefCell<BTreeMap<i64, i64>>,
    /// The tables in which the transaction leaves bytes that must not stay.
    pub unclean: RefCell<BTreeSet<String>>,
    names: Names,
    ahead: Ahead,
    /// What the transaction has yet to send, and how it is sent.
    pub pending: RefCell<Pending>,
    sender: Sender,
    views: RefCell<BTreeMap<i64, Arc<View>>>,
    objects: Option<Arc<Objects>>,
    meter: Meter,
    /// Which indexes there are and which are asked for, as all connections of this process know it.
    pub advisor: IndexAdvisor,
}

/// A session and the statements prepared in it.
struct Link {
    session: ServerSession,
    statements: BTreeMap<String, Statement>,
}

impl fmt::Debug for Database {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Database").field(&self.server).finish()
    }
}

impl Database {
    /// Connects at once, so that a server that can't be used is found out early.
    pub fn connect(server: Server) -> Result<Self, StoreError> {
        let link = Link::to(&server)?;
        Ok(Self {
            server,
            link: RefCell::new(Some(link)),
            phase: Cell::new(Phase::Idle),
            cancel: Arc::default(),
            changed: Cell::new(false),
            live: RefCell::default(),
            unclean: RefCell::default(),
            names: Names::default(),
            ahead: Ahead::default(),
            pending: RefCell::default(),
            sender: |_, _| Err(StoreError::Misfit("reader")),
            views: RefCell::default(),
            objects: None,
            meter: Meter::default(),
            advisor: IndexAdvisor::default(),
        })
    }

    /// The same database for one who keeps changes back.
    pub fn with_sender(mut self, sender: Sender) -> Self {
        self.sender = sender;
        self
    }

    /// The same database with large bytes kept there.
    pub fn with_objects(mut self, objects: Option<Arc<Objects>>) -> Self {
        self.objects = objects;
        self
    }

    /// The same database, with what another connection to it knows of its indexes.
    pub fn with_advisor(mut self, advisor: IndexAdvisor) -> Self {
        self.advisor = advisor;
        self
    }

    /// What the transaction has read ahead.
    pub fn read_before(&self) -> &Ahead {
        &self.ahead
    }

    pub fn server(&self) -> &Server {
        &self.server
    }

    /// Whether the transaction has changed anything.
    pub fn has_changed(&self) -> bool {
        self.changed.get()
    }

    /// Runs statements that take no values and answer nothing.
    pub fn batch(&self, sql: &str) -> Result<(), StoreError> {
        self.run(|link| link.client().batch_execute(sql))
    }

    /// Changes something; returns how many rows.
    pub fn execute(&self, sql: &str, params: Params<'_>) -> Result<u64, StoreError> {
        self.changed.set(true);
        self.run(|link| {
            let statement = link.prepared(sql)?;
            link.client().execute(&statement, params)
        })
    }

    /// Reads all rows of the answer.
    pub fn all<T>(
        &self,
        sql: &str,
        params: Params<'_>,
        read: impl FnMut(&Row) -> Result<T, StoreError>,
    ) -> Result<Vec<T>, StoreError> {
        let rows = self.run(|link| {
            let statement = link.prepared(sql)?;
            link.client().query(&statement, params)
        })?;
        self.meter.spend(rows.len() as u64)?;
        rows.iter().map(read).collect()
    }

    /// Hands over the rows of the answer as they come, for as long as `take` says so. The connection is busy
    /// meanwhile: `take` can't ask it anything.
    pub fn visit(
        &self,
        sql: &str,
        params: Params<'_>,
        mut take: impl FnMut(&Row) -> Result<bool, StoreError>,
    ) -> Result<(), StoreError> {
        let (mut begun, mut taken) = (false, Ok(true));
        self.run(|link| {
            let statement = link.prepared(sql)?;
            let client = link.client();
            let mut rows = client.query_raw(&statement, params.iter().copied())?;
            while matches!(taken, Ok(true)) {
                match rows.next() {
                    Ok(None) => break,
                    Ok(Some(row)) => {
                        begun = true;
                        taken = self.meter.spend(1).and_then(|()| take(&row));
                    }
                    // What was handed over is not handed over again.
                    Err(error) if begun => taken = Err(failure(&error)),
                    Err(error) => return Err(error),
                }
            }
            Ok(())
        })?;
        taken.map(|_| ())
    }

    /// Reads the first row of the answer, if there is one.
    pub fn first<T>(
        &self,
        sql: &str,
        params: Params<'_>,
        read: impl FnOnce(&Row) -> Result<T, StoreError>,
    ) -> Result<Option<T>, StoreError> {
        let row = self.run(|link| {
            let statement = link.prepared(sql)?;
            link.client().query_opt(&statement, params)
        })?;
        row.as_ref().map(read).transpose()
    }

    /// The one number the statement answers.
    pub fn number(&self, sql: &str, params: Params<'_>) -> Result<i64, StoreError> {
        let number = self.first(sql, params, |row| get(row, 0))?;
        number.ok_or(StoreError::Corrupt("count"))
    }

    /// Opens a transaction.
    pub fn begin(&self, sql: &str) -> Result<(), StoreError> {
        self.changed.set(false);
        self.ahead.forget();
        self.batch(sql)?;
        self.phase.set(Phase::Open);
        Ok(())
    }

    /// Makes the transaction durable. When the connection is lost meanwhile, nobody knows whether it was.
    pub fn commit(&self) -> Result<(), StoreError> {
        // To a transaction that failed, a server answers a commit by rolling back.
        self.batch("COMMIT")?;
        self.ahead.forget();
        self.phase.set(Phase::Idle);
        Ok(())
    }

    /// Forgets the transaction, if there is one, and all that it taught.
    pub fn rollback(&self) {
        self.forget();
        self.end();
    }

    /// Ends the transaction, if there is one. A server that can't even be told so finds out by the loss of
    /// the connection.
    fn end(&self) {
        if self.phase.replace(Phase::Idle) == Phase::Idle {
            return;
        }
        let mut link = self.link.borrow_mut();
        let told = link
            .as_mut()
            .map(|link| link.client().batch_execute("ROLLBACK"));
        if matches!(told, Some(Err(_))) {
            *link = None;
        }
    }

    /// Runs several questions against one state of the database.
    pub fn snapshot<T>(
        &self,
        read: impl FnOnce() -> Result<T, StoreError>,
    ) -> Result<T, StoreError> {
        // Nobody else writes while our own transaction is open.
        if self.phase.get() != Phase::Idle {
            return read();
        }
        self.begin("BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY")?;
        let _end = Snapshot(self);
        read()
    }

    fn forget(&self) {
        self.live.take();
        self.unclean.take();
        self.names.forget();
        self.ahead.forget();
        self.pending.take();
        self.views.take();
    }

    /// Sends what the transaction has kept back, so that whatever comes next sees it.
    pub fn send_pending(&self) -> Result<(), StoreError> {
        let pending = self.pending.take();
        match pending.is_empty() {
            true => Ok(()),
            false => (self.sender)(self, &pending),
        }
    }

    /// Uses the connection, made anew if it was lost.
    fn run<T>(
        &self,
        mut operation: impl FnMut(&mut Link) -> Result<T, postgres::Error>,
    ) -> Result<T, StoreError> {
        self.send_pending()?;
        let inside = match self.phase.get() {
            Phase::Failed => return Err(StoreError::Server("the transaction is lost".to_owned())),
            phase => phase == Phase::Open,
        };
        let mut link = self.link.borrow_mut();
        let mut fresh = false;
        loop {
            let used = match &mut *link {
                Some(used) => used,
                None => {
                    self.forget();
                    fresh = true;
                    link.insert(Link::to(&self.server)?)
                }
            };
            self.set_cancel(Some(used.client().cancel_token()));
            let done = operation(used);
            self.set_cancel(None);
            let error = match done {
                Ok(done) => return Ok(done),
                Err(error) => error,
            };
            let lost = is_lost(&error);
            if lost {
                *link = None;
            }
            if inside {
                self.phase.set(Phase::Failed);
            }
            // A connection may have been lost long before it was used. Outside of a transaction nothing
            // is ever changed that can't be changed twice.
            if inside || fresh || !lost {
                return Err(failure(&error));
            }
        }
    }

    fn set_cancel(&self, token: Option<CancelToken>) {
        *self.cancel.lock().unwrap_or_else(PoisonError::into_inner) = token;
    }

    /// What asks the server to cancel the statement that is being executed, from any thread and without
    /// waiting.
    pub fn interrupt(&self) -> impl Fn() + Send + Sync + 'static {
        let (cancel, server) = (Arc::clone(&self.cancel), self.server.clone());
        move || {
            let token = cancel.lock().unwrap_or_else(PoisonError::into_inner);
            if let Some(token) = token.clone() {
                server.cancel(token);
            }
        }
    }

    /// The view tables of a schema, once the schema is known.
    pub fn view_of(&self, id: &SchemaId) -> Result<Option<Arc<View>>, StoreError> {
        match self.schema_row(id)? {
            Some(row) => self.view(row),
            None => Ok(None),
        }
    }

    /// Forgets the view tables of the schema of this number, of which another thing is about to be known.
    pub fn forget_view(&self, row: i64) {
        self.views.borrow_mut().remove(&row);
    }

    /// The view tables of the schema of this number, once the schema is known.
    pub fn view(&self, row: i64) -> Result<Option<Arc<View>>, StoreError> {
        if let Some(view) = self.views.borrow().get(&row) {
            return Ok(Some(Arc::clone(view)));
        }
        let Some(schema) = self.schema(row)? else {
            return Ok(None);
        };
        let view = Arc::new(View::new(row, schema));
        let mut views = self.views.borrow_mut();
        if views.len() >= REMEMBERED_MAX {
            views.clear();
        }
        views.insert(row, Arc::clone(&view));
        Ok(Some(view))
    }
}

impl Sql for Database {
    fn ask(
        &self,
        sql: &'static str,
        params: &[Param<'_>],
        take: TakeRow<'_>,
    ) -> Result<(), StoreError> {
        // All rows first: who takes them may ask further questions meanwhile.
        let rows = self.run(|link| {
            let statement = link.prepared(sql)?;
            link.client().query(&statement, &bound(params))
        })?;
        self.meter.spend(1)?;
        for row in &rows {
            self.meter.spend(1)?;
            if !take(row)? {
                break;
            }
        }
        Ok(())
    }

    fn change(&self, sql: &'static str, params: &[Param<'_>]) -> Result<u64, StoreError> {
        self.execute(sql, &bound(params))
    }

    fn note_change(&self) {
        self.changed.set(true);
    }

    fn ahead(&self) -> Option<&Ahead> {
        Some(&self.ahead)
    }

    fn meter(&self) -> &Meter {
        &self.meter
    }

    fn names(&self) -> &Names {
        &self.names
    }

    fn objects(&self) -> Option<&Arc<Objects>> {
        self.objects.as_ref()
    }
}

fn bound<'a>(params: &'a [Param<'_>]) -> Vec<&'a (dyn ToSql + Sync)> {
    let params = params.iter().map(|param| param as &(dyn ToSql + Sync));
    params.collect()
}

impl ToSql for Param<'_> {
    fn to_sql(
        &self,
        column: &Type,
        out: &mut BytesMut,
    ) -> Result<IsNull, Box<dyn Error + Sync + Send>> {
        match self {
            Self::Int(int) => int.to_sql(column, out),
            Self::MaybeInt(int) => int.to_sql(column, out),
            Self::Flag(flag) => flag.to_sql(column, out),
            Self::Bytes(bytes) => bytes.to_sql(column, out),
            Self::MaybeBytes(bytes) => bytes.to_sql(column, out),
            Self::Text(text) => text.to_sql(column, out),
            Self::MaybeText(text) => text.to_sql(column, out),
            Self::Hashes(hashes) => {
                let digests: Vec<&[u8]> = hashes.iter().map(|hash| &hash.digest()[..]).collect();
                digests.to_sql(column, out)
            }
            Self::Texts(texts) => texts.to_sql(column, out),
        }
    }

    fn accepts(column: &Type) -> bool {
        let known = [
            Type::INT8,
            Type::BOOL,
            Type::BYTEA,
            Type::TEXT,
            Type::BYTEA_ARRAY,
            Type::TEXT_ARRAY,
        ];
        known.contains(column)
    }

    to_sql_checked!();
}

impl Columns for Row {
    fn int(&self, index: usize) -> Result<i64, StoreError> {
        match self.columns()[index].type_() {
            &Type::INT4 => Ok(get::<i32>(self, index)?.into()),
            _ => get(self, index),
        }
    }

    fn maybe_int(&self, index: usize) -> Result<Option<i64>, StoreError> {
        get(self, index)
    }

    fn flag(&self, index: usize) -> Result<bool, StoreError> {
        get(self, index)
    }

    fn bytes(&self, index: usize) -> Result<&[u8], StoreError> {
        get(self, index)
    }

    fn maybe_bytes(&self, index: usize) -> Result<Option<&[u8]>, StoreError> {
        get(self, index)
    }

    fn text(&self, index: usize) -> Result<&str, StoreError> {
        get(self, index)
    }

    fn maybe_text(&self, index: usize) -> Result<Option<&str>, StoreError> {
        get(self, index)
    }
}

impl Link {
    fn to(server: &Server) -> Result<Self, StoreError> {
        Ok(Self {
            session: server.connect()?,
            statements: BTreeMap::new(),
        })
    }

    fn client(&mut self) -> &mut Client {
        self.session.client()
    }

    /// The statement, prepared at its first use only. What is shared with other databases is put in this
    /// one's words.
    fn prepared(&mut self, sql: &str) -> Result<Statement, postgres::Error> {
        if let Some(statement) = self.statements.get(sql) {
            return Ok(statement.clone());
        }
        let own = sql.replace('?', "$").replace("IN rarray(", "= ANY(");
        let statement = self.client().prepare(&own)?;
        if self.statements.len() >= STATEMENTS_MAX {
            self.statements.clear();
        }
        self.statements.insert(sql.to_owned(), statement.clone());
        Ok(statement)
    }
}

/// Ends the transaction of a snapshot, however its questions end.
struct Snapshot<'a>(&'a Database);

impl Drop for Snapshot<'_> {
    fn drop(&mut self) {
        self.0.end();
    }
}

/// Whether the connection is gone, or nobody can tell what state it is in.
fn is_lost(error: &postgres::Error) -> bool {
    error.as_db_error().is_none_or(|error| {
        let severity = error.parsed_severity();
        matches!(severity, Some(Severity::Fatal | Severity::Panic))
    })
}
