#include "mapping/arrow_type_name.h"

#include <array>
#include <charconv>
#include <unordered_map>
#include <utility>

#include "arrow/type.h"
#include "mapping/schema_error.h"
#include "mapping/time_zone.h"

namespace tickmesh::internal {

namespace {

constexpr JsonTypes kNumbers = JsonTypes(JsonTypes::kInteger) | JsonTypes::kNumber;
constexpr int kMostScaledDigits = 18;
constexpr const char* kTaken =
    "int8, int16, int32, int64, uint8, uint16, uint32, uint64, float32, float64, bool, utf8, "
    "large_utf8, binary, date32, dictionary<int32, utf8>, decimal128(precision, scale), "
    "decimal256(precision, scale), scaled_int64(scale), timestamp[unit], timestamp[unit, zone], "
    "time32[s or ms], time64[us or ns], duration[unit]";

const std::unordered_map<std::string_view, ArrowTypeName>& PlainTypes() {
  static const std::unordered_map<std::string_view, ArrowTypeName> kPlain = {
      {"int8", {arrow::int8(), JsonTypes::kInteger}},
      {"int16", {arrow::int16(), JsonTypes::kInteger}},
      {"int32", {arrow::int32(), JsonTypes::kInteger}},
      {"int64", {arrow::int64(), JsonTypes::kInteger}},
      {"uint8", {arrow::uint8(), JsonTypes::kInteger}},
      {"uint16", {arrow::uint16(), JsonTypes::kInteger}},
      {"uint32", {arrow::uint32(), JsonTypes::kInteger}},
      {"uint64", {arrow::uint64(), JsonTypes::kInteger}},
      {"float32", {arrow::float32(), kNumbers}},
      {"float64", {arrow::float64(), kNumbers}},
      {"bool", {arrow::boolean(), JsonTypes::kBoolean}},
      {"utf8", {arrow::utf8(), JsonTypes::kString}},
      {"large_utf8", {arrow::large_utf8(), JsonTypes::kString}},
      {"binary", {arrow::binary(), JsonTypes::kString, std::nullopt, "base64"}},
      {"date32", {arrow::date32(), JsonTypes::kString, std::nullopt, "date"}},
      {"dictionary<int32, utf8>",
       {arrow::dictionary(arrow::int32(), arrow::utf8()), JsonTypes::kString}},
  };
  return kPlain;
}

/// Reads a text piece by piece; whatever does not fit, nothing fits from then on.
class Pieces {
 public:
  explicit Pieces(std::string_view text) : rest_(text) {}

  bool Take(std::string_view piece) {
    if (failed_ || !rest_.starts_with(piece)) return false;
    rest_.remove_prefix(piece.size());
    return true;
  }

  Pieces& Expect(std::string_view piece) {
    failed_ = failed_ || !Take(piece);
    return *this;
  }

  /// One or two digits.
  int Number() {
    std::size_t digits = 0;
    while (digits < 2 && digits < rest_.size() && rest_[digits] >= '0' && rest_[digits] <= '9') {
      ++digits;
    }
    int number = 0;
    std::from_chars(rest_.data(), rest_.data() + digits, number);
    failed_ = failed_ || digits == 0;
    rest_.remove_prefix(digits);
    return number;
  }

  /// One of some units.
  arrow::TimeUnit::type Unit(std::initializer_list<arrow::TimeUnit::type> units) {
    constexpr std::array<const char*, 4> kNames = {"s", "ms", "us", "ns"};
    for (const auto unit : units) {
      const std::string_view name = kNames[static_cast<std::size_t>(unit)];
      const std::string_view behind = rest_.substr(std::min(name.size(), rest_.size()));
      if ((behind.starts_with(']') || behind.starts_with(',')) && Take(name)) return unit;
    }
    failed_ = true;
    return arrow::TimeUnit::NANO;
  }

  std::string Zone() {
    std::size_t length = 0;
    while (length < rest_.size() && rest_[length] != ']') ++length;
    std::string zone(rest_.substr(0, length));
    rest_.remove_prefix(length);
    return zone;
  }

  /// Whether everything fitted and nothing is left.
  bool Fitted() const { return !failed_ && rest_.empty(); }

 private:
  std::string_view rest_;
  bool failed_ = false;
};

arrow::Status Refuse(const std::string& text, const std::string& why) {
  return SchemaError("INVALID_ARROW_TYPE", Quoted(text) + why);
}

arrow::Status NoType(const std::string& text) {
  return Refuse(text, std::string(" is no Arrow type taken here; taken are ") + kTaken);
}

arrow::Result<ArrowTypeName> Decimal(const std::string& text, bool is_wide, Pieces pieces) {
  const int precision = pieces.Expect("(").Number();
  pieces.Expect(",").Take(" ");
  const int scale = pieces.Number();
  if (!pieces.Expect(")").Fitted()) return NoType(text);
  const int most = is_wide ? 76 : 38;
  if (precision < 1 || precision > most || scale > precision) {
    return Refuse(text,
                  ": precision is 1 to " + std::to_string(most) + ", and scale at most precision");
  }
  return ArrowTypeName{
      is_wide ? arrow::decimal256(precision, scale) : arrow::decimal128(precision, scale),
      kNumbers};
}

arrow::Result<ArrowTypeName> ScaledInteger(const std::string& text, Pieces pieces) {
  const int digits = pieces.Expect("(").Number();
  if (!pieces.Expect(")").Fitted()) return NoType(text);
  if (digits > kMostScaledDigits) {
    return Refuse(text, ": an int64 has at most " + std::to_string(kMostScaledDigits) +
                            " digits after the point");
  }
  return ArrowTypeName{arrow::int64(), kNumbers, digits};
}

constexpr std::initializer_list<arrow::TimeUnit::type> kUnits = {
    arrow::TimeUnit::SECOND, arrow::TimeUnit::MILLI, arrow::TimeUnit::MICRO, arrow::TimeUnit::NANO};

arrow::Result<ArrowTypeName> Timestamp(const std::string& text, Pieces pieces) {
  constexpr JsonTypes kHeld = JsonTypes(JsonTypes::kInteger) | JsonTypes::kString;
  const auto unit = pieces.Expect("[").Unit(kUnits);
  std::optional<std::string> zone;
  if (pieces.Take(",")) {
    pieces.Take(" ");
    zone = pieces.Zone();
  }
  if (!pieces.Expect("]").Fitted()) return NoType(text);
  if (!zone.has_value()) {
    // A reading of a clock without a zone is no instant.
    return ArrowTypeName{arrow::timestamp(unit), kHeld, std::nullopt,
                         "a date and time without an offset"};
  }
  if (!IsTimeZone(*zone)) return Refuse(text, ": " + Quoted(*zone, 40) + " is no IANA time zone");
  return ArrowTypeName{arrow::timestamp(unit, *zone), kHeld, std::nullopt, "date-time"};
}

}  // namespace

arrow::Result<ArrowTypeName> ParseArrowType(const std::string& text) {
  const auto& plain = PlainTypes();
  if (const auto found = plain.find(text); found != plain.end()) return found->second;
  Pieces pieces(text);
  if (pieces.Take("decimal128")) return Decimal(text, /*is_wide=*/false, pieces);
  if (pieces.Take("decimal256")) return Decimal(text, /*is_wide=*/true, pieces);
  if (pieces.Take("scaled_int64")) return ScaledInteger(text, pieces);
  if (pieces.Take("timestamp")) return Timestamp(text, pieces);
  if (pieces.Take("time32[")) {
    const auto unit = pieces.Unit({arrow::TimeUnit::SECOND, arrow::TimeUnit::MILLI});
    if (!pieces.Expect("]").Fitted()) return NoType(text);
    return ArrowTypeName{arrow::time32(unit), JsonTypes::kString, std::nullopt, "time"};
  }
  if (pieces.Take("time64[")) {
    const auto unit = pieces.Unit({arrow::TimeUnit::MICRO, arrow::TimeUnit::NANO});
    if (!pieces.Expect("]").Fitted()) return NoType(text);
    return ArrowTypeName{arrow::time64(unit), JsonTypes::kString, std::nullopt, "time"};
  }
  if (pieces.Take("duration[")) {
    const auto unit = pieces.Unit(kUnits);
    if (!pieces.Expect("]").Fitted()) return NoType(text);
    return ArrowTypeName{arrow::duration(unit), JsonTypes::kInteger};
  }
  return NoType(text);
}

}  // namespace tickmesh::internal
