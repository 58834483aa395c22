//! The table of mutation points: every rule, what it guards, and what breaking it lets happen.

use super::Form;
use crate::reason::Reason;

macro_rules! points {
    ($($form:ident $point:ident [$($guards:literal)+] [$($reason:ident)*] $breaks:literal)+) => {
        /// A rule that can be broken.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
        pub enum Point {
            $(#[doc = $breaks] $point,)+
        }

        impl Point {
            /// Every point, module by module.
            pub const ALL: &'static [Point] = &[$(Point::$point,)+];

            /// The name, as the code has it.
            pub const fn name(self) -> &'static str {
                match self { $(Self::$point => stringify!($point),)+ }
            }

            /// How the rule can be broken.
            pub const fn form(self) -> Form {
                match self { $(Self::$point => Form::$form,)+ }
            }

            /// The requirements and rulings the rule meets.
            pub const fn guards(self) -> &'static [&'static str] {
                match self { $(Self::$point => &[$($guards),+],)+ }
            }

            /// The refusals that the rule leads to.
            pub const fn reasons(self) -> &'static [Reason] {
                match self { $(Self::$point => &[$(Reason::$reason),*],)+ }
            }

            /// What happens when the rule is not kept.
            pub const fn breaks(self) -> &'static str {
                match self { $(Self::$point => $breaks,)+ }
            }
        }
    };
}

points! {
    // Text, keys and hashes.
    Value HexEven ["BA3"] [InvalidHex] "half a byte at the end of hex is overlooked"
    Check UppercaseHex ["R13"] [UppercaseHex] "one id has several spellings"
    Check NumberDigits ["RC3"] [InvalidNumber] "numbers with a sign are read"
    Check NumberPadded ["RC3"] [InvalidNumber] "one number has several spellings"
    Value HashOnce ["BA2"] [] "the digest is hashed once more"
    Check HashLength ["BA2"] [HashLength] "bytes after a hash are overlooked"
    Check HashAlgorithm ["BA2"] [HashAlgorithm] "the hash of another algorithm is taken for BLAKE3"
    Check HashDigestLength ["R10"] [HashDigestLength] "the digest length byte may be anything"

    // View ids.
    Check ViewIdEmpty ["DV1"] [ViewIdEmpty] "a view id names nothing"
    Bound ViewIdsMax ["DV1"] [ViewIdTooLong] "the bound on view ids is another one"
    Check ViewIdDuplicate ["EN2"] [ViewIdDuplicate] "a view id names an operation twice"
    Check ViewIdUnsorted ["EN2"] [ViewIdUnsorted] "one view has several ids"
    Value TipsSorted ["DV1" "EN2"] [] "tips stand in the order in which they came"
    Value TipsOnce ["DV1" "EN2"] [] "a tip given twice stands twice"
    Value ViewHash ["DV1"] [] "the text of a view id is hashed, not its bytes"

    // Positions in logs.
    Check SkiplinkNeeded ["BA1"] [] "every entry carries a skiplink, or the wrong ones do"
    Value LipmaaExact ["BA1"] [] "lipmaa numbers are computed with floats"
    Value LipmaaOfBlockEnd ["BA1"] [] "the last entry of a block links to the one before it"
    Value LipmaaInBlock ["BA1"] [] "inside a block, whole blocks before are not cut off"

    // Schema ids, names and types.
    Value HashIdOfView ["SC9"] [] "the short schema id has the first operation id, not the view's hash"
    Check SystemName ["SC9"] [SchemaIdUnknownSystem] "system schemas have any name"
    Check SystemVersion ["SC9"] [SchemaIdUnknownSystem] "system schemas have any version"
    Value SchemaIdNameInWords ["SC9" "SC1"] [] "what is behind an underscore in a name is taken for an id"
    Check SchemaIdIds ["SC9"] [SchemaIdMalformed] "an application schema id has no view id"
    Value SchemaIdOrder ["SC9"] [] "the ids in a schema id are read from the back"
    Bound SchemaNameMin ["SC1" "R15"] [SchemaName] "the shortest schema name is another one"
    Check SchemaNameEnd ["SC1"] [SchemaName] "a schema name ends in an underscore"
    Check SchemaName ["SC1"] [SchemaName] "a schema name is anything"
    Check FieldName ["SC4"] [FieldName] "a field name is anything"
    Bound NameMax ["SC1" "SC4" "R15"] [SchemaName FieldName] "the longest name is another one"
    Check NameLetterFirst ["SC1" "SC4"] [SchemaName FieldName] "a name begins with a digit"
    Check NamePlain ["SC1" "SC4"] [SchemaName FieldName] "a name has any characters"
    Value FieldTypeWhole ["SC10" "R16"] [FieldType] "blanks around a type string are overlooked"
    Value FieldTypeKind ["SC10"] [FieldType] "an unknown type with a target is a relation"
    Value FieldTypeTarget ["SC10" "R16"] [FieldType] "a relation leads to anything"
    Check SchemaFieldDuplicate ["R17"] [SchemaFieldDuplicate] "two fields have one name"
    Check SchemaWithoutFields ["SC3"] [SchemaFieldCount] "a schema has no field"
    Bound SchemaFieldsMax ["SC3"] [SchemaFieldCount] "a schema has another number of fields"
    Value DescriptionCount ["SC2"] [SchemaDescription] "bytes are counted, not characters"
    Bound DescriptionMax ["SC2"] [SchemaDescription] "the longest description is another one"

    // varu64.
    Bound VarintInlineWritten ["BA1"] [] "one byte holds another range when written"
    Bound VarintInlineRead ["BA1"] [] "one byte holds another range when read"
    Value VarintWhole ["BA1"] [VarintTruncated] "missing bytes of a varu64 are overlooked"
    Check VarintInlineForm ["BA1"] [VarintNotMinimal] "a small varu64 has a longer form"
    Check VarintPadded ["BA1"] [VarintNotMinimal] "a varu64 has leading zeros"

    // CBOR.
    Check CborTrailing ["EN1" "R2"] [CborTrailingBytes] "bytes after an item are overlooked"
    Value CborUtf8 ["SC6"] [CborUtf8] "a text is any bytes"
    Value CborTag ["EN1" "R2"] [CborTag] "tags are overlooked"
    Value CborWhole ["EN1"] [CborTruncated] "missing bytes are overlooked"
    Value CborIndefinite ["EN1" "R2"] [CborIndefinite] "an indefinite length is none"
    Value CborReserved ["EN1" "R2"] [CborReserved] "a reserved head is a number"
    Check CborShortest ["EN1" "R2"] [CborNotMinimal] "heads have longer forms"
    Bound CborLeast ["EN1" "R2"] [CborNotMinimal] "the least number of a longer head is another one"
    Check CborNan ["R20"] [CborNan] "there are several NaN of half width"
    Check CborWideNan ["R20"] [CborNan] "there are NaN of greater width"
    Value CborSimple ["EN1" "R2"] [CborSimple] "null is false"
    Check FloatFitsHalf ["EN1" "R2"] [CborNotMinimal] "a float that fits 16 bits has more"
    Check FloatFitsSingle ["EN1" "R2"] [CborNotMinimal] "a float that fits 32 bits has more"
    Bound CborInlineWritten ["EN1"] [] "heads are not written in their shortest form"
    Value NegativeWritten ["OP7"] [] "negative integers are written one off"
    Value HalfWritten ["EN1"] [] "no float is written with 16 bits"
    Check SingleWritten ["EN1"] [] "floats are written with 32 bits whether they fit or not"
    Value NanWritten ["R20"] [] "another NaN is written"
    Value NegativeZero ["OP7" "EN1"] [] "the sign of zero is lost"
    Bound HalfSubnormal ["EN1"] [] "small floats are not seen to fit 16 bits"

    // Entries.
    Check EntryTag ["R8"] [EntryTag] "an entry has any tag"
    Value EntryEndOfLog ["R8"] [] "the end of a log is overlooked"
    Value SeqNumZero ["BA1"] [SeqNumZero] "the sequence number 0 is taken for 1"
    Order LinksRead ["BA1"] [] "backlink and skiplink are read in the other order"
    Order LinksWritten ["BA1"] [] "backlink and skiplink are written in the other order"
    Check LinksIdentical ["BA1"] [LinksIdentical] "both links name one entry"
    Check EntryTrailing ["R9"] [EntryTrailingBytes] "bytes after the signature are overlooked"
    Value EntryWhole ["BA1"] [EntryTruncated] "missing bytes of an entry are overlooked"

    // Operations.
    Value OperationShape ["OP1"] [OperationShape] "an operation is not an array"
    Check OperationItems ["OP1"] [OperationItemCount] "an operation has any number of items"
    Check OperationItemsOfAction ["OP1" "OP5"] [OperationItemCount] "an action has items of another"
    Check OperationVersion ["OP2" "R14"] [OperationVersion] "an operation has any version"
    Value OperationVersionType ["OP2"] [OperationItemType] "the version is no number"
    Value OperationAction ["OP3"] [OperationAction] "an unknown action is one of the three"
    Value PreviousItem ["OP5" "R3"] [ListItemType] "what is no id in previous is overlooked"
    Value OperationFieldsType ["OP1"] [OperationItemType] "what are no fields counts as none"
    Check FieldsDuplicate ["EN2" "R1"] [FieldsDuplicate] "a field is named twice"
    Value FieldsByteOrder ["EN2" "R1"] [FieldsUnsorted] "field names are sorted by length first"
    Check FieldsUnsorted ["EN2" "R1"] [FieldsUnsorted] "field names have any order"
    Value NegativeRead ["OP7"] [] "negative integers are read one off"
    Value ValueMap ["OP7"] [ValueType] "a map is a value"
    Value IntegerRange ["OP7"] [IntegerOutOfRange] "large integers wrap around"
    Check ListOfIds ["OP7"] [ListItemType] "a list of lists also holds ids"
    Check ListOfLists ["OP7"] [ListItemType] "a list of ids also holds lists"
    Value ListItem ["OP7"] [ListItemType] "what is no id in a list is overlooked"

    // Signatures and payloads.
    Value KeyBytes ["KY1"] [KeyLength] "bytes after a key are overlooked"
    Value KeyOnCurve ["KY1"] [KeyNotOnCurve] "a key is any 32 bytes"
    Check KeySmallOrder ["R12"] [KeySmallOrder] "keys that anybody can sign for are taken"
    Check SignatureReduced ["R11"] [SignatureMalformed] "one signature has several forms"
    Value SignatureEquation ["KY1" "R11"] [SignatureInvalid] "a wrong signature is taken"
    Value SignedBytes ["BA1" "KY1"] [] "the tag byte is not signed"
    Bound PayloadMax ["NO1"] [PayloadTooLarge] "the largest operation is another one"
    Check PayloadHash ["PB2"] [PayloadHashMismatch] "an entry carries another operation"
    Check PayloadSize ["PB2"] [PayloadSizeMismatch] "an entry claims another size"

    // Logs.
    Check LogEnded ["R8" "FK2"] [LogEnded] "something follows the end of a log"
    Value LogBegins ["BA1" "PB1"] [SeqNumMismatch] "a log begins with any number"
    Check SeqNumNext ["BA1" "PB1"] [SeqNumMismatch] "a log has gaps"
    Value SkiplinkKnown ["BA1"] [SkiplinkNotFound] "a skiplink leads to what is not known"
    Check SkiplinkMismatch ["BA1"] [SkiplinkMismatch] "a skiplink names any entry"
    Check BacklinkMismatch ["BA1"] [BacklinkMismatch] "a backlink names any entry"
    Check LogFull ["R26" "PB12"] [SeqNumMax] "the greatest number is used"
    Value PathByLipmaa ["BA1"] [] "the way back to the first entry is the longest one"
    Check PathStaysAbove ["BA1"] [] "the way back jumps over its goal"
    Check CertificateWhole ["BA1"] [CertificateIncomplete] "a log with a hole proves its entries"
    Check CertificateOwner ["BA1"] [LogOwnerMismatch] "entries of other logs prove an entry"
    Check CertificateEnded ["R8" "FK2"] [LogEnded] "entries after the end of a log prove themselves"
    Check CertificateBacklink ["BA1"] [BacklinkMismatch] "broken backlinks prove an entry"
    Check CertificateSkiplink ["BA1"] [SkiplinkMismatch] "broken skiplinks prove an entry"

    // Operations against their schema.
    Check SchemaMismatch ["OP4" "OP8"] [SchemaMismatch] "an operation is judged by another schema"
    Check FieldMissing ["OP6"] [FieldMissing] "a CREATE leaves fields out"
    Value FieldUnexpected ["OP6"] [FieldUnexpected] "an operation gives fields the schema has not"
    Check PinnedListFlat ["R18"] [FieldTypeMismatch] "a flat list is a pinned relation list"
    Value FieldTypeFits ["OP8"] [FieldTypeMismatch] "a value of any form fits any field"
    Check SchemaFieldsForeign ["SC3"] [SchemaDefinition] "a schema is built from fields it does not name"
    Check DefinitionSurplus ["SC1"] [SchemaDefinition] "a definition has fields that no definition has"
    Value DefinitionText ["SC1" "SC2"] [SchemaDefinition] "a definition without a name has one"
    Bound DefinitionFieldsMax ["SC3"] [SchemaFieldCount] "a definition has another number of fields"
    Check BlobLength ["R19" "BL1"] [BlobLength] "the length of a blob is negative"
    Bound BlobLengthMin ["R19" "BL1"] [BlobLength] "the least length of a blob is another one"
    Check BlobMimeType ["BL1"] [BlobMimeType] "a MIME type is anything"
    Check BlobPieces ["R19" "BL1"] [BlobPieces] "a blob that has a length has no pieces"
    Check BlobPiecesOfNothing ["R19" "BL1"] [BlobPieces] "a blob of no length has pieces"
    Check BlobComplete ["R19" "BL2"] [BlobPiecesMissing] "a blob is served without a piece of it"
    Check BlobLengthSum ["R19" "BL2"] [BlobLengthMismatch] "a blob is served that is shorter or longer than it says"
    Bound BlobPieceMax ["R19" "BL1"] [BlobPieceSize] "the largest piece of a blob is another one"
    Bound MimeKindMax ["BL1"] [BlobMimeType] "the longest MIME type is another one"
    Check MimeKindPlain ["BL1"] [BlobMimeType] "a MIME type has any characters"
    Check MimePartPlain ["BL1"] [BlobMimeType] "a MIME subtype has any characters"
    Bound MimePartsMax ["BL1"] [BlobMimeType] "a MIME subtype has another number of parts"
    Bound MimePartMax ["BL1"] [BlobMimeType] "the longest part of a MIME subtype is another one"
    Bound MimeLastMax ["BL1"] [BlobMimeType] "the longest last part of a MIME subtype is another one"

    // Documents.
    Check OperationOnce ["D10"] [OperationDuplicate] "an operation counts twice"
    Value CreateFound ["DO1"] [CreateMissing] "a document begins with any operation"
    Value CreateOnce ["DO1"] [CreateDuplicate] "a document has two CREATEs"
    Check DocumentSchema ["OP4"] [DocumentSchemaMismatch] "a document follows several schemas"
    Value PreviousFound ["DO3"] [PreviousNotFound] "a missing previous operation counts as the CREATE"
    Value LowestFirst ["DO8" "R4"] [] "the highest of several operations comes first"
    Value AllPrevious ["DO7" "R4"] [] "an operation comes before one it was made on top of"
    Value DepthFirst ["DO9" "R4"] [] "a branch is left before it is finished"
    Check GraphCycle ["DO2"] [GraphCycle] "operations that refer to each other are left out"
    Check TipsOnly ["DV1"] [] "the view id names operations that others were made on top of"
    Value ViewFound ["DV2"] [ViewNotFound] "unknown operations of a view are overlooked"
    Check LookedAtOnce ["D10"] [] "an earlier view costs as much as it has paths"
    Check DeleteEnds ["D11" "DO4" "R5"] [] "a deleted document lives on"
    Value ViewOfTips ["DV1"] [] "the view id names only the last operation"
    Value UpdateKeepsOthers ["OP6"] [] "an UPDATE forgets the fields it does not give"
    Value LastWriter ["R4"] [] "the first value of a field stays"

    // Authors.
    Value NextBacklink ["PB10"] [] "the next arguments have the skiplink as backlink"
    Check ArgsBacklink ["BA1"] [BacklinkMismatch] "an entry is signed with or without any backlink"
    Check ArgsSkiplink ["BA1"] [SkiplinkMismatch] "an entry is signed with or without any skiplink"

    // Publishing.
    Check EntryKnown ["R23" "PB7"] [] "the same entry once more is another one"
    Check ForkSeen ["R24" "FK1" "FK7"] [WouldFork] "a client begins a branch"
    Check ForkOfPeers ["R24" "FK8"] [] "a branch that a peer brings is refused"
    Check BranchFound ["BA1"] [BacklinkMismatch] "a backlink names an entry of another log"
    Check AncestorStaysAbove ["BA1" "FK10"] [SkiplinkMismatch] "the way back along a branch jumps over its goal"
    Value FreshArgs ["R24" "FK7"] [] "who would fork a log is not told how to go on"
    Value PrefersOpen ["R24" "FK9"] [] "a branch that ended is continued"
    Value PrefersLonger ["R24" "FK9"] [] "a shorter branch is continued"
    Order PrefersLower ["R24" "FK9"] [] "of equal branches that with the highest last hash is continued"
    Check ForkPosition ["R24" "FK3"] [ForkPosition] "entries of two positions prove a fork"
    Check ForkTwoEntries ["R24" "FK3"] [ForkIdentical] "an entry forks with itself"
    Order ForkAscends ["R24" "FK3"] [] "one pair of entries makes different evidence"
    Check NextArgsEnded ["R8" "FK2"] [LogEnded] "an author is told to write on after the end of a log"
    Value SchemaKnown ["R29" "PB3"] [SchemaNotFound] "an operation is published under an unknown schema"
    Check DocumentDeleted ["R6" "PB5"] [DocumentDeleted] "something is published to a deleted document"
    Check NextArgsDeleted ["R6" "PB5"] [DocumentDeleted] "a deleted document has next arguments"
    Value LogOfDocument ["DO5" "PB6"] [LogIdMismatch] "an author writes a document in two logs"
    Value LogIdFree ["DO5" "PB6" "FK11"] [LogIdInUse] "an author writes two documents in one log"
    Value PreviousKnown ["PB4"] [PreviousNotFound] "a previous operation that is not known is overlooked"
    Check PreviousSchema ["PB4" "OP4"] [DocumentSchemaMismatch] "an operation leaves the schema of its document"
    Check PreviousMixed ["PB4" "DV2"] [PreviousMixed] "an operation belongs to two documents"
    Check BlobPiecesThere ["R19" "BL3"] [BlobPiecesMissing] "a blob is published before its pieces"
    Value LogIdsGrow ["BA4" "PB9" "R22"] [] "a new document is written in a log that is used"

    // Replication messages.
    Value MessageType ["RP1"] [MessageType] "an unknown message is a known one"
    Check MessageNothing ["RP1"] [MessageItemCount] "a message of nothing waits for more"
    Check MessageItems ["RP1"] [MessageItemCount] "a message has any number of items"
    Check MessageSetEmpty ["RP5"] [MessageSet] "a request names no schema"
    Check MessagePayload ["RP7"] [] "an entry comes with or without its operation as it is not"
    Value MessageNumber ["RP3"] [MessageMalformed] "what is no number is 0"
    Value MessageBool ["RP1"] [MessageMalformed] "what is no boolean is false"
    Value MessageBytes ["RP1" "RP6"] [MessageMalformed] "what are no bytes are none"
    Check MessageSetUnsorted ["RP4"] [MessageSet] "schema ids have any order"
    Check MessageSetDuplicate ["RP4"] [MessageSet] "a schema id stands twice"
    Value HeightZero ["RP3"] [MessageMalformed] "the height 0 is taken for 1"
    Check HeightLogTwice ["RP6"] [MessageMalformed] "a log has two heights"
    Check HeightAuthorTwice ["RP6"] [MessageMalformed] "an author stands twice"
    Check TipsAscend ["RP6" "R24"] [MessageMalformed] "the tips of a log stand in any order, or there are none"
    Check MessagePair ["RP6"] [MessageItemCount] "a pair has any number of items"
}
