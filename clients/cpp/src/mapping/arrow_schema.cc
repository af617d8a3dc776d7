#include "tickmesh/arrow_schema.h"

#include <utility>

#include "arrow/buffer.h"
#include "arrow/io/memory.h"
#include "arrow/ipc/dictionary.h"
#include "arrow/ipc/reader.h"
#include "arrow/type.h"
#include "mapping/field_ids.h"
#include "mapping/field_metadata.h"
#include "mapping/projection.h"
#include "mapping/schema_document.h"
#include "tickmesh/status.h"

namespace tickmesh {

arrow::Result<std::shared_ptr<arrow::Schema>> MakeArrowSchema(std::string_view json,
                                                              const ArrowSchemaOptions& options) {
  return MakeArrowSchema(json, options, nullptr);
}

arrow::Result<std::shared_ptr<arrow::Schema>> MakeArrowSchema(std::string_view json,
                                                              const ArrowSchemaOptions& options,
                                                              FieldIds* field_ids_after) {
  ARROW_ASSIGN_OR_RAISE(const auto document,
                        internal::SchemaDocument::Parse(json, options.references));
  ARROW_ASSIGN_OR_RAISE(const auto fields, internal::ProjectFields(*document));
  ARROW_ASSIGN_OR_RAISE(FieldIds ids, internal::Extended(options.field_ids, fields));
  auto metadata = std::make_shared<arrow::KeyValueMetadata>();
  if (!options.subject.empty()) metadata->Append(internal::kSubjectKey, options.subject);
  if (options.version != 0) {
    metadata->Append(internal::kVersionKey, std::to_string(options.version));
  }
  auto schema = arrow::schema(internal::Numbered(fields, ids),
                              metadata->size() > 0 ? std::move(metadata) : nullptr);
  if (field_ids_after != nullptr) *field_ids_after = std::move(ids);
  return schema;
}

arrow::Result<std::shared_ptr<arrow::Schema>> MakeArrowSchema(const RegisteredSchema& schema) {
  if (schema.arrow_schema != nullptr) return schema.arrow_schema;
  const std::string which = "version " + std::to_string(schema.version) + " of " + schema.subject;
  ErrorDetails details{
      .code = ErrorCode::kDataLoss,
      .reason = "INVALID_ARROW_SCHEMA",
      .domain = "tickmesh",
      .metadata = {{"subject", schema.subject}, {"version", std::to_string(schema.version)}}};
  if (schema.state != VersionState::kRemoved) {
    return MakeError(which + " came without a readable Arrow schema; a newer client may read it",
                     std::move(details));
  }
  details.code = ErrorCode::kFailedPrecondition;
  details.reason = "VERSION_REMOVED";
  return MakeError(which + " was removed for good; its texts are gone", std::move(details));
}

arrow::Result<std::shared_ptr<arrow::Schema>> SchemaFromIpc(std::string_view bytes) {
  arrow::io::BufferReader stream(arrow::Buffer::FromString(std::string(bytes)));
  arrow::ipc::DictionaryMemo dictionaries;
  auto schema = arrow::ipc::ReadSchema(&stream, &dictionaries);
  if (schema.ok()) return schema;
  return MakeError("the bytes are no Arrow schema in IPC format: " + schema.status().message(),
                   {.code = ErrorCode::kInvalidArgument,
                    .reason = "INVALID_ARROW_SCHEMA",
                    .domain = "tickmesh"});
}

}  // namespace tickmesh
