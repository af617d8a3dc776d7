// Maps JSON Schemas to Arrow for a test in another language: one JSON object a line in, one out.
//
// In: the keys of a vector (tests/conformance/vectors/README.md) that an implementation starts
// from, the texts in base64 so that they may be any bytes. Out: `ipc` (base64) and
// `field_ids_after`, or `code`, `reason` and `pointer`.

#include <iostream>
#include <string>

#include "arrow/buffer.h"
#include "arrow/ipc/writer.h"
#include "arrow/type.h"
#include "arrow/util/base64.h"
#include "nlohmann/json.hpp"
#include "tickmesh/arrow_schema.h"
#include "tickmesh/status.h"

namespace {

using nlohmann::json;

std::string Decoded(const json& base64) {
  return arrow::util::base64_decode(base64.get<std::string>()).ValueOrDie();
}

tickmesh::ReferencedSchema ReferenceOf(const std::string& name, const json& given) {
  tickmesh::ReferencedSchema reference{.name = name, .text = Decoded(given.at("schema"))};
  for (const auto& [inner, each] : given.at("references").items()) {
    reference.references.push_back(ReferenceOf(inner, each));
  }
  return reference;
}

json Mapped(const json& vector) {
  tickmesh::ArrowSchemaOptions options{
      .subject = vector.at("subject").get<std::string>(),
      .version = vector.at("version").get<int>(),
      .references = ReferenceOf("", vector).references,
      .field_ids = vector.at("field_ids_before").get<tickmesh::FieldIds>(),
  };
  tickmesh::FieldIds after;
  const auto schema = tickmesh::MakeArrowSchema(Decoded(vector.at("schema")), options, &after);
  if (schema.ok()) {
    const auto message = arrow::ipc::SerializeSchema(**schema).ValueOrDie();
    const std::string_view bytes(*message);
    return {{"ipc", arrow::util::base64_encode(bytes)}, {"field_ids_after", after}};
  }
  const tickmesh::ErrorDetails* details = tickmesh::GetErrorDetails(schema.status());
  if (details == nullptr) return {{"code", "NONE"}, {"reason", schema.status().ToString()}};
  const auto pointer = details->metadata.find("pointer");
  return {{"code", tickmesh::ErrorCodeName(details->code)},
          {"reason", details->reason},
          {"pointer", pointer == details->metadata.end() ? "" : pointer->second},
          {"message", schema.status().message()}};
}

}  // namespace

int main() {
  std::string line;
  while (std::getline(std::cin, line)) {
    // Strict, so that a text that is no UTF-8 ends the program instead of being mended.
    std::cout << Mapped(json::parse(line)).dump() << std::endl;
  }
  return 0;
}
