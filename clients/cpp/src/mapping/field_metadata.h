#pragma once

#include <memory>
#include <string>

#include "arrow/type.h"
#include "arrow/util/key_value_metadata.h"

/// \file
/// The keys of the metadata that a projection puts on schemas and fields.

namespace tickmesh::internal {

/// On the schema: the subject.
inline constexpr const char* kSubjectKey = "tickmesh.subject";
/// On the schema: the version, a decimal number.
inline constexpr const char* kVersionKey = "tickmesh.version";
/// On every field: its id, a decimal number, 1 or more.
inline constexpr const char* kFieldIdKey = "tickmesh.field_id";
/// On fields of the row that play a role: which.
inline constexpr const char* kRoleKey = "tickmesh.role";
/// `json` on a utf8 field whose values are JSON texts.
inline constexpr const char* kEncodingKey = "tickmesh.encoding";
/// On an int64 field that holds numbers times 10^scale: the scale, a decimal number.
inline constexpr const char* kScaleKey = "tickmesh.scale";

/// A field with one more entry of metadata.
inline std::shared_ptr<arrow::Field> WithEntry(const arrow::Field& field, const std::string& key,
                                               const std::string& value) {
  auto metadata =
      field.HasMetadata() ? field.metadata()->Copy() : std::make_shared<arrow::KeyValueMetadata>();
  metadata->Append(key, value);
  return field.WithMetadata(std::move(metadata));
}

/// Whether the values of a field are JSON texts.
inline bool HoldsJson(const arrow::Field& field) {
  return field.HasMetadata() && field.metadata()->Contains(kEncodingKey);
}

}  // namespace tickmesh::internal
