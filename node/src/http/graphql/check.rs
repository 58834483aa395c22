//! Has the library judge a query without executing it.

use std::sync::Arc;

use async_graphql::Response;
use async_graphql::async_trait::async_trait;
use async_graphql::extensions::{Extension, ExtensionContext, ExtensionFactory, NextExecute};

/// Marks requests that are judged only.
pub(super) struct Check;

/// Leaves requests with this mark unexecuted.
pub(super) struct JustChecking;

impl ExtensionFactory for JustChecking {
    fn create(&self) -> Arc<dyn Extension> {
        Arc::new(Self)
    }
}

#[async_trait]
impl Extension for JustChecking {
    async fn execute(
        &self,
        ctx: &ExtensionContext<'_>,
        operation_name: Option<&str>,
        next: NextExecute<'_>,
    ) -> Response {
        match ctx.data_opt::<Check>() {
            Some(Check) => Response::default(),
            None => next.run(ctx, operation_name).await,
        }
    }
}
