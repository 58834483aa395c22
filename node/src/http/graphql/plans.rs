//! Remembers the plans of queries that were asked lately, so that those asked over and over are read and
//! judged once.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use super::Posted;
use super::plan::Plan;

/// Plans of one generation. The older of two generations is forgotten when the younger one is full.
const GENERATION_LEN: usize = 128;

/// Larger queries are not remembered.
const KEY_SIZE_MAX: usize = 8 * 1024;

/// Nor are those of more fields, to which fragments can make a short text grow. All plans together take
/// a few megabytes.
const FIELDS_MAX: usize = 200;

/// Plans by what was posted.
#[derive(Default)]
pub(super) struct Plans(Mutex<Generations>);

#[derive(Default)]
struct Generations {
    young: HashMap<String, Arc<Plan>>,
    old: HashMap<String, Arc<Plan>>,
}

impl Plans {
    /// What a request is remembered by; `None` when it is too large.
    pub(super) fn key(posted: &Posted) -> Option<String> {
        let variables = match &posted.variables {
            Some(variables) => serde_json::to_string(variables).ok()?,
            None => String::new(),
        };
        let name = posted.operation_name.as_deref().unwrap_or_default();
        // Neither names nor JSON hold a NUL.
        let key = format!("{name}\0{variables}\0{}", posted.query);
        (key.len() <= KEY_SIZE_MAX).then_some(key)
    }

    pub(super) fn get(&self, key: &str) -> Option<Arc<Plan>> {
        let mut plans = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(plan) = plans.young.get(key) {
            return Some(Arc::clone(plan));
        }
        let (key, plan) = plans.old.remove_entry(key)?;
        plans.insert(key, Arc::clone(&plan));
        Some(plan)
    }

    pub(super) fn insert(&self, key: String, plan: Arc<Plan>) {
        if plan.fields > FIELDS_MAX {
            return;
        }
        let mut plans = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        plans.insert(key, plan);
    }
}

impl Generations {
    fn insert(&mut self, key: String, plan: Arc<Plan>) {
        if self.young.len() >= GENERATION_LEN {
            self.old = std::mem::take(&mut self.young);
        }
        self.young.insert(key, plan);
    }
}
