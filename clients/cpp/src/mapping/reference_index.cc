#include "mapping/reference_index.h"

#include <algorithm>
#include <charconv>
#include <utility>

#include "mapping/meta_schema.h"
#include "mapping/reference_expansion.h"
#include "mapping/schema_document.h"
#include "mapping/schema_limits.h"
#include "mapping/uri.h"

namespace tickmesh::internal {

namespace {

const JsonValue& AnySchema() {
  static const JsonValue kTrue = JsonValue::Boolean(true);
  return kTrue;
}

std::vector<std::string_view> Steps(std::string_view fragment) {
  std::vector<std::string_view> steps;
  while (!fragment.empty()) {
    fragment.remove_prefix(1);  // the '/'
    const auto end = std::min(fragment.find('/'), fragment.size());
    steps.push_back(fragment.substr(0, end));
    fragment.remove_prefix(end);
  }
  return steps;
}

std::string Unescaped(std::string text) {
  for (const auto& [escaped, plain] : {std::pair("~1", '/'), std::pair("~0", '~')}) {
    std::size_t place = 0;
    while ((place = text.find(escaped, place)) != std::string::npos) {
      text.replace(place, 2, 1, plain);
      ++place;
    }
  }
  return text;
}

/// The member or item that a step of a pointer names; null when there is none.
const JsonValue* StepInto(const JsonValue& node, const std::string& step) {
  if (node.is_object()) return node.Find(step);
  std::size_t index = 0;
  const auto [end, error] = std::from_chars(step.data(), step.data() + step.size(), index);
  const bool is_index = error == std::errc() && end == step.data() + step.size();
  return is_index && index < node.items().size() ? &node.items()[index] : nullptr;
}

/// A fragment as references write it.
std::string Shown(std::string_view fragment) { return std::string(1, '#').append(fragment); }

arrow::Status NotFound(std::string message) {
  return SchemaError("REFERENCE_NOT_FOUND", std::move(message));
}

}  // namespace

ReferenceIndex::ReferenceIndex(const JsonValue& root, Dialect dialect,
                               const PinnedDocuments& references)
    : root_(root), dialect_(dialect), references_(references) {
  resources_.emplace("", &root);
}

arrow::Status ReferenceIndex::Build() {
  bool refers = false;
  for (const auto& [name, document] : references_) {
    refers = refers || !document->index().targets_.empty();
  }
  ARROW_RETURN_NOT_OK(Walk(root_, {}, ""));
  ARROW_RETURN_NOT_OK(Connect());
  if (!refers && targets_.empty() && walked_ <= kMaxExpansions) return arrow::Status::OK();
  return ReferenceExpansion(*this, dialect_).Check(root_);
}

const JsonValue& ReferenceIndex::TargetOf(const JsonValue& schema) const {
  if (const auto found = targets_.find(&schema); found != targets_.end()) return *found->second;
  for (const auto& [name, document] : references_) {
    const JsonValue& target = document->index().TargetOf(schema);
    if (&target != &AnySchema()) return target;
  }
  return AnySchema();
}

const JsonPath* ReferenceIndex::PathOf(const JsonValue& schema) const {
  const auto found = places_.find(&schema);
  return found == places_.end() ? nullptr : &found->second.path;
}

SchemaDocument* ReferenceIndex::PinnedAs(std::string_view name) const {
  if (name.empty()) return nullptr;
  const auto found = references_.find(name);
  return found == references_.end() ? nullptr : found->second.get();
}

arrow::Result<const JsonValue*> ReferenceIndex::Resolve(std::string_view reference,
                                                        const std::string& base) {
  const bool is_local = reference.starts_with('#');
  auto [uri, fragment] =
      SplitFragment(is_local ? std::string(reference) : JoinUri(base, reference));
  for (const std::string& name : {SplitFragment(reference).first, is_local ? base : uri}) {
    if (SchemaDocument* document = PinnedAs(name)) {
      return document->index().Resolve(Shown(fragment), "");
    }
  }
  if (is_local) uri = base;
  if (!fragment.empty() && !fragment.starts_with('/')) {
    const auto anchored = anchors_.find(uri + Shown(fragment));
    if (anchored != anchors_.end()) return anchored->second;
  } else if (const auto resource = resources_.find(uri); resource != resources_.end()) {
    return At(*resource->second, fragment, uri);
  }
  return NotFound("the reference " + Quoted(reference, 200) +
                  " leads nowhere; schemas of other subjects are given as references, and nothing "
                  "is fetched");
}

arrow::Result<const JsonValue*> ReferenceIndex::At(const JsonValue& resource,
                                                   std::string_view fragment,
                                                   const std::string& base) {
  const JsonValue* node = &resource;
  JsonPath path;
  for (const std::string_view raw : Steps(fragment)) {
    path.push_back(Unquote(raw));
    const std::string step = Unescaped(path.back());
    node = StepInto(*node, step);
    if (node == nullptr) {
      return NotFound("there is no " + Quoted(step) + " at " + Quoted(Shown(fragment), 200) +
                      "; define it");
    }
  }
  if (!node->is_schema()) {
    return NotFound(Quoted(Shown(fragment), 200) + " is not a schema");
  }
  if (node->is_object() && !places_.contains(node)) {
    // It stands under an unknown keyword, where the check of the whole document did not look.
    if (!CheckMetaSchema(*node, dialect_).ok()) {
      return SchemaError("INVALID_SCHEMA", "a reference leads to no valid schema", PointerOf(path));
    }
    ARROW_RETURN_NOT_OK(Walk(*node, path, base));
    ARROW_RETURN_NOT_OK(Connect());
  }
  return node;
}

arrow::Status ReferenceIndex::Walk(const JsonValue& schema, const JsonPath& path,
                                   const std::string& outer) {
  ++walked_;
  if (!schema.is_object() || places_.contains(&schema)) return arrow::Status::OK();
  ARROW_ASSIGN_OR_RAISE(const std::string base, Name(schema, path, outer));
  places_.emplace(&schema, Place{path, base});
  subschemas_.push_back(&schema);
  if (subschemas_.size() > kMaxSubschemas) {
    return SchemaError(
        "TOO_MANY_SUBSCHEMAS",
        "the text holds more than " + std::to_string(kMaxSubschemas) + " schemas; split it",
        PointerOf(path));
  }
  return VisitChildren(
      schema, dialect_,
      [&](std::string_view keyword, const std::string* step, const JsonValue& child) {
        const JsonPath place =
            step == nullptr ? Below(path, {keyword}) : Below(path, {keyword, *step});
        return Walk(child, place, base);
      });
}

arrow::Result<std::string> ReferenceIndex::Name(const JsonValue& schema, const JsonPath& path,
                                                std::string base) {
  const JsonValue* identifier = Keywords(schema, dialect_).Find("$id");
  if (identifier != nullptr && identifier->is_string()) {
    const JsonPath place = Below(path, {"$id"});
    const auto [uri, fragment] = SplitFragment(JoinUri(base, identifier->text()));
    if (!fragment.empty()) {
      ARROW_RETURN_NOT_OK(Claim(&anchors_, uri + Shown(fragment), schema, place));
    }
    if (!identifier->text().starts_with('#')) {
      ARROW_RETURN_NOT_OK(Claim(&resources_, uri, schema, place));
      base = uri;
    }
  }
  for (const char* keyword : {"$anchor", "$dynamicAnchor"}) {
    const JsonValue* anchor = schema.Find(keyword);
    if (anchor != nullptr && anchor->is_string()) {
      ARROW_RETURN_NOT_OK(
          Claim(&anchors_, base + Shown(anchor->text()), schema, Below(path, {keyword})));
    }
  }
  return base;
}

arrow::Status ReferenceIndex::Claim(Names* names, const std::string& name, const JsonValue& schema,
                                    const JsonPath& path) {
  if (names->emplace(name, &schema).first->second == &schema) return arrow::Status::OK();
  return SchemaError(
      "DUPLICATE_IDENTIFIER",
      "two schemas are called " + Quoted(name, 200) + "; a reference could mean either",
      PointerOf(path));
}

arrow::Status ReferenceIndex::Connect() {
  // Targets may bring new subschemas, and connect them: what is connected by then is passed over.
  const std::vector<const JsonValue*> known = subschemas_;
  for (const JsonValue* schema : known) {
    if (targets_.contains(schema)) continue;
    const Place place = places_.at(schema);
    const JsonValue* dynamic = schema->Find("$dynamicRef");
    if (dynamic != nullptr && dynamic->is_string() && dialect_ == Dialect::kDraft2020_12) {
      ARROW_RETURN_NOT_OK(
          ResolveAt(Below(place.path, {"$dynamicRef"}), dynamic->text(), place.base));
    }
    const JsonValue* reference = schema->Find("$ref");
    if (reference == nullptr) continue;
    targets_[schema] = &AnySchema();
    ARROW_ASSIGN_OR_RAISE(targets_[schema],
                          ResolveAt(Below(place.path, {"$ref"}), reference->text(), place.base));
  }
  return arrow::Status::OK();
}

arrow::Result<const JsonValue*> ReferenceIndex::ResolveAt(const JsonPath& path,
                                                          std::string_view reference,
                                                          const std::string& base) {
  arrow::Result<const JsonValue*> found = Resolve(reference, base);
  return found.ok() ? found : AtPointer(found.status(), PointerOf(path));
}

}  // namespace tickmesh::internal
