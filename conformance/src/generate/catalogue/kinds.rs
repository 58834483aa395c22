//! Which kinds build on which: whoever fails below need not look above yet.

/// The kinds to get right before `kind`, from small to big.
pub(crate) fn depends_on(kind: &str) -> Vec<String> {
    let below: &[&str] = match kind {
        "view.parse" => &["hash.parse"],
        "view.hash" => &["hash.of", "view.parse"],
        "schema.parse" => &["view.hash"],
        "entry.encode" => &["varu64.encode", "lipmaa", "hash.of"],
        "entry.decode" => &["varu64.decode", "lipmaa", "key.public", "hash.of"],
        "log.append" => &["entry.decode"],
        "operation.encode" => &["schema.parse"],
        "operation.decode" => &["schema.parse"],
        "operation.validate" => &["operation.decode"],
        "document.reduce" => &["view.parse", "operation.validate"],
        "schema.build" => &["view.parse", "schema.parse"],
        "document.view" => &["document.reduce"],
        "certificate" => &["lipmaa"],
        "branch.verify" => &["certificate", "entry.decode"],
        "fork.verify" => &["entry.decode"],
        "message.encode" => &["schema.parse"],
        "message.decode" => &["schema.parse"],
        "blob.check" => &["operation.validate"],
        "next_args" => &["log.append"],
        "publish" => &["log.append", "operation.validate", "document.reduce"],
        "scenario" => &["publish"],
        "session" => &["message.decode", "message.encode"],
        _ => &[],
    };
    below.iter().map(|kind| (*kind).to_owned()).collect()
}
