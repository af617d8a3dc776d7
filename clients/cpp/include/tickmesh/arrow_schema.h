#pragma once

#include <cstddef>
#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "arrow/result.h"
#include "arrow/type_fwd.h"
#include "tickmesh/export.h"
#include "tickmesh/registered_schema.h"

/// \file
/// JSON Schema as `arrow::Schema`: the registry's own mapping (docs/arrow-projection.md), for
/// programs that have a schema's text and no registry at hand.

namespace tickmesh {

/// A schema that another one refers to.
struct TICKMESH_EXPORT ReferencedSchema {
  /// The name that `$ref` uses.
  std::string name = {};
  /// Its text.
  std::string text = {};
  /// What it refers to itself.
  std::vector<ReferencedSchema> references = {};
};

/// Ids of a subject's fields, 1 or more, by path: `levels`, its items `levels[]`, `levels.price`.
using FieldIds = std::map<std::string, std::int64_t>;

/// What a mapping needs beside the text.
struct TICKMESH_EXPORT ArrowSchemaOptions {
  /// Named in the schema's metadata; left out when empty.
  std::string subject = {};
  /// Named in the schema's metadata; left out when 0.
  int version = 0;
  /// What the schema's `$ref` may lead to outside its text. Nothing is ever fetched.
  std::vector<ReferencedSchema> references = {};
  /// The ids that the subject's fields have so far. Fields without one get the ids that follow, as
  /// the registry gives them.
  FieldIds field_ids = {};
};

/// Map the schema of a row onto Arrow.
///
/// Equal, metadata included, to what the registry would make of the same text as this version.
/// Checked is what the mapping depends on; the registry also checks that some row can exist and
/// that defaults and regular expressions are valid, so it may refuse what is mapped here.
///
/// \param json JSON Schema, 2020-12 or draft-07, in UTF-8; at most 1 MiB.
///
/// Fails with INVALID_ARGUMENT; the reason says what is wrong (INVALID_JSON, INVALID_SCHEMA,
/// INVALID_ARROW_TYPE, REFERENCE_NOT_FOUND, …), metadata `pointer` where, as a JSON Pointer, and
/// metadata `reference` in which referenced schema, if it is in one. Fails with UNIMPLEMENTED,
/// reason UNSUPPORTED_PATTERN, where a field's type hangs on a pattern with look-around.
TICKMESH_EXPORT arrow::Result<std::shared_ptr<arrow::Schema>> MakeArrowSchema(
    std::string_view json, const ArrowSchemaOptions& options = {});

/// The same, and the subject's field ids afterwards: those given, unchanged, and the new ones.
TICKMESH_EXPORT arrow::Result<std::shared_ptr<arrow::Schema>> MakeArrowSchema(
    std::string_view json, const ArrowSchemaOptions& options, FieldIds* field_ids_after);

/// The projection that a registered version carries: the registry's own, made once.
///
/// Fails with FAILED_PRECONDITION, reason VERSION_REMOVED, once the version was removed for good,
/// and with DATA_LOSS, reason INVALID_ARROW_SCHEMA, where what came with it is no Arrow schema.
TICKMESH_EXPORT arrow::Result<std::shared_ptr<arrow::Schema>> MakeArrowSchema(
    const RegisteredSchema& schema);

/// Read an Arrow schema from the encapsulated IPC message in which the registry sends projections.
///
/// Fails with INVALID_ARGUMENT, reason INVALID_ARROW_SCHEMA, when the bytes are none.
TICKMESH_EXPORT arrow::Result<std::shared_ptr<arrow::Schema>> SchemaFromIpc(std::string_view bytes);

/// Mappings of texts that come again and again, for programs without a registry client.
///
/// Bounded, safe for threads; the oldest go first.
class TICKMESH_EXPORT ArrowSchemaCache {
 public:
  /// \param options of every mapping.
  /// \param capacity most texts kept, 1 or more.
  /// \param max_bytes most bytes of all texts kept; longer ones are mapped anew each time.
  explicit ArrowSchemaCache(ArrowSchemaOptions options = {}, std::size_t capacity = 1024,
                            std::size_t max_bytes = std::size_t{16} << 20);
  ArrowSchemaCache(const ArrowSchemaCache&) = delete;
  ArrowSchemaCache& operator=(const ArrowSchemaCache&) = delete;
  ~ArrowSchemaCache();

  /// The mapping of a text; fails as `MakeArrowSchema` does, and keeps no failure.
  arrow::Result<std::shared_ptr<arrow::Schema>> Get(std::string_view json);

 private:
  class Impl;

  std::unique_ptr<Impl> impl_;
};

}  // namespace tickmesh
