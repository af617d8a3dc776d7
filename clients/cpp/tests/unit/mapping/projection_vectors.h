#pragma once

#include <fstream>
#include <memory>
#include <string>
#include <vector>

#include "arrow/type.h"
#include "arrow/util/base64.h"
#include "nlohmann/json.hpp"
#include "tickmesh/arrow_schema.h"

namespace tickmesh::testing {

/// The vectors that every client language runs: tests/conformance/vectors/README.md.
inline const std::vector<nlohmann::json>& ProjectionVectors() {
  static const auto* const kVectors = [] {
    std::ifstream file(TICKMESH_REPOSITORY "/tests/conformance/vectors/arrow_projection.json");
    const auto document = nlohmann::json::parse(file);
    return new std::vector<nlohmann::json>(document.at("vectors").begin(),
                                           document.at("vectors").end());
  }();
  return *kVectors;
}

/// What a vector gives beside its text.
inline ArrowSchemaOptions OptionsOf(const nlohmann::json& vector) {
  ArrowSchemaOptions options{
      .subject = vector.at("subject").get<std::string>(),
      .version = vector.at("version").get<int>(),
      .field_ids = vector.at("field_ids_before").get<FieldIds>(),
  };
  for (const auto& [name, text] : vector.at("references").items()) {
    options.references.push_back({.name = name, .text = text.get<std::string>()});
  }
  return options;
}

/// A schema without what identity a printed difference cannot show: every detail in words.
inline std::string Shown(const arrow::Schema& schema) {
  return schema.ToString(/*show_metadata=*/true);
}

}  // namespace tickmesh::testing
