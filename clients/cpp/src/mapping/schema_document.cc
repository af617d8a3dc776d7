#include "mapping/schema_document.h"

#include <set>
#include <string>
#include <utility>

#include "mapping/json_reader.h"
#include "mapping/meta_schema.h"
#include "mapping/schema_error.h"
#include "mapping/schema_limits.h"
#include "mapping/text_length.h"
#include "mapping/uri.h"
#include "tickmesh/status.h"

namespace tickmesh::internal {

namespace {

constexpr std::string_view kStandardVocabularies = "https://json-schema.org/draft/2020-12/vocab/";

arrow::Result<Dialect> DialectOf(const JsonValue& schema, const std::string& pointer) {
  const JsonValue* named = schema.Find("$schema");
  if (named == nullptr || named->is_null()) return Dialect::kDraft2020_12;
  std::string_view uri = named->text();
  while (uri.ends_with('#')) uri.remove_suffix(1);
  for (const Dialect dialect : {Dialect::kDraft2020_12, Dialect::kDraft07}) {
    if (named->is_string() && uri == DialectUri(dialect)) return dialect;
  }
  return SchemaError("UNKNOWN_DIALECT",
                     "$schema is " + Quoted(named->Canonical(), 200) + "; taken are " +
                         std::string(DialectUri(Dialect::kDraft2020_12)) + " and " +
                         std::string(DialectUri(Dialect::kDraft07)) + " (the first when absent)",
                     pointer);
}

void GatherTexts(const std::vector<ReferencedSchema>& references,
                 std::set<std::string_view>* texts) {
  for (const ReferencedSchema& reference : references) {
    texts->insert(reference.text);
    GatherTexts(reference.references, texts);
  }
}

/// What is wrong with a referenced schema, and which one it is.
arrow::Status InReference(const arrow::Status& error, const std::string& name) {
  const ErrorDetails* details = GetErrorDetails(error);
  if (details == nullptr) return error;
  ErrorDetails named = *details;
  named.metadata.emplace("reference", name);
  return MakeError("in the referenced schema " + Quoted(name) + ": " + error.message(),
                   std::move(named));
}

arrow::Status CheckPatterns(const JsonValue& schema, const JsonPath& path) {
  const auto check = [](const std::string& pattern, const JsonPath& place) {
    const std::size_t length = CharactersIn(pattern);
    if (length <= kMaxPatternLength) return arrow::Status::OK();
    return SchemaError("PATTERN_TOO_LONG",
                       "the pattern has " + std::to_string(length) + " characters; at most " +
                           std::to_string(kMaxPatternLength) + " are taken",
                       PointerOf(place));
  };
  if (const JsonValue* by_name = schema.Find("patternProperties")) {
    if (by_name->members().size() > kMaxNamePatterns) {
      return SchemaError("TOO_MANY_PATTERNS",
                         "more than " + std::to_string(kMaxNamePatterns) +
                             " patterns under one patternProperties; use fewer",
                         PointerOf(Below(path, {"patternProperties"})));
    }
    for (const auto& [pattern, member] : by_name->members()) {
      ARROW_RETURN_NOT_OK(check(pattern, Below(path, {"patternProperties", pattern})));
    }
  }
  const JsonValue* pattern = schema.Find("pattern");
  if (pattern == nullptr) return arrow::Status::OK();
  return check(pattern->text(), Below(path, {"pattern"}));
}

}  // namespace

SchemaDocument::SchemaDocument(JsonValue root, Dialect dialect, PinnedDocuments references)
    : root_(std::move(root)),
      dialect_(dialect),
      references_(std::move(references)),
      index_(root_, dialect_, references_) {}

arrow::Result<std::unique_ptr<SchemaDocument>> SchemaDocument::Parse(
    std::string_view text, const std::vector<ReferencedSchema>& references) {
  std::set<std::string_view> texts;
  GatherTexts(references, &texts);
  if (texts.size() > kMaxPinned) {
    return SchemaError("TOO_MANY_REFERENCES", "with those that they refer to, more than " +
                                                  std::to_string(kMaxPinned) +
                                                  " schemas are referenced; refer to fewer");
  }
  PinnedDocuments pinned;
  for (const ReferencedSchema& reference : references) {
    auto document = Parse(reference.text, reference.references);
    if (!document.ok()) return InReference(document.status(), reference.name);
    pinned[reference.name] = std::move(document).ValueUnsafe();
  }
  ARROW_ASSIGN_OR_RAISE(JsonValue root, ReadJson(text, kMaxBytes, kMaxDepth));
  if (!root.is_schema()) {
    return SchemaError("NOT_A_SCHEMA", "a schema is a JSON object (or true, false); write one");
  }
  ARROW_ASSIGN_OR_RAISE(const Dialect dialect, DialectOf(root, "/$schema"));
  for (const auto& [name, document] : pinned) {
    if (document->dialect() == dialect) continue;
    return SchemaError("MIXED_DIALECTS",
                       "the referenced schema " + Quoted(name) + " is written in " +
                           std::string(DialectUri(document->dialect())) + ", this one in " +
                           std::string(DialectUri(dialect)) + "; use one draft");
  }
  ARROW_RETURN_NOT_OK(CheckMetaSchema(root, dialect));
  std::unique_ptr<SchemaDocument> document(
      new SchemaDocument(std::move(root), dialect, std::move(pinned)));
  ARROW_RETURN_NOT_OK(document->index_.Build());
  for (const JsonValue* schema : document->index_.subschemas()) {
    ARROW_RETURN_NOT_OK(document->CheckSubschema(*schema));
  }
  return document;
}

arrow::Status SchemaDocument::CheckSubschema(const JsonValue& schema) const {
  const JsonPath& path = *index_.PathOf(schema);
  if (!path.empty() && schema.Find("$schema") != nullptr) {
    const std::string pointer = PointerOf(Below(path, {"$schema"}));
    ARROW_ASSIGN_OR_RAISE(const Dialect dialect, DialectOf(schema, pointer));
    if (dialect != dialect_) {
      return SchemaError("MIXED_DIALECTS",
                         "an embedded schema is written in another draft; use one", pointer);
    }
  }
  if (const JsonValue* vocabularies = schema.Find("$vocabulary")) {
    for (const auto& [uri, needed] : vocabularies->members()) {
      if (needed.is_true() && !uri.starts_with(kStandardVocabularies)) {
        return SchemaError("UNKNOWN_VOCABULARY",
                           "the vocabulary " + Quoted(uri) + " is required but not known here",
                           PointerOf(Below(path, {"$vocabulary", uri})));
      }
    }
  }
  const JsonValue* identifier = schema.Find("$id");
  if (identifier != nullptr && !IsUriReference(identifier->text())) {
    return SchemaError("INVALID_SCHEMA",
                       "$id is no URI reference: " + Quoted(identifier->text(), 200),
                       PointerOf(Below(path, {"$id"})));
  }
  const JsonValue* properties = schema.Find("properties");
  if (properties != nullptr && properties->members().size() > kMaxFields) {
    return SchemaError(
        "TOO_MANY_FIELDS",
        "more than " + std::to_string(kMaxFields) + " names under one properties; split the schema",
        PointerOf(Below(path, {"properties"})));
  }
  return CheckPatterns(schema, path);
}

}  // namespace tickmesh::internal
