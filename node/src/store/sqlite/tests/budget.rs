//! What a question costs is counted where it is answered, and ends it.

use super::*;
use crate::budget::Budget;

#[test]
fn a_question_ends_with_its_budget_and_the_next_is_answered() {
    let mut store = SqliteStore::in_memory().unwrap();
    store.begin().unwrap();
    store.insert_schema(&schema().into()).unwrap();
    for log_id in 0..1000 {
        publish(&mut store, log_id, "some words");
    }
    store.commit().unwrap();
    let query = DocumentQuery {
        conditions: vec![Condition::Field(
            "text".to_owned(),
            Test::Contains(true, "other".to_owned()),
        )],
        ..DocumentQuery::default()
    };
    let count = |budget: &Budget| {
        store.set_budget(budget.clone());
        store.count(schema().id(), &query)
    };
    let (ample, scarce) = (Budget::unlimited(), Budget::new(20));

    assert_eq!(count(&ample), Ok(0));
    let needed = ample.spent();
    assert!(count(&scarce).is_err());

    assert!((50..3000).contains(&needed), "{needed} for 1000 rows");
    // It ends with the step that goes beyond.
    assert!((20..40).contains(&scarce.spent()), "{}", scarce.spent());
    assert!(scarce.check().is_err());
    assert_eq!(count(&Budget::new(needed + 10)), Ok(0));
}

#[test]
fn bytes_that_are_handed_over_are_counted() {
    let mut store = SqliteStore::in_memory().unwrap();
    store.begin().unwrap();
    store.insert_schema(&schema().into()).unwrap();
    let id = publish(&mut store, 0, &"x".repeat(1 << 20));
    store.commit().unwrap();
    let budget = Budget::new(10_000);

    store.set_budget(budget.clone());
    store.document(id).unwrap();

    assert!((1024..2000).contains(&budget.spent()), "{}", budget.spent());
    store.set_budget(Budget::new(1000));
    assert_eq!(store.document(id), Err(StoreError::BudgetExceeded));
}
