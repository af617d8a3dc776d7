#include "mapping/schema_error.h"

#include <utility>

#include "tickmesh/status.h"

namespace tickmesh::internal {

JsonPath Below(const JsonPath& path, std::initializer_list<std::string_view> steps) {
  JsonPath longer;
  longer.reserve(path.size() + steps.size());
  longer.insert(longer.end(), path.begin(), path.end());
  longer.insert(longer.end(), steps.begin(), steps.end());
  return longer;
}

std::string PointerOf(const JsonPath& path) {
  std::string pointer;
  for (const std::string& step : path) {
    pointer.push_back('/');
    for (const char sign : step) {
      if (sign == '~') {
        pointer += "~0";
      } else if (sign == '/') {
        pointer += "~1";
      } else {
        pointer.push_back(sign);
      }
    }
  }
  return pointer;
}

arrow::Status SchemaError(std::string_view reason, std::string message, std::string pointer) {
  ErrorDetails details{.code = ErrorCode::kInvalidArgument,
                       .reason = std::string(reason),
                       .domain = "tickmesh",
                       .metadata = {{"pointer", pointer}}};
  details.violations.push_back({.field = std::move(pointer), .description = message});
  return MakeError(std::move(message), std::move(details));
}

arrow::Status AtPointer(const arrow::Status& error, std::string pointer) {
  const ErrorDetails* details = GetErrorDetails(error);
  if (details == nullptr) return error;
  return SchemaError(details->reason, error.message(), std::move(pointer));
}

std::string Quoted(std::string_view text, std::size_t longest) {
  std::string cut(text.substr(0, longest));
  // Never half a character.
  if (text.size() > longest) {
    std::size_t end = longest;
    while (end > 0 && (static_cast<unsigned char>(text[end]) & 0xC0U) == 0x80U) --end;
    cut.resize(end);
    cut += "…";
  }
  return "'" + cut + "'";
}

}  // namespace tickmesh::internal
