#include "row_text.h"

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <memory>
#include <ostream>

#include "arrow/array.h"
#include "arrow/chunked_array.h"
#include "arrow/record_batch.h"
#include "arrow/scalar.h"
#include "arrow/table.h"
#include "arrow/type.h"
#include "instant.h"
#include "nlohmann/json.hpp"

namespace tickmesh::tool {

namespace {

std::string ItemsText(const arrow::Array& items, std::int64_t begin, std::int64_t end) {
  std::string text = "[";
  for (std::int64_t row = begin; row < end; ++row) {
    if (row > begin) text += ", ";
    text += JsonValue(items, row);
  }
  return text + "]";
}

std::string StructText(const arrow::StructArray& array, std::int64_t row) {
  std::string text = "{";
  for (int field = 0; field < array.num_fields(); ++field) {
    if (field > 0) text += ", ";
    text +=
        JsonString(array.type()->field(field)->name()) + ": " + JsonValue(*array.field(field), row);
  }
  return text + "}";
}

std::string MapText(const arrow::MapArray& array, std::int64_t row) {
  std::string text = "{";
  for (std::int64_t at = array.value_offset(row); at < array.value_offset(row + 1); ++at) {
    if (at > array.value_offset(row)) text += ", ";
    text += JsonValue(*array.keys(), at) + ": " + JsonValue(*array.items(), at);
  }
  return text + "}";
}

/// What no case of `JsonValue` below knows better: Arrow's own text of it.
std::string ScalarText(const arrow::Array& array, std::int64_t row) {
  const auto scalar = array.GetScalar(row);
  return scalar.ok() ? (*scalar)->ToString() : scalar.status().message();
}

template <typename ArrayType>
auto ValueOf(const arrow::Array& array, std::int64_t row) {
  return static_cast<const ArrayType&>(array).Value(row);
}

arrow::TimeUnit::type UnitOf(const arrow::Array& array) {
  switch (array.type_id()) {
    case arrow::Type::TIMESTAMP:
      return static_cast<const arrow::TimestampType&>(*array.type()).unit();
    default:
      return static_cast<const arrow::TimeType&>(*array.type()).unit();
  }
}

std::string NumberText(double number) {
  return std::isfinite(number) ? nlohmann::json(number).dump() : "null";
}

std::string TimestampText(const arrow::Array& array, std::int64_t row) {
  std::string text = InstantText(ValueOf<arrow::TimestampArray>(array, row), UnitOf(array));
  if (static_cast<const arrow::TimestampType&>(*array.type()).timezone().empty()) text.pop_back();
  return JsonString(text);
}

/// One value for a person: JSON without the quotes of texts.
std::string CellText(const arrow::Array& array, std::int64_t row) {
  if (array.IsNull(row)) return "-";
  const std::string json = JsonValue(array, row);
  if (!json.starts_with('"')) return json;
  return nlohmann::json::parse(json, nullptr, false).get<std::string>();
}

}  // namespace

std::string JsonString(const std::string& text) {
  return nlohmann::json(text).dump(-1, ' ', false, nlohmann::json::error_handler_t::replace);
}

std::string JsonValue(const arrow::Array& array, std::int64_t row) {
  if (array.IsNull(row)) return "null";
  switch (array.type_id()) {
    case arrow::Type::BOOL:
      return ValueOf<arrow::BooleanArray>(array, row) ? "true" : "false";
    case arrow::Type::FLOAT:
      return NumberText(ValueOf<arrow::FloatArray>(array, row));
    case arrow::Type::DOUBLE:
      return NumberText(ValueOf<arrow::DoubleArray>(array, row));
    case arrow::Type::STRING:
      return JsonString(static_cast<const arrow::StringArray&>(array).GetString(row));
    case arrow::Type::LARGE_STRING:
      return JsonString(static_cast<const arrow::LargeStringArray&>(array).GetString(row));
    case arrow::Type::DICTIONARY: {
      const auto& dictionary = static_cast<const arrow::DictionaryArray&>(array);
      return JsonValue(*dictionary.dictionary(), dictionary.GetValueIndex(row));
    }
    case arrow::Type::TIMESTAMP:
      return TimestampText(array, row);
    case arrow::Type::DATE32:
      return JsonString(DateText(ValueOf<arrow::Date32Array>(array, row)));
    case arrow::Type::TIME32:
      return JsonString(TimeOfDayText(ValueOf<arrow::Time32Array>(array, row), UnitOf(array)));
    case arrow::Type::TIME64:
      return JsonString(TimeOfDayText(ValueOf<arrow::Time64Array>(array, row), UnitOf(array)));
    case arrow::Type::STRUCT:
      return StructText(static_cast<const arrow::StructArray&>(array), row);
    case arrow::Type::LIST: {
      const auto& list = static_cast<const arrow::ListArray&>(array);
      return ItemsText(*list.values(), list.value_offset(row), list.value_offset(row + 1));
    }
    case arrow::Type::MAP:
      return MapText(static_cast<const arrow::MapArray&>(array), row);
    default: {
      const std::string text = ScalarText(array, row);
      const bool is_number =
          arrow::is_integer(array.type_id()) || arrow::is_decimal(array.type_id());
      return is_number ? text : JsonString(text);
    }
  }
}

void PrintJsonLines(const arrow::RecordBatch& batch, std::ostream& out) {
  std::vector<std::string> names;
  for (const auto& name : batch.schema()->field_names()) names.push_back(JsonString(name) + ": ");
  std::string line;
  for (std::int64_t row = 0; row < batch.num_rows(); ++row) {
    line = "{";
    for (int column = 0; column < batch.num_columns(); ++column) {
      if (column > 0) line += ", ";
      line += names[static_cast<std::size_t>(column)];
      line += JsonValue(*batch.column(column), row);
    }
    line += "}\n";
    out << line;
  }
  out.flush();
}

void PrintAligned(const std::vector<std::vector<std::string>>& lines,
                  const std::vector<bool>& to_the_right, std::ostream& out) {
  std::vector<std::size_t> widths(to_the_right.size(), 0);
  for (const auto& line : lines) {
    for (std::size_t at = 0; at < line.size(); ++at) {
      widths[at] = std::max(widths[at], line[at].size());
    }
  }
  for (const auto& line : lines) {
    std::string text;
    for (std::size_t at = 0; at < line.size(); ++at) {
      const std::string room(widths[at] - line[at].size(), ' ');
      if (at > 0) text += "  ";
      text += to_the_right[at] ? room + line[at] : line[at] + room;
    }
    text.resize(text.find_last_not_of(' ') + 1);
    out << text << '\n';
  }
}

void PrintRows(const arrow::Table& table, std::int64_t rows, std::ostream& out) {
  if (table.num_rows() == 0) {
    out << "no rows\n";
    return;
  }
  const std::int64_t shown = std::min(rows, table.num_rows());
  std::vector<std::vector<std::string>> lines(static_cast<std::size_t>(shown) + 1);
  std::vector<bool> to_the_right;
  for (int at = 0; at < table.num_columns(); ++at) {
    const auto type = table.schema()->field(at)->type()->id();
    to_the_right.push_back(arrow::is_integer(type) || arrow::is_floating(type) ||
                           arrow::is_decimal(type));
    lines[0].push_back(table.schema()->field(at)->name());
    std::size_t line = 1;
    for (const auto& chunk : table.column(at)->chunks()) {
      for (std::int64_t row = 0; row < chunk->length() && line < lines.size(); ++row) {
        lines[line++].push_back(CellText(*chunk, row));
      }
    }
  }
  PrintAligned(lines, to_the_right, out);
}

}  // namespace tickmesh::tool
