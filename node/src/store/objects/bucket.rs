//! A bucket of a service that speaks S3, described by the usual environment variables.

use std::sync::Arc;
use std::time::Duration;

use object_store::aws::AmazonS3Builder;
use object_store::path::Path as Name;
use object_store::prefix::PrefixStore;
use object_store::{BackoffConfig, ObjectStore, RetryConfig};

use super::client::Connector;
use crate::store::StoreError;

/// How long a request to a service is tried again.
const RETRY_TIMEOUT: Duration = Duration::from_secs(15);

/// How many times a request to a service is tried again.
const RETRIES_MAX: usize = 4;

/// The objects in a bucket whose names begin with this prefix.
pub(super) fn open(bucket: &str, prefix: &str) -> Result<Arc<dyn ObjectStore>, StoreError> {
    let retry = RetryConfig {
        backoff: BackoffConfig::default(),
        max_retries: RETRIES_MAX,
        retry_timeout: RETRY_TIMEOUT,
    };
    let store = AmazonS3Builder::from_env()
        .with_bucket_name(bucket)
        .with_retry(retry)
        .with_http_connector(Connector)
        .build()?;
    let prefix = Name::parse(prefix).map_err(object_store::Error::from)?;
    Ok(Arc::new(PrefixStore::new(store, prefix)))
}
