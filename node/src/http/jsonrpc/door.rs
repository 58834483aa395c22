//! Messages of JSON-RPC 2.0: what one asks, and the message that answers it. The same over POST and WebSocket.
//!
//! Reads the envelopes and hands what is in them to the methods; what those mean is theirs to tell.
//!
//! Always true:
//! - An answer names its call as the call named itself, text for text: any JSON number, string or null.
//! - What is no call is told so, in its place among others; what wants no answer gets none.

use std::borrow::Cow;
use std::sync::Arc;

use jsonrpsee::core::server::{
    BoundedSubscriptions, ConnectionId, Extensions, MethodCallback, MethodResponse, MethodSink,
    Methods, SubscriptionState,
};
use jsonrpsee::types::error::{
    ErrorCode, ErrorObjectOwned, reject_too_big_batch_request, reject_too_big_batch_response,
    reject_too_big_request, reject_too_many_subscriptions,
};
use jsonrpsee::types::{Id, Params};
use serde::{Deserialize, Deserializer};
use serde_json::value::RawValue;

use super::refuse;
use super::subscribe::Counting;
use crate::api::ApiError;
use crate::runtime::Asking;

/// How each answer of the library begins.
const HEAD: &str = "{\"jsonrpc\":\"2.0\",\"id\":";

/// Begins the ids that the library knows instead of those it would not give back as they were. No id of a
/// client's does: one with such a character, which JSON only has escaped, is itself replaced.
const REPLACED: char = '\0';

/// The methods, and how much of them there may be at once.
#[derive(Debug, Clone)]
pub(super) struct Door {
    pub(super) methods: Methods,
    pub(super) ids: Arc<Counting>,
    pub(super) batch_len_max: usize,
    pub(super) answer_size_max: usize,
}

/// Who asks.
#[derive(Debug, Clone)]
pub(super) struct Caller {
    pub(super) connection: ConnectionId,
    /// Where answers of subscriptions go, and how many there may be; `None` where nothing can follow.
    pub(super) subscriptions: Option<(MethodSink, BoundedSubscriptions)>,
}

/// One call.
struct Call<'a> {
    /// `None` for one that wants no answer.
    id: Option<&'a RawValue>,
    method: Cow<'a, str>,
    params: Option<&'a RawValue>,
}

impl Door {
    /// The answer to a message, unless it wants none, or the answer has been sent by a subscription.
    pub(super) async fn answer(&self, message: &[u8], caller: &Caller) -> Option<String> {
        let Ok(message) = serde_json::from_slice::<&RawValue>(message) else {
            return Some(refused(None, ErrorCode::ParseError));
        };
        if !message.get().starts_with('[') {
            return self.answer_one(message, caller).await;
        }
        let calls: Vec<&RawValue> = match serde_json::from_str(message.get()) {
            Ok(calls) => calls,
            Err(_) => return Some(refused(None, ErrorCode::ParseError)),
        };
        //= RC1: a batch is answered call by call, an empty one is no request
        if calls.is_empty() {
            return Some(refused(None, ErrorCode::InvalidRequest));
        }
        if calls.len() > self.batch_len_max {
            let error = reject_too_big_batch_request(self.batch_len_max);
            return Some(refused(None, error));
        }
        let mut answers = String::new();
        for call in calls {
            let Some(answer) = self.answer_one(call, caller).await else {
                continue;
            };
            if answers.len() + answer.len() > self.answer_size_max {
                let error = reject_too_big_batch_response(self.answer_size_max);
                return Some(refused(None, error));
            }
            answers.push(if answers.is_empty() { '[' } else { ',' });
            answers.push_str(&answer);
        }
        (!answers.is_empty()).then(|| answers + "]")
    }

    async fn answer_one(&self, call: &RawValue, caller: &Caller) -> Option<String> {
        match Call::read(call) {
            Ok(call) => {
                let answer = self.call(&call, caller).await?;
                call.id.map(|_| answer)
            }
            Err(id) => Some(refused(id, ErrorCode::InvalidRequest)),
        }
    }

    async fn call(&self, call: &Call<'_>, caller: &Caller) -> Option<String> {
        let id = call.id.map_or(Id::Null, stand_in);
        let params = Params::new(call.params.map(RawValue::get));
        let connection = caller.connection;
        let mut extensions = Extensions::new();
        extensions.insert(Asking::current());
        let size_max = self.answer_size_max;
        let response = match self.methods.method(&call.method) {
            None => MethodResponse::error(id, ErrorObjectOwned::from(ErrorCode::MethodNotFound)),
            Some(MethodCallback::Sync(method)) => method(id, params, size_max, extensions),
            Some(MethodCallback::Async(method)) => {
                let (id, params) = (id.into_owned(), params.into_owned());
                method(id, params, connection, size_max, extensions).await
            }
            Some(MethodCallback::Unsubscription(method)) => {
                method(id, params, connection, size_max, extensions)
            }
            Some(MethodCallback::Subscription(method)) => {
                // Without an id there would be none to end it by.
                let (sink, places) = caller.subscriptions.clone().filter(|_| call.id.is_some())?;
                let Some(subscription_permit) = places.acquire() else {
                    let error = reject_too_many_subscriptions(places.max());
                    return Some(restored(MethodResponse::error(id, error)));
                };
                let state = SubscriptionState {
                    conn_id: connection,
                    id_provider: &*self.ids,
                    subscription_permit,
                };
                let response = method(id, params, sink, state, extensions).await;
                if response.is_subscription() {
                    return None;
                }
                response
            }
        };
        Some(restored(response))
    }
}

impl<'a> Call<'a> {
    /// Reads a call. What is none is told by the id that it has all the same.
    fn read(text: &'a RawValue) -> Result<Self, Option<&'a RawValue>> {
        #[derive(Deserialize)]
        struct Members<'a> {
            #[serde(borrow, default)]
            jsonrpc: Option<&'a RawValue>,
            #[serde(borrow, default, deserialize_with = "present")]
            id: Option<&'a RawValue>,
            #[serde(borrow, default)]
            method: Option<&'a RawValue>,
            #[serde(borrow, default)]
            params: Option<&'a RawValue>,
        }
        let members: Members<'_> = serde_json::from_str(text.get()).map_err(|_| None)?;
        if members.id.is_some_and(|id| !is_id(id)) {
            return Err(None);
        }
        let text_of = |member: Option<&'a RawValue>| {
            serde_json::from_str::<Text<'_>>(member?.get())
                .ok()
                .map(|text| text.0)
        };
        let is_of_two = text_of(members.jsonrpc).as_deref() == Some("2.0");
        let takes = |params: &RawValue| params.get().starts_with(['[', '{']);
        match text_of(members.method) {
            Some(method) if is_of_two && members.params.is_none_or(takes) => Ok(Self {
                id: members.id,
                method,
                params: members.params,
            }),
            _ => Err(members.id),
        }
    }
}

/// A text, borrowed where it has no escapes.
#[derive(Deserialize)]
struct Text<'a>(#[serde(borrow)] Cow<'a, str>);

/// A member that is there, though it may be null.
fn present<'de, D: Deserializer<'de>>(member: D) -> Result<Option<&'de RawValue>, D::Error> {
    <&RawValue>::deserialize(member).map(Some)
}

/// Whether a call may name itself so.
fn is_id(id: &RawValue) -> bool {
    id.get() == "null"
        || id
            .get()
            .starts_with(|first: char| matches!(first, '"' | '-' | '0'..='9'))
}

/// The id that the library is to give back for this one.
fn stand_in(id: &RawValue) -> Id<'_> {
    let text = id.get();
    let plain = text
        .strip_prefix('"')
        .and_then(|text| text.strip_suffix('"'));
    match (plain, text.parse::<u64>()) {
        _ if text == "null" => Id::Null,
        (Some(plain), _) if !plain.contains('\\') => Id::Str(plain.into()),
        (None, Ok(number)) => Id::Number(number),
        _ => Id::Str(format!("{REPLACED}{text}").into()),
    }
}

/// What the library answers, with the id that the call has.
fn restored(response: MethodResponse) -> String {
    restore(response.into_json().into())
}

/// An answer or a notification of the library's with the id of the call it is for, if it is for one.
pub(super) fn restore(answer: Box<str>) -> String {
    let id_and_rest = answer
        .strip_prefix(HEAD)
        .filter(|rest| rest.starts_with("\"\\u0000"));
    let Some(id_and_rest) = id_and_rest else {
        return answer.into();
    };
    let mut texts = serde_json::Deserializer::from_str(id_and_rest).into_iter::<String>();
    let Some(Ok(id)) = texts.next() else {
        return answer.into();
    };
    let rest = &id_and_rest[texts.byte_offset()..];
    format!("{HEAD}{}{rest}", id.trim_start_matches(REPLACED))
}

/// The answer to a message that is too large, or holds too many values.
pub(super) fn too_large(size_max: usize) -> String {
    let size_max = u32::try_from(size_max).unwrap_or(u32::MAX);
    refused(None, reject_too_big_request(size_max))
}

/// The answer to a message for which there is no memory just now.
pub(super) fn too_busy() -> String {
    refused(None, refuse(ApiError::Busy))
}

/// An error for a call of this id.
fn refused(id: Option<&RawValue>, error: impl Into<ErrorObjectOwned>) -> String {
    let id = id.map_or(Id::Null, stand_in);
    restored(MethodResponse::error(id, error.into()))
}
