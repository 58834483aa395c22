"""The one exception of this package: an input is not what the protocol asks for.

`PHASES` is the part of `vectors/v1/reasons.json` that a library can meet, written out by hand so that a misspelt code
shows at once.
"""

PHASES = {
    "text": ("invalid_hex", "invalid_number", "uppercase_hex"),
    "key": ("key_length", "key_not_on_curve", "key_small_order"),
    "hash": (
        "hash_algorithm",
        "hash_digest_length",
        "hash_length",
        "view_id_duplicate",
        "view_id_empty",
        "view_id_unsorted",
    ),
    "entry": (
        "entry_tag",
        "entry_trailing_bytes",
        "entry_truncated",
        "links_identical",
        "seq_num_zero",
        "varint_not_minimal",
        "varint_trailing_bytes",
        "varint_truncated",
    ),
    "signature": ("signature_invalid", "signature_malformed"),
    "payload": ("payload_hash_mismatch", "payload_size_mismatch"),
    "links": ("backlink_mismatch", "certificate_incomplete", "skiplink_mismatch", "skiplink_not_found"),
    "log": (
        "fork_identical",
        "fork_position",
        "log_ended",
        "log_owner_mismatch",
        "seq_num_max",
        "seq_num_mismatch",
        "would_fork",
    ),
    "cbor": (
        "cbor_indefinite",
        "cbor_nan",
        "cbor_not_minimal",
        "cbor_reserved",
        "cbor_simple",
        "cbor_tag",
        "cbor_trailing_bytes",
        "cbor_truncated",
        "cbor_utf8",
    ),
    "operation": (
        "fields_duplicate",
        "fields_unsorted",
        "integer_out_of_range",
        "list_item_type",
        "operation_action",
        "operation_item_count",
        "operation_item_type",
        "operation_shape",
        "operation_version",
        "value_type",
    ),
    "schema": (
        "blob_length",
        "blob_mime_type",
        "blob_piece_size",
        "blob_pieces",
        "field_missing",
        "field_name",
        "field_type",
        "field_type_mismatch",
        "field_unexpected",
        "schema_definition",
        "schema_description",
        "schema_field_count",
        "schema_field_duplicate",
        "schema_id_malformed",
        "schema_id_unknown_system",
        "schema_mismatch",
        "schema_name",
    ),
    "graph": (
        "blob_length_mismatch",
        "blob_pieces_missing",
        "create_duplicate",
        "create_missing",
        "document_schema_mismatch",
        "graph_cycle",
        "operation_duplicate",
        "previous_not_found",
        "view_not_found",
    ),
    "message": ("message_item_count", "message_malformed", "message_set", "message_type"),
}

_PHASE_OF = {reason: phase for phase, reasons in PHASES.items() for reason in reasons}


class Refused(Exception):
    """An input broke a rule; `reason` is its stable code, `phase` where the rule stands."""

    def __init__(self, reason: str, message: str):
        super().__init__(message)
        self.reason = reason
        self.phase = _PHASE_OF[reason]
